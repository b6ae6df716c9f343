"""The copy of customers that audiences are drawn from, kept by the events of their owners."""

from sqlalchemy import update
from sqlalchemy.orm import Session

from crmkit import copies
from crmkit.db import missing
from crmkit.messages import Envelope
from services.marketing.models import Customer

_FACTS = (
    "display_name",
    "kind",
    "language",
    "country",
    "lifecycle_stage",
    "tags",
    "email",
    "mobile",
    "consents",
    "owner_id",
    "team_path",
)


def keep(session: Session, event: Envelope) -> None:
    """Take in what is told of a customer, unless newer is known."""
    facts = {name: event.data[name] for name in _FACTS}
    copies.keep(session, Customer, event, id=event.data["customer_id"], **facts)


def flag_detractor(session: Session, event: Envelope) -> None:
    """Send the customer no marketing from here on; NotFound while the customer is not known yet.

    Campaigns under way are covered: whoever is still queued is looked at again at hand-off.
    """
    customer_id = event.data["customer_id"]
    flagged = session.scalar(
        update(Customer)
        .where(Customer.id == customer_id)
        .values(detractor=True)
        .returning(Customer.id)
        .execution_options(synchronize_session=False)
    )
    if flagged is None:
        raise missing("customer")
