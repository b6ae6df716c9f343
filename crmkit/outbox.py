"""Announcing events: a row in the same transaction as the change it tells of."""

from collections.abc import Mapping
from typing import Any, Protocol
from uuid import UUID

from sqlalchemy.orm import Session

from crmkit import codec, db
from crmkit.clock import now
from crmkit.ids import new_id
from crmkit.messages import Event, schema

_ANNOUNCE = (
    "insert into outbox (event_id, type, aggregate_id, aggregate_version, payload, context,"
    " created_at) values (%(event_id)s, %(type)s, %(aggregate_id)s, %(aggregate_version)s,"
    " %(payload)s::jsonb, %(context)s::jsonb, %(created_at)s)"
)


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
    session.flush()
    payload = codec.dumps(facts)
    problems = schema(event).validate(codec.loads(payload))
    if problems:
        raise ValueError(f"{event.type} does not fit its contract: {problems}")
    context = db.context(session)
    event_id = new_id()
    row = {
        "event_id": event_id,
        "type": event.type,
        "aggregate_id": about.id,
        "aggregate_version": about.event_number,
        "payload": payload.decode(),
        "context": codec.dumps(
            {
                "request_id": context.request_id,
                "causation_id": context.causation_id,
                "traceparent": context.traceparent,
                "initiator": context.actor.initiator,
            }
        ).decode(),
        "created_at": now(),
    }
    # Straight to the driver: this runs in every change, and SQLAlchemy would double its cost.
    session.connection().exec_driver_sql(_ANNOUNCE, row)
    return event_id
