"""The in-app inbox of each member of staff."""

from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from contracts import notifications as contract
from crmkit.clock import now
from crmkit.db import actor, missing, select_named
from crmkit.messages import Envelope
from crmkit.pages import page
from services.notifications import messages, wording
from services.notifications.models import Customer, InboxItem
from services.notifications.people import colleague_of

COLUMNS = {
    name: getattr(InboxItem, name) for name in contract.InboxItem().fields if name != "unread"
} | {"unread": InboxItem.read_at.is_(None)}
_WHOLE = select_named(COLUMNS)


def find(session: Session, **asked: Any) -> dict[str, Any]:
    """A page of the caller's own inbox, whatever else they may see."""
    mine = _WHOLE.where(InboxItem.owner_id == actor(session).id)
    return page(session, mine, contract.ListInboxItems, COLUMNS, asked)


def read(session: Session, *, item_id: UUID) -> dict[str, Any]:
    """Mark an entry as read, the first time; the entry. NotFound if it is not the caller's."""
    item = session.scalars(
        select(InboxItem)
        .where(InboxItem.id == item_id, InboxItem.owner_id == actor(session).id)
        .with_for_update()
    ).one_or_none()
    if item is None:
        raise missing("InboxItem")
    if item.read_at is None:
        item.read_at = now()
        session.flush()
    shown = {name: getattr(item, name) for name in COLUMNS if name != "unread"}
    return {**shown, "unread": False}


def tell_of_task(session: Session, event: Envelope) -> None:
    """Whoever got a task sees it in the inbox and is told by mail at once."""
    facts = event.data
    if facts["owner_id"] is None:
        return
    owner = colleague_of(session, facts["owner_id"])
    customer = session.get(Customer, facts["customer_id"]) if facts["customer_id"] else None
    put(
        session,
        owner.id,
        "task_assigned",
        facts["title"],
        body=facts["reason"],
        subject_type="task",
        subject_id=facts["task_id"],
    )
    due_on = facts["due_on"]
    messages.to_colleague(
        session,
        owner,
        "task_assigned",
        dedupe_key=f"task:{event.id}",
        values={
            "title": facts["title"],
            "customer": customer.name if customer else "",
            "due_on": wording.day(due_on, owner.language) if due_on else "",
            "reason": facts["reason"] or "",
        },
    )


def tell_of_ticket(session: Session, event: Envelope) -> None:
    """The agent who got a ticket sees it in the inbox."""
    facts = event.data
    if facts["owner_id"] is not None:
        put(
            session,
            facts["owner_id"],
            "ticket_assigned",
            facts["subject"],
            body=facts["number"],
            subject_type="ticket",
            subject_id=facts["ticket_id"],
        )


def put(session: Session, owner_id: UUID, kind: str, title: str, **facts: Any) -> None:
    """Lay an entry into somebody's inbox."""
    session.add(InboxItem(owner_id=owner_id, kind=kind, title=title, **facts))
    session.flush()
