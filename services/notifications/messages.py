"""Asking for single messages when something happened, and looking at the ledger."""

from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, false, or_
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from contracts import notifications as contract
from contracts.shapes import time_zone_of
from crmkit.db import actor, one, select_named, visible
from crmkit.messages import Envelope
from crmkit.pages import page
from services.notifications import rules, templates, wording
from services.notifications.models import Colleague, Customer, Message
from services.notifications.people import customer_of

COLUMNS = {name: getattr(Message, name) for name in contract.Message().fields}
_WHOLE = (
    select_named(COLUMNS)
    .select_from(Message)
    .join(Customer, Customer.id == Message.customer_id, isouter=True)
)


def get(session: Session, *, message_id: UUID) -> dict[str, Any]:
    """One message; NotFound."""
    query = _WHOLE.where(Message.id == message_id, or_(*_seen(session)))
    return one(session, query, "message")


def find(session: Session, **asked: Any) -> dict[str, Any]:
    """A page of messages."""
    seen = _seen(session)
    return page(session, _WHOLE, contract.ListMessages, COLUMNS, asked, either=seen)


def _seen(session: Session) -> tuple[ColumnElement[bool], ...]:
    """What shows the actor a message: it is to a customer they may see, or to themselves."""
    who = actor(session)
    # Without an id nothing is the actor's: ``= null`` would become ``is null``, all to customers.
    mine = false() if who.id is None else Message.staff_id == who.id
    return visible(session, Customer), mine


def confirm_order(session: Session, event: Envelope) -> None:
    """Tell the customer that the order has arrived."""
    facts = event.data
    customer = customer_of(session, facts["customer_id"])
    language, total = customer.language, facts["total"]
    due_on = facts["payment_due_on"]
    _to_customer(
        session,
        customer,
        "order_confirmation",
        purpose="transactional",
        dedupe_key=f"order:{facts['order_id']}",
        values={
            "number": facts["number"],
            "ordered_on": wording.local_day(
                facts["submitted_at"], time_zone_of(language), language
            ),
            "lines": "\n".join(_order_line(line, language) for line in facts["lines"]),
            "total": _money(total, language),
            "payment_due_on": wording.day(due_on, language) if due_on else "",
        },
    )


def acknowledge_ticket(session: Session, event: Envelope) -> None:
    """Tell the customer that somebody will see to it."""
    facts = event.data
    _to_customer(
        session,
        customer_of(session, facts["customer_id"]),
        "ticket_opened",
        purpose="service",
        dedupe_key=f"ticket:{facts['ticket_id']}",
        values={"number": facts["number"], "subject": facts["subject"]},
    )


def ask_survey(session: Session, event: Envelope) -> None:
    """Tell the customer what came of it and ask how content they are."""
    facts = event.data
    customer = customer_of(session, facts["customer_id"])
    expires_at = facts["expires_at"]
    language = customer.language
    _to_customer(
        session,
        customer,
        "survey",
        purpose="service",
        dedupe_key=f"survey:{facts['survey_id']}",
        values={
            "number": facts["ticket_number"],
            "subject": facts["subject"],
            "outcome": facts["outcome"],
            "token": facts["token"],
            "expires_on": wording.moment(expires_at, time_zone_of(language), language),
        },
    )


def _to_customer(
    session: Session,
    customer: Customer,
    template: str,
    *,
    purpose: str,
    dedupe_key: str,
    values: dict[str, str],
) -> None:
    greeting = wording.addressed(customer.name, customer.kind, customer.language)
    text = templates.render(template, customer.language, {**values, "addressed": greeting})
    body = rules.label(purpose, customer.country, "email", text.body)
    _request(
        session,
        dedupe_key=dedupe_key,
        purpose=purpose,
        template=template,
        customer_id=customer.id,
        language=customer.language,
        name=wording.one_line(customer.name),
        address=customer.email or "",
        subject=text.subject,
        body=body,
    )


def to_colleague(
    session: Session,
    colleague: Colleague,
    template: str,
    *,
    dedupe_key: str,
    values: dict[str, str],
) -> None:
    """Ask for an e-mail to a colleague; nothing if they have left or were told already."""
    if not colleague.active:
        return
    greeting = wording.addressed(colleague.name, "person", colleague.language)
    text = templates.render(template, colleague.language, {**values, "addressed": greeting})
    _request(
        session,
        dedupe_key=dedupe_key,
        purpose="internal",
        template=template,
        staff_id=colleague.id,
        language=colleague.language,
        name=wording.one_line(colleague.name),
        address=colleague.email,
        subject=text.subject,
        body=text.body,
    )


def _request(session: Session, *, address: str, purpose: str, **facts: Any) -> None:
    """Put an e-mail in the ledger, once per ``dedupe_key``; without an address it says so there."""
    reachable = bool(address)
    row = {
        "purpose": purpose,
        "channel": "email",
        "lane": rules.lane(purpose, "email"),
        "address": address,
        "status": "queued" if reachable else "suppressed",
        "reason": None if reachable else "no_address",
        **facts,
    }
    session.connection().execute(_ENTER, row)


_TABLE: Any = Message.__table__
# Made once: one of so many columns takes longer to make and to recognise than to execute.
_ENTER = insert(_TABLE).on_conflict_do_nothing(index_elements=["dedupe_key"])


def _order_line(line: dict[str, Any], language: str) -> str:
    description = wording.one_line(line["description"])
    return f"- {description} × {line['quantity']:,}  {_money(line['unit_price'], language)}"


def _money(value: dict[str, Any], language: str) -> str:
    return wording.money(Decimal(value["amount"]), value["currency"], language)
