"""What nobody could do, in one owner's database: to list, replay or give up.

Four kinds: events whose handler gave up (rows of the inbox), messages that no handler could read or
that killed it, messages that were for nobody, and timers that failed ten times.
"""

import logging
from functools import cache
from typing import Any, ClassVar
from uuid import UUID

from marshmallow import fields, validate
from sqlalchemy import (
    ColumnElement,
    Integer,
    Select,
    Subquery,
    Text,
    Uuid,
    case,
    cast,
    delete,
    func,
    literal,
    literal_column,
    null,
    or_,
    select,
    text,
    union_all,
    update,
)
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from crmkit import catalog, codec, pages, topology
from crmkit.db import select_named
from crmkit.errors import Conflict, Invalid, NotFound
from crmkit.messages import Command, Envelope, Event, Reply, open_received
from crmkit.tables import inbox, outbox, parked_message, timer
from crmkit.timers import MOST_ATTEMPTS

log = logging.getLogger(__name__)

KINDS = ("event", "message", "unrouted", "timer")
_ID = "0199c1f2-7c1e-7d1a-9d0e-6f0f8f7b2a11"


class ParkedItem(Reply):
    """Something parked. ``handler`` is who should have done it, null when it was for nobody.

    ``at`` is when it first came, of a timer when it last failed. ``event_id``, ``type`` and
    ``subject`` are null where a message does not tell them.
    """

    id = fields.UUID(required=True)
    owner_ = fields.String(required=True, data_key="owner")
    kind = fields.String(required=True, validate=validate.OneOf(KINDS))
    handler = fields.String(required=True, allow_none=True)
    type = fields.String(required=True, allow_none=True)
    subject = fields.String(required=True, allow_none=True)
    event_id = fields.UUID(required=True, allow_none=True)
    attempts = fields.Integer(required=True)
    error = fields.String(required=True, allow_none=True)
    at = fields.AwareDateTime(required=True, format="iso")

    example: ClassVar[dict[str, Any]] = {
        "id": _ID,
        "owner": "customers",
        "kind": "event",
        "handler": "customers.on_order_submitted",
        "type": "crm.sales.order.submitted.v1",
        "subject": f"order/{_ID}",
        "event_id": _ID,
        "attempts": 8,
        "error": "customer_not_found: There is no such customer.",
        "at": "2026-11-22T03:04:05.678Z",
    }


class ListParked(pages.ListQuery):
    """What is parked, oldest last."""

    reply = pages.page_of(ParkedItem)
    filters = {
        "id": fields.UUID(),
        "owner": fields.String(),
        "kind": fields.String(validate=validate.OneOf(KINDS)),
        "handler": fields.String(),
        "type": fields.String(),
        "subject": fields.String(),
        "event_id": fields.UUID(),
        "at": fields.AwareDateTime(format="iso"),
    }
    sorts = ("at",)
    default_sort = "-at"


class ParkedDone(Reply):
    """What was done with something parked."""

    id = fields.UUID(required=True)
    kind = fields.String(required=True, validate=validate.OneOf(KINDS))
    status = fields.String(required=True, validate=validate.OneOf(("replayed", "discarded")))

    example: ClassVar[dict[str, Any]] = {"id": _ID, "kind": "event", "status": "replayed"}


class ReplayParked(Command):
    """Have something parked tried again from the start, under the same event id."""

    reply = ParkedDone
    parked_id = fields.UUID(required=True)


class DiscardParked(Command):
    """Give something parked up for good, with the reason."""

    reply = ParkedDone
    parked_id = fields.UUID(required=True)
    reason = fields.String(required=True, validate=validate.Length(3, 500))


@cache
def command_of(owner: str, contract: type[Command]) -> type[Command]:
    """One of the commands above as it is sent to an owner: every service answers them."""
    return type(contract.__name__, (contract,), {"owner": owner})


# Ids. Rows of the inbox and timers have none of their own that could stand in an address.

_PARKED: ColumnElement[str] = literal_column("'parked'")
# Spelt out for the planner: with a parameter it would not take the index over so few rows.
_DEAD = timer.c.attempts >= literal_column(str(MOST_ATTEMPTS))


def _event_key() -> ColumnElement[UUID]:
    return cast(func.md5(func.concat(inbox.c.consumer, " ", inbox.c.event_id)), Uuid)


