"""Unsubscribing by the link in a message: counts at once here, and for good in the ledger."""

from typing import Any
from uuid import UUID

from sqlalchemy import ARRAY, Text, all_, bindparam, select, update
from sqlalchemy.orm import Session

from contracts import notifications as contract
from crmkit.clock import now
from crmkit.db import missing
from crmkit.messages import Envelope
from crmkit.outbox import emit
from crmkit.settings import from_environment
from services.notifications import links
from services.notifications.models import Customer, Message, Unsubscription


def unsubscribe(session: Session, *, token: str) -> dict[str, Any]:
    """Send no more advertising by the channel of the link, and announce it; the channel.

    Asking twice changes nothing, but an old link works again once the customer agreed anew.
    NotFound for a link that is not ours. Whoever has the link may ask; scope does not count.
    """
    try:
        customer_id, message_id, channel = links.open_unsubscribe_token(
            token, from_environment().secret_key()
        )
    except ValueError:
        raise missing("Link") from None
    customer = session.get(Customer, customer_id, with_for_update=True, populate_existing=True)
    if not _is_done(session, customer, customer_id, message_id, channel):
        _note(session, customer, customer_id, message_id, channel)
    return {"channel": channel}


def confirm(session: Session, event: Envelope) -> None:
    """Let go of what a customer's facts say themselves by now; from there on they count again.

    Facts older than what we knew at the time cannot have heard of it.
    """
    facts = {
        "of_customer": event.data["customer_id"],
        "heard": event.version,
        "consents": event.data["consents"],
        "confirmed_at": now(),
    }
    session.connection().execute(_CONFIRM, facts)


_TABLE: Any = Unsubscription.__table__
# Made once: it goes with all facts of every customer, and seldom finds anything.
_CONFIRM = (
    update(_TABLE)
    .where(
        _TABLE.c.customer_id == bindparam("of_customer"),
        _TABLE.c.confirmed_at.is_(None),
        _TABLE.c.customer_version < bindparam("heard"),
        _TABLE.c.channel != all_(bindparam("consents", type_=ARRAY(Text))),
    )
    .values(confirmed_at=bindparam("confirmed_at"), version=_TABLE.c.version + 1)
)


def _is_done(
    session: Session, customer: Customer | None, customer_id: UUID, message_id: UUID, channel: str
) -> bool:
    rows = session.execute(
        select(Unsubscription.message_id, Unsubscription.confirmed_at).where(
            Unsubscription.customer_id == customer_id, Unsubscription.channel == channel
        )
    ).all()
    if any(row.confirmed_at is None for row in rows):
        return True
    agreed_again = customer is not None and channel in customer.consents
    return not agreed_again and any(row.message_id == message_id for row in rows)


def _note(
    session: Session, customer: Customer | None, customer_id: UUID, message_id: UUID, channel: str
) -> None:
    at = now()
    row = Unsubscription(
        customer_id=customer_id,
        channel=channel,
        message_id=message_id,
        customer_version=customer.as_of_version if customer is not None else 0,
        created_at=at,
    )
    session.add(row)
    session.flush()
    emit(
        session,
        contract.UnsubscribeReceived,
        row,
        {
            "unsubscription_id": row.id,
            "customer_id": customer_id,
            "channel": channel,
            "message_id": message_id,
            "campaign_id": session.scalar(
                select(Message.campaign_id).where(Message.id == message_id)
            ),
            "at": at,
        },
    )
