"""Copies of other owners' records, kept up by their events; old news never overwrites newer."""

from typing import Any

from sqlalchemy import func
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Mapped, Session, mapped_column

from crmkit.messages import Envelope


class Copy:
    """Columns of a copy. ``as_of_version`` is the number of the last event taken in."""

    as_of_version: Mapped[int] = mapped_column(default=0)


def keep(session: Session, model: Any, event: Envelope, **facts: Any) -> bool:
    """Insert or update the copy that ``facts`` describe, ``id`` among them.

    False when the copy is newer than the event, which then changes nothing.
    """
    values = {**facts, "as_of_version": event.version}
    statement = insert(model).values(**values)
    statement = statement.on_conflict_do_update(
        index_elements=["id"],
        set_={name: statement.excluded[name] for name in values if name != "id"},
        where=func.coalesce(model.as_of_version, 0) < event.version,
    )
    # SQLAlchemy keeps no row count of an insert; the id comes back only if a row was written.
    return session.execute(statement.returning(model.id)).first() is not None
