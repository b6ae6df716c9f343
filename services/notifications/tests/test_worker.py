"""A worker, its provider misbehaving or its disk being full."""

import os
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from sqlalchemy import select

from crmkit.context import Context
from crmkit.db import Database
from crmkit.ids import new_id
from crmkit.testing import eventually
from services.notifications import messages
from services.notifications.channels import Outcome, Outgoing
from services.notifications.journal import Journal
from services.notifications.models import Colleague, Message
from services.notifications.worker import POLL_SECONDS, Place, Worker

pytestmark = pytest.mark.server


class Provider:
    """Somebody else's mail server: ``answer`` decides, ``asked_at`` is when it had to."""

    def __init__(self, answer: Callable[[Outgoing], Outcome]) -> None:
        self.answer = answer
        self.asked_at: list[float] = []

    def open(self) -> None:
        """It always takes connections."""

    def send(self, message: Outgoing) -> Outcome:
        self.asked_at.append(time.monotonic())
        return self.answer(message)

    def idle(self, seconds: float) -> None:
        threading.Event().wait(seconds)

    def close(self) -> None:
        """It does not mind."""


@contextmanager
def working(
    database: Database, provider: Provider, *, batch: int, journal: Journal | None = None
) -> Iterator[None]:
    """A worker at work while the block runs."""
    stop = threading.Event()
    worker = Worker(
        "email",
        provider,
        database,
        Place("Rapport", "https://crm.example", b"k" * 32),
        batch=batch,
        journal=lambda _: journal,
        stop=stop,
    )
    thread = threading.Thread(target=worker.run)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(60)


def wait_to_be_sent(database: Database, count: int) -> None:
    """Have so many colleagues told something."""
    with database.transaction(Context()) as session:
        for number in range(count):
            about = {"name": "이준호", "language": "ko", "team_path": "/hq/", "active": True}
            person = Colleague(id=new_id(), email=f"agent{number}@rapport.example", **about)
            messages.to_colleague(
                session, person, "reminder", dedupe_key=str(number), values={"title": "전화"}
            )


def statuses(database: Database) -> Counter[str]:
    with database.reading(Context()) as session:
        return Counter(row.status for row in session.execute(select(Message.status)))


class TestRun:
    def test_pauses_longer_and_longer_when_nothing_is_taken(self, live):
        provider = Provider(lambda _: Outcome("not_begun", "550 5.7.1 Not from you."))
        wait_to_be_sent(live, 10)
        with working(live, provider, batch=1):
            eventually(lambda: len(provider.asked_at) >= 3)
        first, second, third, *_ = provider.asked_at
        assert second - first >= POLL_SECONDS
        assert third - second >= POLL_SECONDS * 2
        assert statuses(live) == {"queued": 10}

    def test_records_what_left_although_the_disk_is_full(self, live, tmp_path):
        journal = Journal(tmp_path, new_id())

        def fill_the_disk(_: Outgoing) -> Outcome:
            full = os.open("/dev/full", os.O_WRONLY)
            os.dup2(full, journal._file)
            os.close(full)
            return Outcome("sent")

        wait_to_be_sent(live, 3)
        with working(live, Provider(fill_the_disk), batch=3, journal=journal):
            eventually(lambda: statuses(live) == {"sent": 1, "queued": 2})

    def test_takes_an_outcome_that_cannot_be_stored_for_no_outage(self, live):
        unstorable = [("\0",)]

        def answer(_: Outgoing) -> Outcome:
            return Outcome("sent", None, unstorable.pop() if unstorable else ())

        wait_to_be_sent(live, 2)
        with working(live, Provider(answer), batch=1):
            eventually(lambda: statuses(live) == {"sent": 1, "sending": 1})
