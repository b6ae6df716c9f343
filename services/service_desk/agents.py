"""Agents: who they are, how much they have to do, and which ticket goes to whom."""

from typing import Any
from uuid import UUID

from sqlalchemy import select, text, update
from sqlalchemy.orm import Session

from contracts import service_desk as contract
from crmkit import copies
from crmkit.clock import now
from crmkit.db import missing
from crmkit.messages import Envelope
from crmkit.outbox import emit
from services.service_desk import rules, steps
from services.service_desk.models import Colleague, Customer, Ticket

_TURN = text("select pg_advisory_xact_lock(hashtextextended('service_desk.assignment', 0))")
_COPIED = ("name", "team_path", "roles", "capacity", "active")


def take_turn(session: Session) -> None:
    """Wait until nobody else hands out tickets; until this transaction ends it is ours.

    Whoever changes what an agent has to do, or who is an agent, takes it before locking any
    record. Row locks would not do: two complaints at once would both sort by the counts they saw
    before waiting, and a first agent who joins meanwhile has no row to lock, so a ticket that
    found nobody would wait though somebody is there.
    """
    session.execute(_TURN)


def assign(session: Session, ticket: Ticket) -> bool:
    """Give a waiting ticket to the least loaded agent; False when nobody has room."""
    agent = rules.least_loaded(_with_room(session), ticket.team_path)
    if agent is None:
        return False
    hand_to(session, ticket, agent.id, agent.team_path)
    return True


def assign_waiting(session: Session) -> None:
    """Give waiting tickets, oldest first, to whoever has room."""
    room = sum(agent.capacity - agent.open_tickets for agent in _with_room(session))
    if not room:
        return
    waiting = session.scalars(
        select(Ticket)
        .where(Ticket.status == "new")
        .order_by(Ticket.created_at, Ticket.id)
        .limit(room)
        .with_for_update()
    ).all()
    for ticket in waiting:
        assign(session, ticket)


def hand_to(session: Session, ticket: Ticket, agent_id: UUID, team_path: str) -> None:
    """Make the ticket that colleague's, whoever had it before, and announce it."""
    release(session, ticket)
    _count(session, agent_id, open_tickets=Colleague.open_tickets + 1, last_assigned_at=now())
    steps.step(session, ticket, "assigned")
    ticket.owner_id, ticket.team_path = agent_id, team_path
    emit(session, contract.TicketAssigned, ticket, steps.facts(ticket))


def release(session: Session, ticket: Ticket) -> None:
    """Take the ticket off its agent's count, if it is on it; before its status changes."""
    if ticket.owner_id is not None and ticket.status in rules.OPEN:
        _count(session, ticket.owner_id, open_tickets=Colleague.open_tickets - 1)


def take_up(session: Session, ticket: Ticket) -> None:
    """Put a reopened ticket back on its agent's count, room or not."""
    _count(session, ticket.owner_id, open_tickets=Colleague.open_tickets + 1)


def put_back(session: Session, ticket: Ticket, note: str) -> None:
    """Take the ticket from its agent; it waits for another in the customer's team."""
    release(session, ticket)
    query = select(Customer.team_path).where(Customer.id == ticket.customer_id)
    team_path = session.scalar(query) or ticket.team_path
    steps.step(session, ticket, "new", note)
    ticket.owner_id, ticket.team_path = None, team_path


def active(session: Session, colleague_id: UUID | None) -> Any:
    """``id`` and ``team_path`` of a colleague who works here; None when there is no such."""
    return session.execute(
        select(Colleague.id, Colleague.team_path).where(
            Colleague.id == colleague_id, Colleague.active
        )
    ).one_or_none()


def keep(session: Session, event: Envelope) -> None:
    """Know who works where and has how much room, and see to the tickets that wait for them."""
    take_turn(session)
    facts = {name: event.data[name] for name in _COPIED}
    staff_id = event.data["staff_id"]
    if not copies.keep(session, Colleague, event, id=staff_id, **facts):
        return
    if not facts["active"]:
        _put_all_back(session, staff_id)
    assign_waiting(session)


def leave(session: Session, event: Envelope) -> None:
    """Hand the open tickets of a leaver to others; NotFound if we have not heard of them yet."""
    take_turn(session)
    staff_id = event.data["staff_id"]
    known = session.scalar(select(Colleague.as_of_version).where(Colleague.id == staff_id))
    if known is None:
        raise missing(Colleague.__name__)
    if known >= event.version:
        return
    _count(session, staff_id, active=False, as_of_version=event.version)
    _put_all_back(session, staff_id)
    assign_waiting(session)


def _put_all_back(session: Session, staff_id: UUID) -> None:
    tickets = session.scalars(
        select(Ticket)
        .where(Ticket.owner_id == staff_id, Ticket.status.in_(rules.OPEN))
        .order_by(Ticket.id)
        .with_for_update()
    ).all()
    for ticket in tickets:
        put_back(session, ticket, "The agent left.")
    session.flush()


_AGENT: Any = Colleague.__table__
_WITH_ROOM = select(
    _AGENT.c.id,
    _AGENT.c.team_path,
    _AGENT.c.open_tickets,
    _AGENT.c.capacity,
    _AGENT.c.last_assigned_at,
).where(
    _AGENT.c.active,
    _AGENT.c.roles.contains([rules.AGENT_ROLE]),
    _AGENT.c.open_tickets < _AGENT.c.capacity,
)


# These two go past the session: nothing it still has to write is about agents.
def _with_room(session: Session) -> list[rules.Agent]:
    return [rules.Agent(*row) for row in session.connection().execute(_WITH_ROOM)]


def _count(session: Session, colleague_id: UUID | None, **values: Any) -> None:
    statement = update(_AGENT).where(_AGENT.c.id == colleague_id).values(**values)
    session.connection().execute(statement)
