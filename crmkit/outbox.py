"""Announcing events: a row in the same transaction as the change it tells of."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Protocol
from uuid import UUID

from sqlalchemy.orm import Session

from crmkit import codec, db
from crmkit.clock import now
from crmkit.ids import new_id
from crmkit.messages import Event, schema

_ANNOUNCE = (
    "insert into outbox (event_id, type, aggregate_id, aggregate_version, payload, context,"
    " created_at) select * from jsonb_to_recordset(%(rows)s::jsonb) as event (event_id uuid,"
    " type text, aggregate_id uuid, aggregate_version integer, payload jsonb, context jsonb,"
    " created_at timestamptz)"
)
_GATHERED = "gathered events"


class Announcing(Protocol):
    """A row that announces events; ``crmkit.db.Aggregate`` is one."""

    id: Any
    event_number: Any


def emit(session: Session, event: type[Event], about: Announcing, facts: Mapping[str, Any]) -> UUID:
    """Announce that something happened to ``about``; the id of the event.

    The aggregate's row is written first and its event number counted up, so that events of one
    aggregate leave in the order they happened. ValueError when the facts do not fit the contract.
    """
    about.event_number = (about.event_number or 0) + 1
    gathered: list[dict[str, Any]] | None = session.info.get(_GATHERED)
    if gathered is None:
        session.flush()
    payload = codec.loads(codec.dumps(facts))
    problems = schema(event).validate(payload)
    if problems:
        raise ValueError(f"{event.type} does not fit its contract: {problems}")
    context = db.context(session)
    event_id = new_id()
    row = {
        "event_id": event_id,
        "type": event.type,
        "aggregate_id": about.id,
        "aggregate_version": about.event_number,
        "payload": payload,
        "context": {
            "request_id": context.request_id,
            "causation_id": context.causation_id,
            "traceparent": context.traceparent,
            "initiator": context.actor.initiator,
        },
        "created_at": now(),
    }
    if gathered is None:
        _write(session, [row])
    else:
        gathered.append(row)
    return event_id


@contextmanager
def gathering(session: Session) -> Iterator[None]:
    """Announce what is emitted within at its end: all rows by one flush, all events by one insert.

    Until then a row keeps its version, and a new one must have been given its id. Without this,
    each event takes two statements. Within another one it leaves all to that.
    """
    if _GATHERED in session.info:
        yield
        return
    rows = session.info[_GATHERED] = []
    try:
        yield
    finally:
        del session.info[_GATHERED]
    session.flush()
    _write(session, rows)


def _write(session: Session, rows: list[dict[str, Any]]) -> None:
    # Straight to the driver: this runs in every change, and SQLAlchemy would double its cost.
    session.connection().exec_driver_sql(_ANNOUNCE, {"rows": codec.dumps(rows).decode()})
