"""Copies of customers, kept by the events of their owner."""

from typing import Any
from uuid import UUID

from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from crmkit import copies
from crmkit.messages import Envelope
from services.sales.models import Customer


def keep(session: Session, event: Envelope) -> None:
    """Know the customer as the event tells; older news than ours changes nothing."""
    names = ("display_name", "language", "owner_id", "team_path")
    facts = {name: event.data[name] for name in names}
    copies.keep(session, Customer, event, id=event.data["customer_id"], **facts)


def name_of(session: Session, customer_id: UUID) -> str | None:
    """The name to show; None for a customer we have not heard of."""
    return session.scalar(select(Customer.display_name).where(Customer.id == customer_id))


def joined(query: Select[Any], model: Any) -> Select[Any]:
    """The query of a table whose rows have a ``customer_id``, with the customer beside each row."""
    return query.select_from(model).outerjoin(Customer, Customer.id == model.customer_id)
