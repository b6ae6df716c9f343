"""What the sender does beside sending: it settles what others left, and not too early."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import UUID

import pytest
from sqlalchemy import select, text, update

from crmkit.context import Context
from crmkit.db import Database
from crmkit.ids import new_id
from crmkit.settings import Settings
from crmkit.testing import SECRET_KEY, eventually
from services.notifications import sender
from services.notifications.channels import Outcome
from services.notifications.models import Message
from services.notifications.sender import Sender
from services.notifications.tests.test_worker import wait_to_be_sent

pytestmark = pytest.mark.server


@pytest.fixture
def idle(live: Database, tmp_path: Path) -> Sender:
    """A sender without any worker."""
    settings = {
        "NOTIFICATIONS_DATABASE_URL": live.engine.url.render_as_string(hide_password=False),
        "SECRET_KEY": SECRET_KEY,
        "SMTP_URL": "smtp://127.0.0.1:1",
        "SMPP_URL": "smpp://rapport:secret@127.0.0.1:1",
        "MAIL_FROM": "crm@rapport.example",
        "PUBLIC_URL": "https://crm.example",
        "SENDER_JOURNAL": str(tmp_path),
        **{f"SENDER_THREADS_{lane.upper()}": "0" for lane in sender.THREADS},
    }
    return Sender(Settings(settings))


@contextmanager
def running(idle: Sender) -> Iterator[None]:
    stop = threading.Event()
    thread = threading.Thread(target=idle.run, args=(stop,))
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(60)


def lose(database: Database, *, worker: UUID | None = None, lease: str = "-1 second") -> UUID:
    """Have one untried message in the hand of a sender whose lease ends then; its id."""
    claimed = {"status": "sending", "claimed_by": worker or new_id(), "attempts": 1}
    until = {"lease_until": text(f"now() + interval '{lease}'")}
    with database.transaction(Context()) as session:
        untried = select(Message.id).where(Message.status == "queued", Message.reason.is_(None))
        one = update(Message).where(Message.id == untried.limit(1).scalar_subquery())
        taking = one.values(claimed | until).returning(Message.id)
        identity: UUID = session.execute(taking).scalar_one()
        return identity


def taken_back(database: Database) -> int:
    with database.reading(Context()) as session:
        rows = session.execute(select(Message.id).where(Message.reason == "sender_lost")).all()
    return len(rows)


def break_connections(database: Database) -> None:
    with database.transaction(Context()) as session:
        session.execute(
            text(
                "select pg_terminate_backend(pid) from pg_stat_activity"
                " where application_name = 'sender' and datname = current_database()"
            )
        )


class TestTakingBack:
    def test_waits_until_the_database_has_answered_for_a_while(self, live, idle, monkeypatch):
        monkeypatch.setattr(sender, "_CALM_SECONDS", 2.0)
        wait_to_be_sent(live, 2)
        lose(live)
        began = time.monotonic()
        with running(idle):
            eventually(lambda: taken_back(live) == 1)
            assert time.monotonic() - began >= 2.0
            calm = began

            def broken() -> bool:
                # Before the look, so that what is counted from is no later than the trouble.
                nonlocal calm
                at = time.monotonic()
                if idle.trouble:
                    return True
                calm = at
                break_connections(live)
                return False

            eventually(broken, pause=0.01)
            lose(live)
            eventually(lambda: taken_back(live) == 2)
            assert time.monotonic() - calm >= 2.0


class TestJournals:
    def test_of_which_one_cannot_be_used_stop_neither_the_start_nor_the_rest(
        self, live, idle, monkeypatch
    ):
        monkeypatch.setattr(sender, "_CALM_SECONDS", 0.5)
        worker = new_id()
        wait_to_be_sent(live, 2)
        journal = idle._journal(worker)
        journal.end(lose(live, worker=worker, lease="1 hour"), Outcome("sent", None, ("\0",)))
        journal.leave()
        lose(live)
        with running(idle):
            eventually(lambda: taken_back(live) == 1)
            assert idle.trouble is None
