"""Events whose handler raised: kept in the inbox, tried again with growing pauses, then parked."""

import random
from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

from crmkit import codec
from crmkit.clock import now
from crmkit.errors import Conflict, CrmError, Forbidden, Invalid, NotFound, Unavailable

PATIENCE: dict[type[Exception], int] = {
    Invalid: 1,
    Forbidden: 1,
    Conflict: 1,
    NotFound: 8,
    Unavailable: 10,
}
"""Attempts before parking. A record that is not there may come with an event still under way;
a state refusal will not change by waiting; any other error is a bug and gets ``BUG_PATIENCE``."""

BUG_PATIENCE = 3
_FIRST_PAUSE_SECONDS, _LONGEST_PAUSE_SECONDS = 0.2, 300.0


def pause(attempts: int) -> timedelta:
    """How long to wait after that many attempts: 0.2 s doubled each time, ±50 %, at most 5 min."""
    seconds = min(_LONGEST_PAUSE_SECONDS, _FIRST_PAUSE_SECONDS * 2**attempts)
    return timedelta(seconds=seconds * random.uniform(0.5, 1.5))  # noqa: S311 - only spreads load


def patience(error: BaseException) -> int:
    """How many attempts an error of that kind deserves."""
    for kind, attempts in PATIENCE.items():
        if isinstance(error, kind):
            return attempts
    return BUG_PATIENCE


def describe(error: BaseException) -> str:
    """The error in one line, for the people who look at parked events."""
    return str(error) if isinstance(error, CrmError) else f"{type(error).__name__}: {error}"


_NOTE_FAILURE = text(
    "insert into inbox (consumer, event_id, status, attempts, next_at, error, body)"
    " values (:consumer, :event_id, :status, :attempts, :next_at, :error, cast(:body as jsonb))"
    " on conflict (consumer, event_id) do update set status = excluded.status,"
    " attempts = excluded.attempts, next_at = excluded.next_at, error = excluded.error"
    " where inbox.status = 'failed'"
)


def note_failure(
    session: Session,
    *,
    consumer: str,
    event_id: UUID,
    body: Any,
    error: BaseException,
    attempts: int,
) -> str:
    """Keep the event; its new status, ``failed`` (will be tried again) or ``parked``."""
    status = "parked" if attempts >= patience(error) else "failed"
    session.execute(
        _NOTE_FAILURE,
        {
            "consumer": consumer,
            "event_id": event_id,
            "status": status,
            "attempts": attempts,
            "next_at": now() + pause(attempts),
            "error": describe(error)[:2000],
            "body": codec.dumps(body).decode(),
        },
    )
    return status


CLAIM_FAILED = text(
    "update inbox set next_at = now() + interval '30 seconds' where (consumer, event_id) in"
    " (select consumer, event_id from inbox where status = 'failed' and next_at <= now()"
    " order by next_at limit 20 for update skip locked)"
    " returning consumer, event_id, attempts, body"
)
"""Leases what is due; should the process die, another finds it again half a minute later."""


def parked(session: Session, limit: int = 200) -> list[dict[str, Any]]:
    """Parked events, oldest first: consumer, event_id, attempts, error, type, received_at."""
    rows = session.execute(
        text(
            "select consumer, event_id, attempts, error, body->>'type' as type, received_at"
            " from inbox where status = 'parked' order by received_at limit :limit"
        ),
        {"limit": limit},
    ).mappings()
    return [dict(row) for row in rows]


def parked_one(session: Session, event_id: UUID) -> list[dict[str, Any]]:
    """Everything kept of one parked event, one entry per handler that failed."""
    rows = session.execute(
        text("select * from inbox where status = 'parked' and event_id = :id"), {"id": event_id}
    ).mappings()
    return [dict(row) for row in rows]


def replay(session: Session, event_id: UUID) -> int:
    """Have a parked event tried again from the start; how many handlers will."""
    result = session.execute(
        text(
            "update inbox set status = 'failed', attempts = 0, next_at = now()"
            " where status = 'parked' and event_id = :id"
        ),
        {"id": event_id},
    )
    return int(result.rowcount)  # type: ignore[attr-defined]


def discard(session: Session, event_id: UUID, reason: str) -> int:
    """Give a parked event up, with the reason kept beside it; how many handlers will miss it."""
    result = session.execute(
        text(
            "update inbox set status = 'discarded', error = error || ' | discarded: ' || :reason"
            " where status = 'parked' and event_id = :id"
        ),
        {"id": event_id, "reason": reason},
    )
    return int(result.rowcount)  # type: ignore[attr-defined]
