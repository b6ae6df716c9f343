"""The relay's own bookkeeping, without a broker."""

import asyncio
from typing import Any

import pytest

from crmkit.relay import Publisher, Relay


class Channel:
    def confirm_delivery(self, callback: Any) -> None:
        """Nothing confirms here."""


class TestPublisher:
    def test_an_empty_batch_waits_for_nothing(self) -> None:
        async def publish() -> set[int]:
            publisher = Publisher(None, Channel())  # type: ignore[arg-type]
            return await asyncio.wait_for(publisher.publish("customers", []), 1)

        assert asyncio.run(publish()) == set()


class TestRun:
    def test_goes_on_after_trouble_of_any_kind_and_says_so(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        relay = Relay("customers", "postgresql+psycopg://x/y", "amqp://x")
        tries: list[str | None] = []

        async def session() -> None:
            tries.append(relay.trouble)
            if len(tries) == 2:
                relay.stopping = True
                return
            raise KeyError("a bug")

        monkeypatch.setattr(relay, "_session", session)
        asyncio.run(asyncio.wait_for(relay.run(), 5))
        assert len(tries) == 2
        assert "a bug" in str(tries[1])
