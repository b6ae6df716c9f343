"""What use cases find when a test begins."""

from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from contracts import service_desk as contract
from crmkit.ids import new_id
from crmkit.testing import announced
from services.service_desk import feedback, tickets
from services.service_desk.models import Colleague, Customer

SEOUL, TOKYO = "/hq/seoul/", "/hq/tokyo/"


def add_agent(session: Session, name: str = "Kim", **facts: Any) -> UUID:
    """A colleague with the role of agents, unless told otherwise."""
    about = {"team_path": SEOUL, "roles": ["service"], "capacity": 20, "active": True} | facts
    agent = Colleague(id=new_id(), name=name, as_of_version=1, **about)
    session.add(agent)
    session.flush()
    return agent.id


def add_customer(session: Session, team_path: str = SEOUL, **facts: Any) -> UUID:
    """The copy of a customer."""
    about = {"name": "민서", "language": "ko", "owner_id": None} | facts
    customer = Customer(id=new_id(), team_path=team_path, as_of_version=1, **about)
    session.add(customer)
    session.flush()
    return customer.id


def complain(session: Session, customer_id: UUID, **said: Any) -> dict[str, Any]:
    """A complaint as the contract would hand it over."""
    defaults = {"kind": "complaint", "channel": "phone", "priority": "normal"}
    words = {"subject": "Broken", "body": "It does not turn on."}
    return feedback.record(session, customer_id=customer_id, **(defaults | words | said))


def open_ticket(session: Session, customer_id: UUID, **said: Any) -> dict[str, Any]:
    """The ticket of a new complaint, as it is shown."""
    return tickets.get(session, ticket_id=complain(session, customer_id, **said)["ticket_id"])


def resolved_ticket(session: Session, customer_id: UUID) -> tuple[UUID, str]:
    """A ticket that waits for its survey, and the secret of that survey's link."""
    ticket_id = complain(session, customer_id)["ticket_id"]
    tickets.resolve(session, ticket_id=ticket_id, outcome="Replaced.")
    return ticket_id, announced(session, contract.SurveyRequested)[-1]["token"]


def load_of(session: Session, agent_id: UUID) -> int | None:
    """How many open tickets the copy of a colleague counts."""
    return session.scalar(select(Colleague.open_tickets).where(Colleague.id == agent_id))
