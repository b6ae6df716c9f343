"""The database layer: scope, versions, and doing commands and events exactly once."""

import contextlib
import threading
from dataclasses import replace
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session

from contracts import customers as contract
from crmkit import codec, inbox
from crmkit.context import NOBODY, Context
from crmkit.db import Database, Encoded, Together, purge
from crmkit.errors import Conflict, Forbidden, Invalid, NotFound, Unavailable
from crmkit.ids import new_id
from crmkit.messages import Envelope
from crmkit.testing import envelope, staff
from crmkit.timers import DUE, Timer, cancel_timer, set_timer

pytestmark = pytest.mark.server


def asking(key: str | None, fingerprint: str = "f") -> Context:
    return Context(actor=staff(), command_id=key, fingerprint=fingerprint)


def fact() -> Envelope:
    facts = {"customer_id": new_id(), "from_stage": "a", "to_stage": "b", "cause": "c"}
    return envelope(contract.CustomerLifecycleChanged, facts)


def count(session: Session, table: str) -> int:
    return int(session.execute(text(f"select count(*) from {table}")).scalar_one())


class TestRun:
    def test_does_a_command_once_and_answers_the_same(self, database: Database) -> None:
        calls: list[int] = []

        def use_case(session: Session) -> dict[str, Any]:
            calls.append(1)
            return {"id": new_id(), "version": 1}

        first = database.within(asking("key")).run(use_case)
        second = database.within(asking("key")).run(use_case)
        assert len(calls) == 1
        assert (second.body, second.version, second.replayed) == (first.body, 1, True)

    def test_refuses_the_same_key_for_another_request(self, database: Database) -> None:
        database.within(asking("key")).run(lambda session: {})
        with pytest.raises(Invalid, match="idempotency_key_reused"):
            database.within(asking("key", "other")).run(lambda session: {})

    def test_says_so_while_the_first_ask_still_runs(self, database: Database) -> None:
        inside, go_on = threading.Event(), threading.Event()

        def slow(session: Session) -> dict[str, Any]:
            inside.set()
            go_on.wait(60)
            return {}

        first = threading.Thread(target=database.within(asking("key")).run, args=(slow,))
        first.start()
        inside.wait(60)
        with pytest.raises(Conflict, match="idempotency_key_in_use"):
            database.within(asking("key")).run(slow)
        go_on.set()
        first.join()

    def test_a_refused_command_leaves_nothing_and_may_be_asked_again(
        self, database: Database
    ) -> None:
        def refuse(session: Session) -> None:
            set_timer(session, "kind", "key", fact().time)
            raise Conflict("no", "No.")

        with pytest.raises(Conflict, match="no"):
            database.within(asking("key")).run(refuse)
        again = database.within(asking("key"))
        answer = again.run(lambda session: {"timers": count(session, "timer")})
        assert isinstance(answer, Encoded)
        assert codec.loads(answer.body) == {"timers": 0}

    def test_fifty_asks_at_once_have_one_effect(self, database: Database) -> None:
        done: list[UUID] = []

        def use_case(session: Session) -> dict[str, Any]:
            done.append(new_id())
            set_timer(session, "kind", str(done[-1]), fact().time)
            return {}

        def ask() -> None:
            with contextlib.suppress(Conflict, Unavailable):
                database.within(asking("one")).run(use_case)

        threads = [threading.Thread(target=ask) for _ in range(50)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        with database.reading(Context()) as session:
            assert count(session, "timer") == 1

    def test_does_nothing_for_somebody_nobody_vouches_for(self, database: Database) -> None:
        with pytest.raises(Forbidden):
            database.within(Context(actor=NOBODY)).run(lambda session: {})


class TestOnce:
    def handled(self, database: Database, event: Envelope, use_case: Any) -> bool:
        work = database.within(event.context)
        work.consumer = "customers.on_fact"
        return work.once(event, use_case)

    def test_handles_an_event_once(self, database: Database) -> None:
        event, calls = fact(), []
        assert self.handled(database, event, lambda session, event: calls.append(event))
        assert not self.handled(database, event, lambda session, event: calls.append(event))
        assert len(calls) == 1

    def test_an_effect_and_its_note_stand_or_fall_together(self, database: Database) -> None:
        event = fact()

        def fail(session: Session, event: Envelope) -> None:
            set_timer(session, "kind", "key", event.time)
            raise NotFound("early", "Not here yet.")

        with pytest.raises(NotFound):
            self.handled(database, event, fail)
        with database.reading(Context()) as session:
            assert (count(session, "timer"), count(session, "inbox")) == (0, 0)

    def test_a_kept_event_is_a_duplicate_until_its_retry(self, database: Database) -> None:
        event = fact()
        with database.transaction(Context()) as session:
            inbox.note_failure(
                session,
                inbox.Note("customers.on_fact", event.id),
                body={"type": event.type},
                error=NotFound("early", "Not here yet."),
                attempts=1,
            )
        assert not self.handled(database, event, lambda session, event: None)
        work = database.within(event.context)
        work.consumer, work.retrying = "customers.on_fact", True
        assert work.once(event, lambda session, event: None)
        assert not work.once(event, lambda session, event: None)


class TestTogether:
    def test_handles_several_in_one_transaction_each_once(self, database: Database) -> None:
        events, calls = [fact(), fact()], []
        assert self.handled(database, events, calls.append) == 2
        assert calls == events
        assert self.handled(database, [events[1], events[1], fact()], calls.append) == 1

    def test_one_that_fails_leaves_nothing_of_the_others(self, database: Database) -> None:
        first, second = fact(), fact()

        def fail(event: Envelope) -> None:
            if event is second:
                raise NotFound("early", "Not here yet.")

        with pytest.raises(NotFound):
            self.handled(database, [first, second], fail)
        with database.reading(Context()) as session:
            assert (count(session, "timer"), count(session, "inbox")) == (0, 0)

    def test_each_is_handled_in_a_context_of_its_own(self, database: Database) -> None:
        events, causes = [fact(), fact()], []
        work = Together(database)
        with work.transaction([inbox.Note("c", event.id) for event in events]):
            for event in events:
                work.once(event, lambda s, e: causes.append(s.info["context"].causation_id))
        assert causes == [str(event.id) for event in events]

    def handled(self, database: Database, events: list[Envelope], call: Any) -> int:
        """How many of them were handled, each setting a timer and then calling."""

        def use_case(session: Session, event: Envelope) -> None:
            set_timer(session, "kind", str(event.id), event.time)
            call(event)

        work, done = Together(database), 0
        with work.transaction([inbox.Note("c", event.id) for event in events]) as new:
            for event in events:
                if inbox.Note("c", event.id) in new:
                    new.remove(inbox.Note("c", event.id))
                    done += work.once(event, use_case)
        return done


class TestClaim:
    def claim(self, database: Database) -> Any:
        with database.transaction(Context()) as session:
            row = inbox.claim(session)
            # It is nobody else's for seconds, and none pass within a transaction.
            assert inbox.claim(session) is None
            return row

    def make_due(self, database: Database) -> None:
        with database.transaction(Context()) as session:
            session.execute(text("update inbox set next_at = now()"))

    def test_parks_what_began_three_times_and_never_told_of_its_end(
        self, database: Database
    ) -> None:
        note = inbox.Note("c", new_id())
        with database.transaction(Context()) as session:
            inbox.set_aside(session, note, {"type": "a"})
        for attempt in (2, 3):
            row = self.claim(database)
            assert (row.event_id, row.status, row.attempts) == (note.event_id, "failed", attempt)
            self.make_due(database)
        assert self.claim(database).status == "parked"
        self.make_due(database)
        assert self.claim(database) is None

    def test_a_failure_that_was_told_of_is_no_death(self, database: Database) -> None:
        note = inbox.Note("c", new_id())
        for attempt in range(1, 6):
            with database.transaction(Context()) as session:
                failure = {"body": {"type": "a"}, "error": Unavailable("x", "X.")}
                inbox.note_failure(session, note, **failure, attempts=attempt)
            self.make_due(database)
            row = self.claim(database)
            assert (row.status, row.attempts) == ("failed", attempt + 1)

    def test_failures_that_were_told_of_before_count_as_no_deaths(self, database: Database) -> None:
        note = inbox.Note("c", new_id())
        for attempt in (1, 2, 3):
            with database.transaction(Context()) as session:
                failure = {"body": {"type": "a"}, "error": Unavailable("x", "X.")}
                inbox.note_failure(session, note, **failure, attempts=attempt)
        for status in ("failed", "failed", "failed", "parked"):
            self.make_due(database)
            assert self.claim(database).status == status
        with database.transaction(Context()) as session:
            session.execute(text("update inbox set status = 'failed', attempts = 0"))
        self.make_due(database)
        assert self.claim(database).status == "failed"

    def test_what_was_handled_is_not_set_aside(self, database: Database) -> None:
        event = fact()
        work = database.within(event.context)
        work.consumer = "c"
        assert work.once(event, lambda session, event: None)
        with database.transaction(Context()) as session:
            inbox.set_aside(session, inbox.Note("c", event.id), {"type": event.type})
        assert self.claim(database) is None


class TestKeepingFailures:
    @pytest.mark.parametrize(
        ("error", "attempts", "status"),
        [
            (Invalid("x", "X."), 1, "parked"),
            (NotFound("x", "X."), 7, "failed"),
            (NotFound("x", "X."), 8, "parked"),
            (Unavailable("x", "X."), 9, "failed"),
            (Unavailable("x", "X."), 10, "parked"),
            (KeyError("bug"), 2, "failed"),
            (KeyError("bug"), 3, "parked"),
        ],
    )
    def test_parks_when_patience_ends(
        self, database: Database, error: Exception, attempts: int, status: str
    ) -> None:
        with database.transaction(Context()) as session:
            kept = inbox.note_failure(
                session, inbox.Note("c", new_id()), body={}, error=error, attempts=attempts
            )
        assert kept == status


class TestTimers:
    def due(self, database: Database) -> list[Timer]:
        with database.reading(Context()) as session:
            return [Timer(*row) for row in session.execute(DUE, {"kinds": ["kind"]})]

    def test_whoever_takes_it_first_has_it(self, database: Database) -> None:
        with database.transaction(Context()) as session:
            set_timer(session, "kind", "key", fact().time, {"a": 1})
        (timer,) = self.due(database)
        fired: list[Timer] = []
        work = database.within(Context())
        assert work.fire(timer, lambda session, timer: fired.append(timer))
        assert not work.fire(timer, lambda session, timer: fired.append(timer))
        assert [t.payload for t in fired] == [{"a": 1}]

    def test_comes_back_when_its_effect_fails(self, database: Database) -> None:
        with database.transaction(Context()) as session:
            set_timer(session, "kind", "key", fact().time)
        (timer,) = self.due(database)

        def fail(session: Session, timer: Timer) -> None:
            raise Conflict("no", "No.")

        with pytest.raises(Conflict):
            database.within(Context()).fire(timer, fail)
        assert len(self.due(database)) == 1

    def test_a_cancelled_one_is_gone(self, database: Database) -> None:
        with database.transaction(Context()) as session:
            set_timer(session, "kind", "key", fact().time)
            cancel_timer(session, "kind", "key")
        assert self.due(database) == []


class TestTrouble:
    def test_a_lost_connection_is_replaced_without_the_caller_noticing(
        self, database: Database
    ) -> None:
        with database.engine.connect() as connection:
            connection.execute(
                text(
                    "select pg_terminate_backend(pid) from pg_stat_activity"
                    " where usename = current_user and pid <> pg_backend_pid()"
                )
            )
        answer = database.within(asking(None)).run(lambda session: count(session, "outbox"))
        assert answer == 0

    def test_an_id_that_is_taken_is_a_conflict(self, database: Database) -> None:
        def twice(session: Session) -> None:
            for _ in range(2):
                session.execute(text("insert into command (id, result) values ('same', 'null')"))

        with pytest.raises(Conflict, match="already_exists"):
            database.within(replace(asking(None))).run(twice)


class TestDeadline:
    def test_nothing_is_done_for_somebody_who_has_stopped_waiting(self, database: Database) -> None:
        late = replace(asking("late"), deadline=1)
        with pytest.raises(Unavailable, match="deadline_passed"):
            database.within(late).run(lambda session: {})


class TestPurge:
    def test_deletes_old_rows_and_leaves_the_rest(self, database: Database) -> None:
        with database.transaction(Context()) as session:
            session.execute(
                text(
                    "insert into command (id, result, created_at) select 'old' || n, 'null',"
                    " now() - interval '8 days' from generate_series(1, 6000) n"
                )
            )
            session.execute(text("insert into command (id, result) values ('new', 'null')"))
        purge(database)
        with database.reading(Context()) as session:
            assert count(session, "command") == 1
