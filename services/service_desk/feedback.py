"""Taking down what customers say."""

from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from contracts import service_desk as contract
from crmkit.db import fetch, one, select_named, visible
from crmkit.ids import new_id
from crmkit.outbox import emit, gathering
from crmkit.pages import page
from services.service_desk import agents, rules, tickets
from services.service_desk.models import Customer, Feedback

COLUMNS = {name: getattr(Feedback, name) for name in contract.Feedback().fields}
_WHOLE = select_named(COLUMNS)


def record(
    session: Session, *, customer_id: UUID, kind: str, priority: str, **said: Any
) -> dict[str, Any]:
    """Take down what a customer says; a complaint or question opens a ticket with it.

    NotFound if the actor sees no such customer. Conflict ``already_exists`` if the caller's own
    id is taken.
    """
    customer = fetch(session, Customer, customer_id)
    with gathering(session):
        ticket_id = None
        if rules.becomes_ticket(kind):
            agents.take_turn(session)
            ticket_id = tickets.open_for(
                session, customer, subject=said["subject"], body=said["body"], priority=priority
            )
        feedback = Feedback(
            id=said.pop("id", None) or new_id(),
            customer_id=customer.id,
            owner_id=customer.owner_id,
            team_path=customer.team_path,
            kind=kind,
            status="converted" if ticket_id else "received",
            ticket_id=ticket_id,
            **said,
        )
        session.add(feedback)
        facts = {name: getattr(feedback, name) for name in ("customer_id", "kind", "ticket_id")}
        emit(session, contract.FeedbackReceived, feedback, {"feedback_id": feedback.id, **facts})
    return {name: getattr(feedback, name) for name in COLUMNS}


def get(session: Session, *, feedback_id: UUID) -> dict[str, Any]:
    """One piece of feedback; NotFound."""
    mine = visible(session, Feedback)
    return one(session, _WHOLE.where(Feedback.id == feedback_id, mine), "feedback")


def find(session: Session, **asked: Any) -> dict[str, Any]:
    """A page of feedback."""
    statement = _WHOLE.where(visible(session, Feedback))
    return page(session, statement, contract.ListFeedback, COLUMNS, asked)
