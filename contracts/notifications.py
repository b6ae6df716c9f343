"""Notifications: messages to customers and staff, what became of them, and reminders."""

from zoneinfo import ZoneInfo

from marshmallow import ValidationError, fields, validate, validates_schema

from contracts.shapes import CHANNELS, Owned, Record, choice, moment, text
from crmkit.messages import Command, Event, Query, Reply
from crmkit.pages import ListQuery, page_of

MESSAGE_PURPOSES = ("marketing", "transactional", "service", "internal")
MESSAGE_STATUSES = (
    "queued",
    "held",
    "sending",
    "sent",
    "delivered",
    "bounced",
    "failed",
    "suppressed",
    "cancelled",
    "unknown",
)
REMINDER_KINDS = (
    "follow_up",
    "birthday",
    "contract_expiry",
    "payment_due",
    "task_assigned",
    "custom",
)
REMINDER_STATUSES = ("armed", "fired", "acknowledged", "auto_resolved", "cancelled")
SUBJECT_TYPES = ("customer", "opportunity", "order", "contract", "ticket", "task")
REPORTED_STATES = (
    "accepted",
    "delivered",
    "bounced",
    "failed",
    "suppressed",
    "cancelled",
    "unknown",
)
"""What may become of a recipient. ``accepted`` and ``unknown`` may be followed by a later word."""


class Message(Record):
    """One message to one address, in exactly one state. ``reason`` says why it is not sent."""

    purpose = choice(MESSAGE_PURPOSES, required=True)
    channel = choice(CHANNELS, required=True)
    template = fields.String(required=True)
    customer_id = fields.UUID(required=True, allow_none=True)
    campaign_id = fields.UUID(required=True, allow_none=True)
    language = fields.String(required=True)
    address = fields.String(required=True)
    subject = fields.String(required=True, allow_none=True)
    status = choice(MESSAGE_STATUSES, required=True)
    reason = fields.String(required=True, allow_none=True)
    attempts = fields.Integer(required=True)
    sent_at = moment(required=True, allow_none=True)


class GetMessage(Query):
    """One message."""

    reply = Message
    message_id = fields.UUID(required=True)


class ListMessages(ListQuery):
    """Messages."""

    reply = page_of(Message)
    filters = {
        "customer_id": fields.UUID(),
        "campaign_id": fields.UUID(),
        "channel": choice(CHANNELS),
        "purpose": choice(MESSAGE_PURPOSES),
        "status": choice(MESSAGE_STATUSES),
        "created_at": moment(),
    }


class Reminder(Owned):
    """Something not to be missed. ``owner_id`` is who is reminded.

    ``resolved_by`` names the event that settled it, or whoever acknowledged or cancelled it.
    """

    kind = choice(REMINDER_KINDS, required=True)
    title = fields.String(required=True)
    note = fields.String(required=True, allow_none=True)
    subject_type = choice(SUBJECT_TYPES, required=True, allow_none=True)
    subject_id = fields.UUID(required=True, allow_none=True)
    due_at = moment(required=True)
    time_zone = fields.String(required=True)
    repeats = choice(("never", "yearly"), required=True)
    status = choice(REMINDER_STATUSES, required=True)
    fired_at = moment(required=True, allow_none=True)
    resolved_by = fields.String(required=True, allow_none=True)


def _is_time_zone(name: str) -> None:
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        raise ValidationError("Not an IANA time zone, such as Asia/Seoul.") from None


class CreateReminder(Command):
    """Be reminded, or have a colleague reminded, at a time.

    It disarms by itself when its fact is settled: a follow-up when the opportunity closes, a
    payment when the order is paid, a task when it is done. A birthday comes again every year.
    """

    reply = Reminder
    id = fields.UUID()
    kind = choice(REMINDER_KINDS, required=True)
    title = text(200, required=True)
    note = text(2000, allow_none=True)
    subject_type = choice(SUBJECT_TYPES)
    subject_id = fields.UUID()
    due_at = moment(required=True)
    time_zone = fields.String(load_default="Asia/Seoul", validate=_is_time_zone)
    owner_id = fields.UUID()

    @validates_schema
    def _subject_is_whole(self, data: dict[str, object], **_: object) -> None:
        for given, lacking in (("subject_type", "subject_id"), ("subject_id", "subject_type")):
            if data.get(given) and not data.get(lacking):
                raise ValidationError(f"Belongs with {given}.", lacking)


