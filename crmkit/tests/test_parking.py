"""What is parked: found under one id, replayed once, given up with a reason."""

import uuid
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import Table, insert, select, text
from sqlalchemy.orm import Session

from contracts import gateway
from crmkit import codec, db, metrics, pages, parker, parking
from crmkit.clock import now
from crmkit.errors import Conflict, NotFound
from crmkit.ids import new_id
from crmkit.messages import load
from crmkit.tables import inbox, outbox, parked_message, timer

OWNER, HANDLER = "gateway", "gateway.on_something"


def team_created(event_id: UUID) -> dict[str, Any]:
    """An event of the gateway's as it travels."""
    return {
        "specversion": "1.0",
        "id": str(event_id),
        "source": "/crm/gateway",
        "type": gateway.teams.TeamCreated.type,
        "subject": f"team/{event_id}",
        "time": "2026-11-22T00:00:00Z",
        "aggregateversion": 3,
        "correlationid": "a request",
        "data": codec.loads(codec.dumps(facts())),
    }


def facts() -> dict[str, Any]:
    return dict(gateway.teams.TeamCreated.example) | {"added": "later"}


def keep_event(session: Session, status: str = "parked") -> UUID:
    event_id = new_id()
    row = {"consumer": HANDLER, "event_id": event_id, "status": status, "attempts": 8}
    body = team_created(event_id)
    session.execute(insert(inbox).values(**row, error="not_found: No.", body=body))
    return event_id


def keep_timer(session: Session, attempts: int = 10) -> None:
    row = {"kind": "ring", "key": "k", "due_at": now(), "attempts": attempts, "error": "E: no"}
    session.execute(insert(timer).values(row))


def keep_message(session: Session, body: bytes, *, consumer: str | None = HANDLER) -> UUID:
    queue = f"evt-gateway-{gateway.teams.TeamCreated.routing_key}--{consumer}" if consumer else ""
    found = parker.Found(
        queue, consumer, OWNER, gateway.teams.TeamCreated.routing_key, OWNER, "rejected", body
    )
    session.execute(insert(parked_message).values(found.row))
    return UUID(str(found.row["id"]))


def listed(session: Session, **asked: Any) -> list[dict[str, Any]]:
    page = parking.list_parked(session, owner=OWNER, **load(parking.ListParked, asked))
    items: list[dict[str, Any]] = page["items"]
    return items


def rows(session: Session, table: Table) -> list[Any]:
    return list(session.execute(select(table)))


class TestList:
    def test_shows_all_kinds_and_nothing_that_still_goes_on(self, session: Session) -> None:
        keep_event(session)
        keep_event(session, "failed")
        keep_event(session, "done")
        keep_timer(session)
        keep_message(session, b"nonsense")
        keep_message(session, b"[]", consumer=None)
        assert sorted(item["kind"] for item in listed(session)) == sorted(parking.KINDS)

    def test_leaves_a_timer_out_that_will_be_tried_again(self, session: Session) -> None:
        keep_timer(session, attempts=9)
        assert listed(session) == []

    def test_filters_and_pages(self, session: Session) -> None:
        ids = {keep_event(session) for _ in range(5)}
        keep_timer(session)
        events = {"filter": {"kind": "event"}, "limit": 2}
        found: list[UUID] = []
        asked: dict[str, Any] = load(parking.ListParked, events)
        while True:
            page = parking.list_parked(session, owner=OWNER, **asked)
            found += [item["event_id"] for item in page["items"]]
            asked["cursor"] = page["page"]["next"]
            if asked["cursor"] is None:
                break
        assert (len(found), set(found)) == (5, ids)

    def test_fits_its_contract(self, session: Session) -> None:
        keep_event(session)
        keep_timer(session)
        page = parking.list_parked(session, owner=OWNER, **load(parking.ListParked, {}))
        assert not gateway.views.ListParked.reply().validate(codec.loads(codec.dumps(page)))

    def test_is_counted_for_the_metric(self, session: Session) -> None:
        keep_event(session)
        keep_event(session)
        keep_timer(session)
        counted = dict(session.execute(text(parker._spelt_out(OWNER).decode())).all())  # type: ignore[arg-type]
        assert counted == {"event": 2, "timer": 1}
        metrics.parked(OWNER, parking.KINDS, counted)
        page = metrics.page().decode()
        assert 'crm_parked{kind="event",owner="gateway"} 2.0' in page
        assert 'crm_parked{kind="message",owner="gateway"} 0.0' in page


class TestMerging:
    def test_puts_pages_of_several_owners_into_one_order(self, session: Session) -> None:
        for _ in range(4):
            keep_event(session)
        both: list[Any] = []
        asked = load(parking.ListParked, {"limit": 3, "count": "exact"})
        while True:
            parts = [
                codec.loads(codec.dumps(parking.list_parked(session, owner=owner, **asked)))
                for owner in ("gateway", "sales")
            ]
            page = pages.merged(gateway.views.ListParked, asked, parts)
            assert page["page"]["count"] == 8
            both += [(item["id"], item["owner"]) for item in page["items"]]
            asked["cursor"] = page["page"]["next"]
            if asked["cursor"] is None:
                break
        # The same rows under two names: each comes from both.
        assert sorted({owner for _, owner in both}) == ["gateway", "sales"]


