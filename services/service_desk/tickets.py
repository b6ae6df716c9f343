"""Opening, finding and working on tickets."""

from functools import cache
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Select, or_, select
from sqlalchemy.orm import Session

from contracts import service_desk as contract
from contracts.shapes import time_zone_of
from crmkit.clock import now
from crmkit.db import fetch, missing, one, select_named, visible
from crmkit.ids import new_id
from crmkit.outbox import emit
from crmkit.pages import page
from services.service_desk import agents, rules, steps, surveys
from services.service_desk.models import Customer, Ticket, TicketHistory, ticket_numbers

_OF_TICKET = [name for name in contract.Ticket().fields if name != "customer_name"]
COLUMNS = {
    **{name: getattr(Ticket, name) for name in _OF_TICKET},
    "customer_name": Customer.name,
}
_STEP = [getattr(TicketHistory, name) for name in contract.TicketStep().fields]


def open_for(
    session: Session, customer: Customer, *, subject: str, body: str, priority: str
) -> UUID:
    """Open a ticket and give it to an agent with room, if any; its id. After ``take_turn``."""
    at = now()
    sequence = session.scalars(select(ticket_numbers.next_value())).one()
    ticket = Ticket(
        id=new_id(),
        number=rules.ticket_number(time_zone_of(customer.language), at, sequence),
        customer_id=customer.id,
        team_path=customer.team_path,
        subject=subject,
        body=body,
        priority=priority,
        status="new",
        created_at=at,
    )
    session.add(ticket)
    session.flush()  # Its history refers to it.
    emit(session, contract.TicketOpened, ticket, steps.facts(ticket))
    steps.begin(session, ticket)
    agents.assign(session, ticket)
    return ticket.id


def get(session: Session, *, ticket_id: UUID) -> dict[str, Any]:
    """One ticket with its history; NotFound."""
    query = _columns().where(Ticket.id == ticket_id, or_(*_readable(session)))
    ticket = one(session, query, "ticket")
    history = session.execute(
        select(*_STEP).where(TicketHistory.ticket_id == ticket_id).order_by(TicketHistory.id)
    )
    return {**ticket, "history": [dict(row) for row in history.mappings()]}


def find(session: Session, **asked: Any) -> dict[str, Any]:
    """A page of tickets."""
    readable = _readable(session)
    return page(session, _columns(), contract.ListTickets, COLUMNS, asked, either=readable)


def start(session: Session, *, ticket_id: UUID) -> dict[str, Any]:
    """Take up the work, or take it up again once the customer answered; the ticket.

    Asking twice changes nothing. Conflict while nobody has it and when it is done; see ``reopen``.
    """
    ticket = fetch(session, Ticket, ticket_id, lock=True)
    if ticket.status != "in_progress":
        steps.step(session, ticket, rules.started(ticket.status))
    return _shown(session, ticket)


def assign(session: Session, *, ticket_id: UUID, owner_id: UUID) -> dict[str, Any]:
    """Give the ticket to a colleague, whose role and room do not matter: a person decided.

    Asking twice changes nothing. NotFound if there is no such ticket or active colleague;
    Conflict when the ticket is done.
    """
    agents.take_turn(session)
    ticket = fetch(session, Ticket, ticket_id, lock=True)
    colleague = agents.active(session, owner_id)
    if colleague is None:
        raise missing("Colleague")
    if ticket.owner_id == owner_id and ticket.status in rules.OPEN:
        return _shown(session, ticket)
    agents.hand_to(session, ticket, colleague.id, colleague.team_path)
    agents.assign_waiting(session)
    return _shown(session, ticket)


def resolve(session: Session, *, ticket_id: UUID, outcome: str) -> dict[str, Any]:
    """Say what came of it and ask the customer how content they are; the ticket.

    Asking twice with the same words changes nothing. The room that becomes free goes to the
    ticket that waits longest.
    """
    agents.take_turn(session)
    ticket = fetch(session, Ticket, ticket_id, lock=True)
    if ticket.status == "survey_pending" and ticket.outcome == outcome:
        return _shown(session, ticket)
    agents.release(session, ticket)
    steps.step(session, ticket, "resolved", outcome)
    steps.step(session, ticket, "survey_pending")
    ticket.outcome, ticket.resolved_at = outcome, now()
    facts = {**steps.facts(ticket), "outcome": outcome}
    emit(session, contract.TicketResolved, ticket, facts)
    surveys.request(session, ticket)
    agents.assign_waiting(session)
    return _shown(session, ticket)


def reopen(session: Session, *, ticket_id: UUID, reason: str) -> dict[str, Any]:
    """Take a ticket up again that was done; its open survey is void. The ticket.

    Its agent has it again, or another when that one left. Asking twice changes nothing. Conflict
    ``ticket_not_done`` if it never was.
    """
    agents.take_turn(session)
    # Before the ticket is locked: the timer's own run takes timer and ticket in that order.
    surveys.disarm(session, ticket_id)
    ticket = fetch(session, Ticket, ticket_id, lock=True)
    if ticket.status == "in_progress":
        return _shown(session, ticket)
    rules.reopened(ticket.status)
    surveys.void(session, ticket_id)
    agent_is_here = agents.active(session, ticket.owner_id) is not None
    ticket.outcome = ticket.score = ticket.resolved_at = ticket.closed_at = None
    if agent_is_here:
        steps.step(session, ticket, "in_progress", reason)
        agents.take_up(session, ticket)
    else:
        agents.put_back(session, ticket, reason)
    emit(session, contract.TicketReopened, ticket, {**steps.facts(ticket), "reason": reason})
    if not agent_is_here:
        agents.assign(session, ticket)
    return _shown(session, ticket)


@cache
def _columns() -> Select[Any]:
    joined = select_named(COLUMNS).select_from(Ticket)
    return joined.outerjoin(Customer, Customer.id == Ticket.customer_id)


def _readable(session: Session) -> tuple[ColumnElement[bool], ...]:
    """What lets the actor read a ticket: it is in their scope, or its customer is."""
    return visible(session, Ticket), visible(session, Customer)


def _shown(session: Session, ticket: Ticket) -> dict[str, Any]:
    session.flush()
    name = session.scalar(select(Customer.name).where(Customer.id == ticket.customer_id))
    shown = {column: getattr(ticket, column) for column in _OF_TICKET}
    return {**shown, "customer_name": name}
