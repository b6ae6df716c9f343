"""The steps of a ticket: its status, its history, and the facts its events carry."""

from typing import Any

from sqlalchemy.orm import Session

from crmkit.db import actor
from services.service_desk import rules
from services.service_desk.models import Ticket, TicketHistory

_FACTS = ("number", "customer_id", "subject", "priority", "owner_id", "team_path")


def begin(session: Session, ticket: Ticket) -> None:
    """Note that the ticket came to be."""
    _note(session, ticket, None, "")


def step(session: Session, ticket: Ticket, to: str, note: str = "") -> None:
    """Move the ticket and note it; Conflict if that is not allowed."""
    before = ticket.status
    ticket.status = rules.move(before, to)
    _note(session, ticket, before, note)


def _note(session: Session, ticket: Ticket, before: str | None, note: str) -> None:
    session.add(
        TicketHistory(
            ticket_id=ticket.id,
            from_status=before,
            to_status=ticket.status,
            by=actor(session).initiator,
            note=note,
        )
    )


def facts(ticket: Ticket) -> dict[str, Any]:
    """What every event about a ticket tells."""
    return {"ticket_id": ticket.id, **{name: getattr(ticket, name) for name in _FACTS}}