def _timer_key(owner: str) -> ColumnElement[UUID]:
    return cast(func.md5(func.concat(cast(owner, Text), " timer ", timer.c.id)), Uuid)


def _all(owner: str) -> Subquery:
    events = select(
        _event_key().label("id"),
        cast(literal("event"), Text).label("kind"),
        inbox.c.consumer.label("handler"),
        inbox.c.body["type"].astext.label("type"),
        inbox.c.body["subject"].astext.label("subject"),
        inbox.c.event_id,
        cast(inbox.c.attempts, Integer).label("attempts"),
        inbox.c.error,
        inbox.c.received_at.label("at"),
    ).where(inbox.c.status == _PARKED)
    messages = select(
        parked_message.c.id,
        case((parked_message.c.consumer.is_(None), "unrouted"), else_="message"),
        parked_message.c.consumer,
        parked_message.c.type,
        parked_message.c.subject,
        parked_message.c.event_id,
        cast(0, Integer),
        parked_message.c.error,
        parked_message.c.parked_at,
    ).where(parked_message.c.status == _PARKED)
    timers = select(
        _timer_key(owner),
        cast(literal("timer"), Text),
        func.concat(cast(owner, Text), ".", timer.c.kind),
        cast(null(), Text),
        timer.c.key,
        cast(null(), Uuid),
        cast(timer.c.attempts, Integer),
        timer.c.error,
        func.coalesce(timer.c.failed_at, timer.c.due_at),
    ).where(_DEAD)
    return union_all(events, messages, timers).subquery("parked")


def _columns(owner: str) -> dict[str, ColumnElement[Any]]:
    found = _all(owner)
    columns: dict[str, ColumnElement[Any]] = {"id": found.c.id}
    columns["owner"] = cast(literal(owner), Text)
    columns |= {name: found.c[name] for name in found.c.keys() if name != "id"}  # noqa: SIM118
    return columns


def list_parked(session: Session, *, owner: str, **asked: Any) -> dict[str, Any]:
    """A page of what is parked in this owner's database, newest first."""
    columns = _columns(owner)
    return pages.page(session, select_named(columns), ListParked, columns, asked)


def counts(owner: str) -> Select[Any]:
    """The statement that counts what is parked, by kind."""
    found = _all(owner)
    return select(found.c.kind, func.count().label("count")).group_by(found.c.kind)


def find(session: Session, owner: str, identity: UUID) -> list[dict[str, Any]]:
    """What is parked under that id, or for the event of that id: one entry for each handler."""
    columns = _columns(owner)
    where = or_(columns["id"] == identity, columns["event_id"] == identity)
    rows = session.execute(select_named(columns).where(where)).mappings()
    return [dict(row) for row in rows]


def body(session: Session, item: dict[str, Any]) -> Any:
    """All of what came: the event, the raw message, or the timer's payload."""
    if item["kind"] == "event":
        return session.execute(select(inbox.c.body).where(_event_key() == item["id"])).scalar()
    if item["kind"] == "timer":
        key = _timer_key(item["owner"])
        return session.execute(select(timer.c.payload).where(key == item["id"])).scalar()
    raw = session.execute(
        select(parked_message.c.body).where(parked_message.c.id == item["id"])
    ).scalar()
    return bytes(raw or b"").decode("utf-8", "backslashreplace")


def replay_parked(session: Session, *, owner: str, parked_id: UUID) -> dict[str, Any]:
    """Have it tried again. NotFound if it is not parked, as when it was replayed a moment ago."""
    item = _one(session, owner, parked_id)
    replay(session, item)
    return {"id": item["id"], "kind": item["kind"], "status": "replayed"}


def discard_parked(session: Session, *, owner: str, parked_id: UUID, reason: str) -> dict[str, Any]:
    """Give it up. NotFound if it is not parked."""
    item = _one(session, owner, parked_id)
    discard(session, item, reason)
    return {"id": item["id"], "kind": item["kind"], "status": "discarded"}


def _one(session: Session, owner: str, parked_id: UUID) -> dict[str, Any]:
    for item in find(session, owner, parked_id):
        if item["id"] == parked_id:
            return item
    raise NotFound("not_parked", "Nothing is parked under that id.")