class GetReminder(Query):
    """One reminder."""

    reply = Reminder
    reminder_id = fields.UUID(required=True)


class ListReminders(ListQuery):
    """Reminders."""

    reply = page_of(Reminder)
    filters = {
        "kind": choice(REMINDER_KINDS),
        "status": choice(REMINDER_STATUSES),
        "owner_id": fields.UUID(),
        "subject_id": fields.UUID(),
        "due_at": moment(),
    }
    sorts = ("due_at", "created_at")
    default_sort = "due_at"


class _ReminderAction(Command):
    reply = Reminder
    reminder_id = fields.UUID(required=True)


class AcknowledgeReminder(_ReminderAction):
    """Seen and taken care of."""


class CancelReminder(_ReminderAction):
    """Not needed any more."""


class SnoozeReminder(_ReminderAction):
    """Remind again later."""

    due_at = moment(required=True)


class InboxItem(Record):
    """An entry in somebody's in-app inbox."""

    owner_id = fields.UUID(required=True)
    kind = fields.String(required=True)
    title = fields.String(required=True)
    body = fields.String(required=True, allow_none=True)
    reminder_id = fields.UUID(required=True, allow_none=True)
    subject_type = fields.String(required=True, allow_none=True)
    subject_id = fields.UUID(required=True, allow_none=True)
    unread = fields.Boolean(required=True)
    read_at = moment(required=True, allow_none=True)


class ListInboxItems(ListQuery):
    """The caller's own inbox, newest first."""

    reply = page_of(InboxItem)
    filters = {"unread": fields.Boolean(), "kind": fields.String()}


class ReadInboxItem(Command):
    """Mark an entry of one's inbox as read."""

    reply = InboxItem
    item_id = fields.UUID(required=True)


class Result(Reply):
    """What became of one recipient of a campaign."""

    recipient_id = fields.UUID(required=True)
    state = choice(REPORTED_STATES, required=True)
    reason = fields.String(required=True, allow_none=True)


class Unsubscribed(Reply):
    """By what channel there is no more advertising; whoever holds the link learns no name."""

    channel = choice(CHANNELS, required=True)


class Unsubscribe(Command):
    """Want no more advertising, by the link in a message. Asking twice changes nothing."""

    reply = Unsubscribed
    token = text(200, required=True)


class UnsubscribeReceived(Event):
    """A customer wants no more advertising by a channel; the proof is the message with the link."""

    aggregate = "unsubscription"
    happened = "received"
    unsubscription_id = fields.UUID(required=True)
    customer_id = fields.UUID(required=True)
    channel = fields.String(required=True)
    message_id = fields.UUID(required=True)
    campaign_id = fields.UUID(required=True, allow_none=True)
    at = moment(required=True)


class MessagesReported(Event):
    """What became of a batch of campaign messages; at most 500.

    A reason is what a server said, which likes to name the address.
    """

    aggregate = "report"
    happened = "reported"
    personal = True
    feed = False
    report_id = fields.UUID(required=True)
    campaign_id = fields.UUID(required=True)
    results = fields.List(fields.Nested(Result), required=True, validate=validate.Length(1, 500))


class MessageSent(Event):
    """A provider took a message that was not part of a campaign."""

    aggregate = "message"
    happened = "sent"
    message_id = fields.UUID(required=True)
    customer_id = fields.UUID(required=True, allow_none=True)
    channel = fields.String(required=True)
    template = fields.String(required=True)


class _ReminderEvent(Event):
    aggregate = "reminder"
    happened = "changed"
    reminder_id = fields.UUID(required=True)
    kind = fields.String(required=True)
    owner_id = fields.UUID(required=True, allow_none=True)
    subject_type = fields.String(required=True, allow_none=True)
    subject_id = fields.UUID(required=True, allow_none=True)


class ReminderFired(_ReminderEvent):
    """Somebody was reminded."""

    happened = "fired"


class ReminderAutoResolved(_ReminderEvent):
    """What it was about is settled. ``cause`` is the type of the event that says so."""

    happened = "auto_resolved"
    cause = fields.String(required=True)
