"""Copies of customers, kept by the events of their owner."""

from typing import Any

from sqlalchemy import Select
from sqlalchemy.orm import Session

from crmkit import copies
from crmkit.messages import Envelope
from services.sales.models import Customer


def keep(session: Session, event: Envelope) -> None:
    """Know the customer as the event tells; older news than ours changes nothing."""
    names = ("display_name", "language", "owner_id", "team_path")
    facts = {name: event.data[name] for name in names}
    copies.keep(session, Customer, event, id=event.data["customer_id"], **facts)


def joined(query: Select[Any], model: Any) -> Select[Any]:
    """The query of a table whose rows have a ``customer_id``, with the customer beside each row."""
    return query.select_from(model).outerjoin(Customer, Customer.id == model.customer_id)
