"""What a service does about timers that fail and events that cannot be written."""

import contextlib
from collections.abc import Callable
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session

from crmkit import inbox
from crmkit.clock import now
from crmkit.context import Context
from crmkit.db import Database
from crmkit.entrypoints import subscriptions
from crmkit.entrypoints.subscriptions import Arrival, Intake
from crmkit.entrypoints.timers import DueTimers
from crmkit.ids import new_id
from crmkit.timers import DUE, POSTPONE, Timer, set_timer

pytestmark = pytest.mark.server


@pytest.fixture
def intake(database: Database, monkeypatch: pytest.MonkeyPatch) -> Intake:
    """The intake of a service with that database and little patience."""
    monkeypatch.setattr(subscriptions, "_FIRST_PAUSE_SECONDS", 0.01)
    monkeypatch.setattr(subscriptions, "_LONGEST_PAUSE_SECONDS", 0.01)
    intake = Intake()
    intake.container = SimpleNamespace(database=database)
    return intake


def keep(session: Session, body: Any) -> None:
    inbox.set_aside(session, inbox.Note("c", new_id()), body)


def failing(words: str) -> Callable[..., Any]:
    """Fires a timer whose handler raises a ValueError of these words."""
    return lambda _timer, done: done(None, None, (ValueError, ValueError(words), None))


class TestDueTimers:
    def taken(self, database: Database) -> Timer:
        """A timer that is due, as a replica that fires it has it."""
        with database.transaction(Context()) as session:
            set_timer(session, "kind", "key", now() - timedelta(seconds=1))
        with database.reading(Context()) as session:
            (row,) = session.execute(DUE, {"kinds": ["kind"]})
        return Timer(*row)

    def replica(self, database: Database, fire: Callable[..., Any]) -> DueTimers:
        replica = DueTimers()
        replica.container = SimpleNamespace(database=database)
        replica._by_kind = {"kind": SimpleNamespace(fire=fire)}
        return replica

    def fail(self, database: Database, timer: Timer, words: str = "bug") -> None:
        replica = self.replica(database, failing(words))
        replica._do(timer, POSTPONE)

    def row(self, database: Database) -> Any:
        with database.reading(Context()) as session:
            return session.execute(text("select due_at, attempts, error from timer")).one()

    def test_a_failure_leaves_a_timer_alone_that_was_moved_meanwhile(
        self, database: Database
    ) -> None:
        timer, next_week = self.taken(database), now() + timedelta(days=7)
        with database.transaction(Context()) as session:
            set_timer(session, "kind", "key", next_week)
        self.fail(database, timer)
        assert tuple(self.row(database)) == (next_week, 0, None)

    def test_what_failed_in_two_replicas_has_failed_once(self, database: Database) -> None:
        timer = self.taken(database)
        for _ in range(2):
            self.fail(database, timer)
        assert self.row(database).attempts == 1

    def test_words_that_cannot_be_stored_count_like_others(self, database: Database) -> None:
        self.fail(database, self.taken(database), "\0")
        assert self.row(database).attempts == 1

    def test_what_is_due_at_the_start_has_failed_until_it_is_done(self, database: Database) -> None:
        self.taken(database)
        counted: list[int] = []

        def die(_timer: Timer, _done: Callable[..., Any]) -> None:
            counted.append(self.row(database).attempts)
            raise KeyboardInterrupt  # As far as the row can tell, the process ends here.

        for _ in range(2):
            with contextlib.suppress(KeyboardInterrupt):
                self.replica(database, die)._look()
            with database.transaction(Context()) as session:
                session.execute(text("update timer set due_at = now()"))
        assert counted == [1, 2]
        assert self.row(database).error == "The process ended while it did this."

    @pytest.mark.parametrize("before", [0, 3])
    def test_what_was_counted_before_it_failed_is_not_counted_again(
        self, database: Database, before: int
    ) -> None:
        self.taken(database)
        with database.transaction(Context()) as session:
            session.execute(text("update timer set attempts = :before"), {"before": before})
        replica = self.replica(database, failing("bug"))
        replica._looked = before > 0
        assert replica._look() == 1
        assert (self.row(database).attempts, self.row(database).error) == (
            before + 1,
            "ValueError: bug",
        )

    def test_what_falls_due_later_is_counted_when_it_has_failed(self, database: Database) -> None:
        counted: list[int] = []

        def fire(timer: Timer, done: Callable[..., Any]) -> None:
            counted.append(self.row(database).attempts)
            failing("bug")(timer, done)

        replica = self.replica(database, fire)
        assert replica._look() == 0
        self.taken(database)
        assert replica._look() == 1
        assert (counted, self.row(database).attempts) == ([0], 1)


class TestIntake:
    def test_waits_for_a_database_that_answers_and_takes_nothing(self, intake: Intake) -> None:
        tries: list[int] = []

        def write(session: Session) -> None:
            tries.append(1)
            if len(tries) < 8:
                session.execute(text("set transaction read only"))  # As a standby is.
            keep(session, {})

        assert intake._written(write) == "ack"
        assert len(tries) == 8

    @pytest.mark.parametrize(
        "write",
        [
            lambda session: keep(session, {"words": "\0"}),
            lambda session: keep(session, {"thing": object()}),
            lambda session: session.execute(
                text("select cast(:deep as jsonb)"), {"deep": "[" * 100_000}
            ),
        ],
        ids=["refused", "no JSON", "too deep"],
    )
    def test_does_not_wait_for_what_no_database_would_take(
        self, intake: Intake, write: Callable[[Session], None]
    ) -> None:
        intake._stopping = True  # What it would wait for it gives back.
        assert intake._written(write) == "reject"

    def test_an_event_that_cannot_be_written_takes_no_other_with_it(self, intake: Intake) -> None:
        verdicts: list[str] = []
        arrivals = [
            Arrival(
                SimpleNamespace(consumer_name="c"),  # type: ignore[arg-type]
                SimpleNamespace(id=new_id()),  # type: ignore[arg-type]
                body,
                SimpleNamespace(delivery_info={"redelivered": True}, finish=verdicts.append),
            )
            for body in ({"words": "\0"}, {"words": "fine"})
        ]
        intake._handle(arrivals)
        assert verdicts == ["reject", "ack"]
