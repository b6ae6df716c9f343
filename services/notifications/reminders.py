"""Reminders: armed with a timer, fired once, and disarmed by the facts that settle them.

Everybody locks the timer before its reminder: that is the order of a timer that fires, which was
taken before its reminder is looked at. The other way round the two would deadlock.
"""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from contracts import notifications as contract
from crmkit.clock import now
from crmkit.db import actor, fetch, missing, one, select_named, visible
from crmkit.errors import Invalid
from crmkit.messages import Envelope
from crmkit.outbox import emit
from crmkit.pages import page
from crmkit.timers import Timer, cancel_timer, set_timer
from services.notifications import inbox, messages, rules, wording
from services.notifications.models import Colleague, Reminder

COLUMNS = {name: getattr(Reminder, name) for name in contract.Reminder().fields}
_WHOLE = select_named(COLUMNS)
TIMER = "reminder"


def create(
    session: Session,
    *,
    kind: str,
    title: str,
    due_at: datetime,
    time_zone: str,
    owner_id: UUID | None = None,
    **facts: Any,
) -> dict[str, Any]:
    """Arm a reminder; the reminder. One that is due already fires at once.

    NotFound if there is no such colleague; Conflict ``already_exists`` if the caller's own id is
    taken.
    """
    reminder = Reminder(
        kind=kind,
        title=title,
        due_at=due_at.astimezone(UTC),
        first_at=due_at.astimezone(UTC),
        time_zone=time_zone,
        repeats=rules.repeats(kind),
        status="armed",
        **_ownership(session, owner_id),
        **facts,
    )
    _arm(session, reminder)
    return _shown(reminder)


def get(session: Session, *, reminder_id: UUID) -> dict[str, Any]:
    """One reminder; NotFound."""
    mine = _WHOLE.where(Reminder.id == reminder_id, visible(session, Reminder))
    return one(session, mine, "reminder")


def find(session: Session, **asked: Any) -> dict[str, Any]:
    """A page of reminders."""
    statement = _WHOLE.where(visible(session, Reminder))
    return page(session, statement, contract.ListReminders, COLUMNS, asked)


def acknowledge(session: Session, *, reminder_id: UUID) -> dict[str, Any]:
    """Note that it was taken care of; the reminder. Conflict unless it has fired."""
    return _end(session, reminder_id, "acknowledged")


def cancel(session: Session, *, reminder_id: UUID) -> dict[str, Any]:
    """Remind nobody; the reminder. Conflict if it is over already."""
    return _end(session, reminder_id, "cancelled")


def snooze(session: Session, *, reminder_id: UUID, due_at: datetime) -> dict[str, Any]:
    """Remind later; the reminder. Conflict if it is over already."""
    due_at = due_at.astimezone(UTC)
    set_timer(session, TIMER, str(reminder_id), due_at)
    reminder = fetch(session, Reminder, reminder_id, lock=True)
    reminder.status = rules.move(reminder.status, "armed")
    reminder.due_at = due_at
    session.flush()
    return _shown(reminder)


def fire(session: Session, timer: Timer) -> None:
    """Remind the owner in the inbox and by mail; a yearly one is armed again.

    Nothing happens if it was called off meanwhile; one put off has another timer.
    """
    reminder = session.get(Reminder, UUID(timer.key), with_for_update=True, populate_existing=True)
    if reminder is None or reminder.status != "armed":
        return
    reminder.status, reminder.fired_at = rules.move(reminder.status, "fired"), now()
    _tell(session, reminder)
    emit(session, contract.ReminderFired, reminder, _facts(reminder))
    if reminder.repeats == "yearly" and reminder.next_id is None:
        reminder.next_id = _follow(session, reminder).id


def settle_opportunity(session: Session, event: Envelope) -> None:
    """A follow-up is pointless once the opportunity is closed."""
    _settle(session, event, "opportunity", event.data["opportunity_id"], kind="follow_up")


def settle_order(session: Session, event: Envelope) -> None:
    """Nobody chases a payment that is there."""
    if event.data["paid_in_full"]:
        _settle(session, event, "order", event.data["order_id"], kind="payment_due")


def settle_task(session: Session, event: Envelope) -> None:
    """A task that is done needs no reminder."""
    _settle(session, event, "task", event.data["task_id"])


