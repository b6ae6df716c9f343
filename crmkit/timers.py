"""Things to do later, as rows: they survive restarts and any number of replicas may run them."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import delete, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from crmkit import codec
from crmkit.tables import timer


def set_timer(
    session: Session, kind: str, key: str, due_at: datetime, payload: dict[str, Any] | None = None
) -> None:
    """Have ``kind`` done for ``key`` at ``due_at``; a second call moves the time."""
    values = {"due_at": due_at, "payload": codec.loads(codec.dumps(payload or {})), "attempts": 0}
    session.execute(
        insert(timer)
        .values(kind=kind, key=key, **values)
        .on_conflict_do_update(index_elements=["kind", "key"], set_=values)
    )


def cancel_timer(session: Session, kind: str, key: str) -> None:
    """Forget it; nothing happens if it has run or was never set."""
    session.execute(delete(timer).where(timer.c.kind == kind, timer.c.key == key))


@dataclass(frozen=True, slots=True)
class Timer:
    """A due timer as its handler sees it."""

    id: int
    kind: str
    key: str
    due_at: datetime
    payload: dict[str, Any]
    attempts: int = 0


MOST_ATTEMPTS = 10
"""As in the conditions of the indexes, which name the number, too."""

DUE = text(
    "select * from (select id, kind, key, due_at, payload, attempts from timer"
    " where kind = any(:kinds) and due_at <= now() and attempts < 10"
    " order by due_at limit 500) as longest order by random() limit 50"
)
"""Looks without locking; whoever takes a timer first has it. Replicas that look at the same time
find different ones: of the same fifty, all but one replica would take most in vain."""

TAKE = text(
    "delete from timer where id = (select id from timer where id = :id and due_at = :due_at"
    " for update skip locked)"
)
"""Takes one timer in the transaction of its effect, so its row comes back if that fails."""

POSTPONE = text(
    "update timer set attempts = attempts + 1, error = :error, failed_at = now(),"
    " due_at = now() + make_interval(secs => least(3600, power(2, least(attempts, 12))))"
    " where id = :id and due_at = :due_at returning due_at"
)
"""Counts a failure: again in 1, 2, 4 … seconds; after ten it stays for people to see (parking).

Nothing happens to a timer that was moved since it was looked at, or postponed by another."""

EXPLAIN = text("update timer set error = :error where id = :id and due_at = :due_at")
"""Says what the failure was that was counted before it came."""
