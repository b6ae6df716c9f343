"""Blocking work of the gateway: bounded in number and in time."""

import asyncio
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from crmkit import logs
from crmkit.errors import Unavailable
from gateway import resources
from gateway.resources import THREADS, Resources


@pytest.fixture
def ours() -> Resources:
    return Resources(None, None, None)  # type: ignore[arg-type]


@pytest.fixture
def silence(monkeypatch: pytest.MonkeyPatch) -> Iterator[threading.Event]:
    """Something to wait for that comes only after the test."""
    monkeypatch.setattr(resources, "THREAD_SECONDS", 0.2)
    over = threading.Event()
    yield over
    over.set()


class TestInThread:
    def test_gives_the_result_and_knows_the_request(self, ours: Resources) -> None:
        async def ask() -> tuple[str, str | None]:
            logs.request_id.set("of this request")
            return await ours.in_thread(lambda word: (word, logs.request_id.get()), word="done")

        assert asyncio.run(ask()) == ("done", "of this request")

    def test_passes_on_what_the_work_raises(self, ours: Resources) -> None:
        with pytest.raises(ZeroDivisionError):
            asyncio.run(ours.in_thread(lambda: 1 // 0))

    def test_does_not_wait_for_a_database_that_went_silent(
        self, ours: Resources, silence: threading.Event
    ) -> None:
        with pytest.raises(Unavailable) as refusal:
            asyncio.run(ours.in_thread(silence.wait))
        assert refusal.value.details["retry_after"] == 1

    def test_drops_what_found_no_thread_in_time(
        self, ours: Resources, silence: threading.Event, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        done: list[Any] = []

        async def ask() -> list[Any]:
            stuck = [ours.in_thread(silence.wait) for _ in range(THREADS)]
            return await asyncio.gather(
                *stuck, ours.in_thread(done.append, "too late"), return_exceptions=True
            )

        answers = asyncio.run(ask())
        silence.set()
        monkeypatch.setattr(resources, "THREAD_SECONDS", 60.0)
        asyncio.run(ours.in_thread(done.append, "next"))
        assert all(isinstance(answer, Unavailable) for answer in answers)
        assert done == ["next"]
