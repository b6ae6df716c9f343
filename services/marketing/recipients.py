"""Reading the ledger of recipients: by campaign, and by customer."""

from typing import Any

from sqlalchemy.orm import Session

from contracts import marketing as contract
from crmkit.db import select_named, visible
from crmkit.pages import page
from services.marketing.models import Campaign, Customer, Recipient

_COLUMNS = {name: getattr(Recipient, name) for name in contract.Recipient().fields}
_OF_CUSTOMER: dict[str, Any] = {
    name: Campaign.name if name == "name" else getattr(Recipient, name)
    for name in contract.CustomerCampaign().fields
}

_WHOLE = select_named(_COLUMNS).join(Campaign, Campaign.id == Recipient.campaign_id)
_SENT = (
    select_named(_OF_CUSTOMER)
    .select_from(Recipient)
    .join(Campaign, Campaign.id == Recipient.campaign_id)
    .join(Customer, Customer.id == Recipient.customer_id)
)


def find(session: Session, **asked: Any) -> dict[str, Any]:
    """A page of recipients of the campaigns the actor may see."""
    statement = _WHOLE.where(visible(session, Campaign))
    return page(session, statement, contract.ListRecipients, _COLUMNS, asked)


def find_of_customer(session: Session, **asked: Any) -> dict[str, Any]:
    """A page of what customers were sent, whoever sent it, of customers the actor may see.

    Whoever cares for a customer must know what marketing told them, without seeing the campaign.
    """
    statement = _SENT.where(visible(session, Customer))
    return page(session, statement, contract.ListCustomerCampaigns, _OF_CUSTOMER, asked)
