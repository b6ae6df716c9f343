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

    def test_an_idle_relay_notices_that_the_link_has_ended(self) -> None:
        class Link:
            closed: "asyncio.Future[str]"

        async def relay() -> None:
            link = Link()
            link.closed = asyncio.get_running_loop().create_future()
            link.closed.set_result("no heartbeats")
            publisher = Publisher(link, Channel())  # type: ignore[arg-type]
            idle = Relay("customers", "postgresql+psycopg://x/y", "amqp://x")
            await idle._relay(None, publisher)  # type: ignore[arg-type]

        with pytest.raises(ConnectionError, match="no heartbeats"):
            asyncio.run(relay())


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
