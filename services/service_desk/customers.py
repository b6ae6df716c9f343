"""The copy of customers: who they are, whose they are and how to speak with them."""

from sqlalchemy.orm import Session

from crmkit import copies
from crmkit.messages import Envelope
from services.service_desk.models import Customer


def keep(session: Session, event: Envelope) -> None:
    """Know a customer as the event describes them."""
    copies.keep(
        session,
        Customer,
        event,
        id=event.data["customer_id"],
        name=event.data["display_name"],
        language=event.data["language"],
        owner_id=event.data["owner_id"],
        team_path=event.data["team_path"],
    )
