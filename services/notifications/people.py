"""Copies of customers and colleagues: whom messages go to, and how."""

from typing import Any
from uuid import UUID

from sqlalchemy import update
from sqlalchemy.orm import Session

from crmkit import copies
from crmkit.db import missing
from crmkit.messages import Envelope
from services.notifications import unsubscriptions
from services.notifications.models import Colleague, Customer


def keep_customer(session: Session, event: Envelope) -> None:
    """Know how to reach a customer and what they agreed to."""
    facts = event.data
    unsubscriptions.confirm(session, event)
    copies.keep(
        session,
        Customer,
        event,
        id=facts["customer_id"],
        name=facts["display_name"],
        **{
            name: facts[name]
            for name in (
                "kind",
                "language",
                "country",
                "email",
                "mobile",
                "consents",
                "owner_id",
                "team_path",
            )
        },
    )


def flag_detractor(session: Session, event: Envelope) -> None:
    """Send the customer no advertising from here on, not even what was handed over before.

    NotFound while the customer is not known yet.
    """
    customer = customer_of(session, event.data["customer_id"])
    session.execute(update(Customer).where(Customer.id == customer.id).values(detractor=True))


def keep_colleague(session: Session, event: Envelope) -> None:
    """Know how to reach a colleague."""
    facts = event.data
    copies.keep(
        session,
        Colleague,
        event,
        id=facts["staff_id"],
        **{name: facts[name] for name in ("name", "email", "language", "team_path", "active")},
    )


def forget_colleague(session: Session, event: Envelope) -> None:
    """Whoever left gets no more mail. NotFound when their joining has not arrived yet."""
    colleague = colleague_of(session, event.data["staff_id"])
    session.execute(
        update(Colleague)
        .where(Colleague.id == colleague.id, Colleague.as_of_version < event.version)
        .values(active=False, as_of_version=event.version)
    )


def customer_of(session: Session, identity: UUID) -> Customer:
    """The customer; NotFound while the copy has not arrived."""
    return _known(session, Customer, identity)  # type: ignore[no-any-return]


def colleague_of(session: Session, identity: UUID) -> Colleague:
    """The colleague; NotFound while the copy has not arrived."""
    return _known(session, Colleague, identity)  # type: ignore[no-any-return]


def _known(session: Session, model: Any, identity: UUID) -> Any:
    row = session.get(model, identity, populate_existing=True)
    if row is None:
        raise missing(model.__name__)
    return row
