"""Events whose handler raised: kept in the inbox, tried again with growing pauses, then parked."""

import random
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import exc, text
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


@dataclass(frozen=True, slots=True)
class Note:
    """A place in the inbox: which handler had which event."""

    consumer: str
    event_id: UUID

    def told(self) -> dict[str, str]:
        """The same for the log."""
        return {"handler": self.consumer, "event_id": str(self.event_id)}


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
    words = str(error) if isinstance(error, CrmError) else f"{type(error).__name__}: {error}"
    return words.replace("\0", "�")  # PostgreSQL's text holds none.


_LIMIT_EXCEEDED = "54"  # The class of what PostgreSQL says of values too large or too deep.


def unstorable(error: Exception) -> bool:
    """Whether it is for the value itself that it could not be written, now or ever.

    Whatever else it was may pass: a database is away, full, read-only, or a right was lost.
    """
    if isinstance(error, exc.DBAPIError):
        state = getattr(error.orig, "sqlstate", None) or ""
        return isinstance(error, exc.DataError) or state.startswith(_LIMIT_EXCEEDED)
    return isinstance(error, TypeError | UnicodeError | RecursionError)


_NOTE_FAILURE = text(
    "insert into inbox (consumer, event_id, status, attempts, next_at, error, body)"
    " values (:consumer, :event_id, :status, :attempts, :next_at, :error, cast(:body as jsonb))"
    " on conflict (consumer, event_id) do update set status = excluded.status,"
    " attempts = excluded.attempts, unended = 0, next_at = excluded.next_at,"
    " error = excluded.error where inbox.status = 'failed'"
)


def note_failure(
    session: Session, note: Note, *, body: Any, error: BaseException, attempts: int
) -> str:
    """Keep the event; its new status, ``failed`` (will be tried again) or ``parked``."""
    status = "parked" if attempts >= patience(error) else "failed"
    session.execute(
        _NOTE_FAILURE,
        {
            "consumer": note.consumer,
            "event_id": note.event_id,
            "status": status,
            "attempts": attempts,
            "next_at": now() + pause(attempts),
            "error": describe(error)[:2000],
            "body": codec.dumps(body).decode(),
        },
    )
    return status


_SET_ASIDE = text(
    "insert into inbox (consumer, event_id, status, attempts, unended, next_at, body)"
    " values (:consumer, :event_id, 'failed', 1, 1, now(), cast(:body as jsonb))"
    " on conflict do nothing"
)


def set_aside(session: Session, note: Note, body: Any) -> None:
    """Keep an event that was begun and not settled, unless its outcome is known."""
    row = {"consumer": note.consumer, "event_id": note.event_id}
    session.execute(_SET_ASIDE, row | {"body": codec.dumps(body).decode()})


_CLAIM = text(
    "update inbox set next_at = now() + make_interval(secs => 3 + 2 * random()),"
    " status = case when unended >= :most then 'parked' else status end,"
    " error = case when unended >= :most then :died else error end,"
    " unended = case when unended >= :most then 0 else unended + 1 end,"
    " attempts = attempts + 1"
    " where (consumer, event_id) = (select consumer, event_id from inbox"
    " where status = 'failed' and next_at <= now() order by next_at limit 1"
    " for update skip locked)"
    " returning consumer, event_id, status, attempts, body"
)
_DIED = "The process ended each time it was handled."


def claim(session: Session) -> Any:
    """The kept event that is longest due, with this attempt counted; None when there is none.

    After three attempts in a row that began and never told of their end it is parked here, before
    it ends another process; ``status`` tells. Should this process die, another finds the event
    seconds later; while it is handled, its row is locked.
    """
    return session.execute(_CLAIM, {"most": BUG_PATIENCE, "died": _DIED}).one_or_none()