def settle_ticket(session: Session, event: Envelope) -> None:
    """Nor does a ticket that is closed."""
    _settle(session, event, "ticket", event.data["ticket_id"])


def _settle(
    session: Session,
    event: Envelope,
    subject_type: str,
    subject_id: UUID,
    *,
    kind: str | None = None,
) -> None:
    query = select(Reminder).where(
        Reminder.subject_type == subject_type,
        Reminder.subject_id == subject_id,
        Reminder.status.in_(rules.OPEN),
    )
    if kind is not None:
        query = query.where(Reminder.kind == kind)
    query = query.order_by(Reminder.id)
    identities = session.scalars(query.with_only_columns(Reminder.id)).all()
    if not identities:
        return  # As nearly always; one made after this look was made after the event, too.
    for identity in identities:
        cancel_timer(session, TIMER, str(identity))
    for reminder in session.scalars(query.with_for_update()):
        reminder.status = rules.move(reminder.status, "auto_resolved")
        reminder.resolved_by = event.type
        facts = {**_facts(reminder), "cause": event.type}
        emit(session, contract.ReminderAutoResolved, reminder, facts)


def _end(session: Session, reminder_id: UUID, status: str) -> dict[str, Any]:
    cancel_timer(session, TIMER, str(reminder_id))
    reminder = fetch(session, Reminder, reminder_id, lock=True)
    if reminder.status != status:
        reminder.status = rules.move(reminder.status, status)
        reminder.resolved_by = actor(session).initiator
        session.flush()
    return _shown(reminder)


def _arm(session: Session, reminder: Reminder) -> None:
    session.add(reminder)
    session.flush()
    set_timer(session, TIMER, str(reminder.id), reminder.due_at)


def _follow(session: Session, reminder: Reminder) -> Reminder:
    """Next year's, which goes on from where the first one began, so that 29 February is kept."""
    after = max(now(), reminder.due_at)
    due_at = rules.next_year(reminder.first_at, reminder.time_zone, after)
    kept = ("kind", "title", "note", "subject_type", "subject_id", "first_at", "time_zone")
    follower = Reminder(
        **{name: getattr(reminder, name) for name in kept},
        due_at=due_at.astimezone(UTC),
        repeats=reminder.repeats,
        status="armed",
        owner_id=reminder.owner_id,
        team_path=reminder.team_path,
    )
    _arm(session, follower)
    return follower


def _tell(session: Session, reminder: Reminder) -> None:
    if reminder.owner_id is None:
        return
    inbox.put(
        session,
        reminder.owner_id,
        "reminder",
        reminder.title,
        body=reminder.note,
        reminder_id=reminder.id,
        subject_type=reminder.subject_type,
        subject_id=reminder.subject_id,
    )
    owner = session.get(Colleague, reminder.owner_id, populate_existing=True)
    if owner is not None:
        messages.to_colleague(
            session,
            owner,
            "reminder",
            dedupe_key=f"reminder:{reminder.id}:{reminder.due_at.timestamp()}",
            values={
                "title": reminder.title,
                "due_at": wording.moment(reminder.due_at, reminder.time_zone, owner.language),
                "note": reminder.note or "",
            },
        )


def _ownership(session: Session, owner_id: UUID | None) -> dict[str, Any]:
    """Whose it is: the named colleague's, else the caller's, who must then be a person."""
    who = actor(session)
    own_id = who.id if who.kind == "staff" else None
    if owner_id is None and own_id is None:
        raise Invalid(
            "invalid",
            "Some fields need attention.",
            {"owner_id": ["Say who is to be reminded."]},
        )
    if owner_id is None or owner_id == own_id:
        return {"owner_id": own_id, "team_path": who.team_path}
    colleague = session.get(Colleague, owner_id, populate_existing=True)
    if colleague is None or not colleague.active:
        raise missing("Colleague")
    return {"owner_id": colleague.id, "team_path": colleague.team_path}


def _facts(reminder: Reminder) -> dict[str, Any]:
    names = ("kind", "owner_id", "subject_type", "subject_id")
    return {"reminder_id": reminder.id, **{name: getattr(reminder, name) for name in names}}


def _shown(reminder: Reminder) -> dict[str, Any]:
    return {name: getattr(reminder, name) for name in COLUMNS}
