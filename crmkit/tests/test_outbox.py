"""Announcing: one row for each event, in the order in which they were emitted."""

import contextlib
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from contracts import customers as contract
from crmkit.clock import now
from crmkit.context import Context
from crmkit.db import Database
from crmkit.ids import new_id
from crmkit.outbox import emit, gathering
from crmkit.tables import outbox
from crmkit.testing import rolled_back

pytestmark = pytest.mark.server


@pytest.fixture
def session(database_of: Callable[[str], Database]) -> Iterator[Session]:
    with rolled_back(database_of("customers")) as session:
        yield session


def customer() -> SimpleNamespace:
    return SimpleNamespace(id=new_id(), event_number=0)


def say(session: Session, about: SimpleNamespace, cause: str) -> Any:
    facts = {"customer_id": about.id, "from_stage": "a", "to_stage": "b", "cause": cause}
    return emit(session, contract.CustomerLifecycleChanged, about, facts)


def written(session: Session) -> list[tuple[str, int]]:
    rows = session.execute(select(outbox).order_by(outbox.c.id))
    return [(row.payload["cause"], row.aggregate_version) for row in rows]


class TestEmit:
    def test_keeps_what_happened_with_its_context(self, session: Session) -> None:
        session.info["context"] = Context(request_id="r1", causation_id="c1")
        someone, before = customer(), now()
        event_id = say(session, someone, '주문 \\ "1" %(s)s')
        row = session.execute(select(outbox)).one()
        assert (row.event_id, row.aggregate_id) == (event_id, someone.id)
        assert row.type == contract.CustomerLifecycleChanged.type
        assert row.payload["cause"] == '주문 \\ "1" %(s)s'
        assert (row.context["request_id"], row.context["causation_id"]) == ("r1", "c1")
        assert (row.context["initiator"], row.context["traceparent"]) == ("system", None)
        assert before <= row.created_at <= now()
        assert row.next_at is not None

    def test_refuses_facts_that_do_not_fit(self, session: Session) -> None:
        with pytest.raises(ValueError, match="does not fit its contract"):
            emit(session, contract.CustomerLifecycleChanged, customer(), {"cause": "none"})


class TestGathering:
    def test_announces_all_at_its_end_in_their_order(self, session: Session) -> None:
        one, other = customer(), customer()
        with gathering(session):
            say(session, one, "first")
            say(session, other, "second")
            say(session, one, "third")
            assert written(session) == []
        say(session, one, "fourth")
        assert written(session) == [("first", 1), ("second", 1), ("third", 2), ("fourth", 3)]

    def test_within_another_leaves_all_to_that(self, session: Session) -> None:
        with gathering(session):
            with gathering(session):
                say(session, customer(), "inner")
            assert written(session) == []
            say(session, customer(), "outer")
        assert written(session) == [("inner", 1), ("outer", 1)]

    def test_tells_under_which_context_each_was_emitted(self, session: Session) -> None:
        with gathering(session):
            for request_id in ("r1", "r2"):
                session.info["context"] = Context(request_id=request_id)
                say(session, customer(), "one")
        rows = session.scalars(select(outbox.c.context).order_by(outbox.c.id))
        assert [context["request_id"] for context in rows] == ["r1", "r2"]

    def test_may_find_nothing_to_announce(self, session: Session) -> None:
        with gathering(session):
            pass
        assert written(session) == []

    def test_forgets_what_was_emitted_before_it_failed(self, session: Session) -> None:
        with contextlib.suppress(KeyError), gathering(session):
            say(session, customer(), "lost")
            raise KeyError
        say(session, customer(), "kept")
        assert written(session) == [("kept", 1)]