def replay(session: Session, item: dict[str, Any]) -> None:
    """Have one entry of ``find`` tried again; nothing happens if somebody else did meanwhile.

    Conflict ``not_replayable`` for a message that still cannot be read.
    """
    if item["kind"] == "event":
        again = {"status": "failed", "attempts": 0, "next_at": func.now()}
        mine = (_event_key() == item["id"], inbox.c.status == _PARKED)
        session.execute(update(inbox).where(*mine).values(again))
    elif item["kind"] == "timer":
        mine = (_timer_key(item["owner"]) == item["id"], _DEAD)
        session.execute(update(timer).where(*mine).values(attempts=0, due_at=func.now()))
    else:
        _replay_message(session, item["id"])


def discard(session: Session, item: dict[str, Any], reason: str) -> None:
    """Give one entry of ``find`` up. Events and messages stay for 30 days, with the reason."""
    log.warning("Given up.", extra={"parked": item, "reason": reason})
    if item["kind"] == "timer":
        session.execute(delete(timer).where(_timer_key(item["owner"]) == item["id"], _DEAD))
        return
    table, key, since = (
        (inbox, _event_key(), inbox.c.received_at)
        if item["kind"] == "event"
        else (parked_message, parked_message.c.id, parked_message.c.parked_at)
    )
    why = func.concat(table.c.error, " | discarded: ", cast(reason, Text))
    mine = (key == item["id"], table.c.status == _PARKED)
    # By that column the purge tells how long it has been there.
    gone = {"status": "discarded", "error": why, since.name: func.now()}
    session.execute(update(table).where(*mine).values(gone))


def _replay_message(session: Session, identity: UUID) -> None:
    """To its handler's inbox or, when that is not ours, to the outbox of whoever announced it."""
    # Deleted first, so that of two who replay it one finds nothing.
    row = session.execute(
        delete(parked_message)
        .where(parked_message.c.id == identity, parked_message.c.status == _PARKED)
        .returning(*parked_message.c)
    ).one_or_none()
    if row is None:
        return
    event = event_of(row.source, row.routing_key)
    if event is None:
        raise Conflict("not_replayable", "There is no such event.")
    try:
        envelope, received = open_received(event, row.sender, bytes(row.body))
    except Invalid as refusal:
        raise Conflict("not_replayable", f"It cannot be read: {refusal.message}") from None
    if row.consumer in {None, topology.ERP_USER}:
        # Whoever else had it knows its id.
        _announce_again(session, envelope, event, received)
        return
    again = {"consumer": row.consumer, "event_id": envelope.id, "status": "failed"}
    again |= {"next_at": func.now(), "error": row.error, "body": received}
    # Whoever had the event by another way has a note of it, and it counts no second time.
    session.execute(insert(inbox).values(again).on_conflict_do_nothing())


def _announce_again(
    session: Session, envelope: Envelope, event: type[Event], body: dict[str, Any]
) -> None:
    """Have the relay send it under its own id, from the outbox or, after a week, from the body."""
    row = {
        "event_id": envelope.id,
        "type": envelope.type,
        "aggregate_id": envelope.data[event.key],
        "aggregate_version": envelope.version,
        "payload": body["data"],
        "context": {
            "request_id": body.get("correlationid"),
            "causation_id": body.get("causationid"),
            "traceparent": body.get("traceparent"),
            "initiator": body.get("initiator", "system"),
        },
        "created_at": envelope.time,
    }
    session.execute(
        insert(outbox)
        .values(row)
        .on_conflict_do_update(
            index_elements=["event_id"],
            set_={"published_at": None, "attempts": 0, "next_at": text("now()")},
            where=outbox.c.published_at.is_not(None),
        )
    )


def event_of(source: str, routing_key: str) -> type[Event] | None:
    """The event that an owner announces under a routing key; None when there is no such event."""
    if source not in catalog.owners():
        return None
    return next((e for e in catalog.events(source) if e.routing_key == routing_key), None)


def told(raw: bytes) -> dict[str, Any]:
    """What a message says of itself, as far as it can be read: event_id, type, subject."""
    try:
        said = codec.loads(raw)
    except ValueError:
        said = None
    said = said if isinstance(said, dict) else {}
    words = {name: said.get(name) for name in ("type", "subject")}
    shown = {name: word[:200] if isinstance(word, str) else None for name, word in words.items()}
    try:
        return {"event_id": UUID(str(said.get("id"))), **shown}
    except ValueError:
        return {"event_id": None, **shown}