class TestReplay:
    def test_begins_an_event_anew_under_its_id(self, session: Session) -> None:
        event_id = keep_event(session)
        (item,) = listed(session)
        parking.replay_parked(session, owner=OWNER, parked_id=item["id"])
        (row,) = rows(session, inbox)
        assert (row.event_id, row.status, row.attempts) == (event_id, "failed", 0)

    def test_of_what_is_not_parked_any_more_is_not_found(self, session: Session) -> None:
        keep_event(session)
        (item,) = listed(session)
        parking.replay_parked(session, owner=OWNER, parked_id=item["id"])
        with pytest.raises(NotFound):
            parking.replay_parked(session, owner=OWNER, parked_id=item["id"])
        parking.replay(session, item)
        assert [row.status for row in rows(session, inbox)] == ["failed"]

    def test_makes_a_timer_due(self, session: Session) -> None:
        keep_timer(session)
        (item,) = listed(session)
        parking.replay_parked(session, owner=OWNER, parked_id=item["id"])
        (row,) = rows(session, timer)
        assert (row.attempts, row.key) == (0, "k")

    def test_gives_a_message_to_its_handlers_inbox(self, session: Session) -> None:
        event_id = new_id()
        parked_id = keep_message(session, codec.dumps(team_created(event_id)))
        parking.replay_parked(session, owner=OWNER, parked_id=parked_id)
        (row,) = rows(session, inbox)
        assert (row.consumer, row.event_id, row.status) == (HANDLER, event_id, "failed")
        assert row.body["data"]["added"] == "later"
        assert listed(session) == []

    def test_of_a_message_does_nothing_to_an_event_that_was_handled(self, session: Session) -> None:
        event_id = keep_event(session, "done")
        parked_id = keep_message(session, codec.dumps(team_created(event_id)))
        parking.replay_parked(session, owner=OWNER, parked_id=parked_id)
        assert [row.status for row in rows(session, inbox)] == ["done"]

    def test_of_what_cannot_be_read_is_refused_and_leaves_it(self, session: Session) -> None:
        parked_id = keep_message(session, b"nonsense")
        with pytest.raises(Conflict, match="not_replayable"), session.begin_nested():
            parking.replay_parked(session, owner=OWNER, parked_id=parked_id)
        assert [item["id"] for item in listed(session)] == [parked_id]

    @pytest.mark.parametrize("consumer", [None, "erp"])
    def test_announces_again_what_was_for_nobody_of_ours(
        self, session: Session, consumer: str | None
    ) -> None:
        event_id = new_id()
        body = codec.dumps(team_created(event_id))
        for again in range(2):
            parked_id = keep_message(session, body, consumer=consumer)
            parking.replay_parked(session, owner=OWNER, parked_id=parked_id)
            (row,) = session.execute(select(outbox).where(outbox.c.event_id == event_id))
            assert (row.published_at, row.aggregate_version) == (None, 3), again
            assert row.context["request_id"] == "a request"
            session.execute(text("update outbox set published_at = now()"))


class TestDiscard:
    def test_keeps_an_event_with_the_reason(self, session: Session) -> None:
        keep_event(session)
        (item,) = listed(session)
        parking.discard_parked(session, owner=OWNER, parked_id=item["id"], reason="erased")
        (row,) = rows(session, inbox)
        assert (row.status, row.error) == ("discarded", "not_found: No. | discarded: erased")
        assert listed(session) == []

    def test_keeps_a_message_with_the_reason(self, session: Session) -> None:
        parked_id = keep_message(session, b"nonsense")
        parking.discard_parked(session, owner=OWNER, parked_id=parked_id, reason="test")
        (row,) = rows(session, parked_message)
        assert row.status == "discarded"
        assert row.error.endswith("| discarded: test")

    def test_keeps_for_a_month_what_came_long_ago(self, session: Session) -> None:
        keep_event(session)
        keep_message(session, b"nonsense")
        session.execute(text("update inbox set received_at = now() - interval '40 days'"))
        session.execute(text("update parked_message set parked_at = now() - interval '40 days'"))
        for item in listed(session):
            parking.discard_parked(session, owner=OWNER, parked_id=item["id"], reason="test")
        db._purge(session)
        left = rows(session, inbox) + rows(session, parked_message)
        assert [row.status for row in left] == ["discarded", "discarded"]

    def test_deletes_a_timer(self, session: Session) -> None:
        keep_timer(session)
        (item,) = listed(session)
        parking.discard_parked(session, owner=OWNER, parked_id=item["id"], reason="test")
        assert rows(session, timer) == []


class TestFind:
    def test_takes_the_id_of_an_event_for_all_its_handlers(self, session: Session) -> None:
        event_id = keep_event(session)
        row = {"consumer": "gateway.on_another", "event_id": event_id, "status": "parked"}
        session.execute(insert(inbox).values(row))
        assert len(parking.find(session, OWNER, event_id)) == 2
        assert parking.find(session, OWNER, uuid.uuid4()) == []

    def test_shows_what_came(self, session: Session) -> None:
        keep_message(session, b"\xff\x00nonsense")
        (item,) = listed(session)
        assert parking.body(session, item) == "\\xff\x00nonsense"
