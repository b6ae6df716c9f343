"""Copies of other owners' records, kept up by their events; old news never overwrites newer."""

from functools import cache
from typing import Any

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
    statement = _upsert(model, tuple(facts))
    values = {**facts, "as_of_version": event.version}
    return session.connection().execute(statement, values).one_or_none() is not None


@cache
def _upsert(model: Any, names: tuple[str, ...]) -> Any:
    """The statement for these columns, made once: every event of a customer goes through it."""
    statement = insert(model.__table__)
    new = {name: statement.excluded[name] for name in (*names, "as_of_version") if name != "id"}
    return statement.on_conflict_do_update(
        index_elements=["id"],
        set_=new,
        where=model.as_of_version < statement.excluded.as_of_version,
    ).returning(model.__table__.c.id)
