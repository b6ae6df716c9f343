"""Copies of members of staff, and whose a new record is."""

from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from crmkit import copies
from crmkit.db import actor, missing
from crmkit.messages import Envelope
from services.sales.models import Colleague, Customer


def keep(session: Session, event: Envelope) -> None:
    """Know who works where, and in which language."""
    names = ("name", "language", "team_path", "active")
    facts = {name: event.data[name] for name in names}
    copies.keep(session, Colleague, event, id=event.data["staff_id"], **facts)


def keep_leaver(session: Session, event: Envelope) -> None:
    """Know that somebody left. Their records stay with them until somebody hands them over.

    NotFound while the news that they joined is still under way.
    """
    colleague = session.get(Colleague, event.data["staff_id"])
    if colleague is None:
        raise missing("colleague")
    copies.keep(
        session,
        Colleague,
        event,
        id=colleague.id,
        name=colleague.name,
        language=colleague.language,
        team_path=event.data["team_path"],
        active=False,
    )


def ownership(session: Session, owner_id: UUID | None, customer: Customer | None) -> dict[str, Any]:
    """Whose a new record is: the named colleague's, else the caller's.

    Who calls without being staff, such as another system, leaves it to the customer's owner.
    NotFound ``colleague_not_found`` if the named one is unknown or has left.
    """
    who = actor(session)
    if who.kind == "staff" and owner_id in (None, who.id):
        return {"owner_id": who.id, "team_path": who.team_path}
    if owner_id is None:
        if customer is None:
            return {"owner_id": None, "team_path": who.team_path}
        return {"owner_id": customer.owner_id, "team_path": customer.team_path}
    colleague = session.get(Colleague, owner_id)
    if colleague is None or not colleague.active:
        raise missing("colleague")
    return {"owner_id": colleague.id, "team_path": colleague.team_path}


def language_of(session: Session, owner_id: UUID | None, customer: Customer | None) -> str | None:
    """The language of the owner, or that of the customer while the owner is nobody we know."""
    own = session.scalar(select(Colleague.language).where(Colleague.id == owner_id))
    return own or (customer.language if customer is not None else None)
