"""Service: feedback and complaints, the tickets they become, and how content the customer was."""

from marshmallow import fields, validate

from contracts.shapes import Owned, Record, choice, moment, text
from crmkit.messages import Command, Event, Query, Reply
from crmkit.pages import ListQuery, page_of

FEEDBACK_KINDS = ("complaint", "suggestion", "praise", "question")
FEEDBACK_CHANNELS = ("web", "email", "phone", "app", "agent")
FEEDBACK_STATUSES = ("received", "acknowledged", "converted", "answered", "dismissed")
PRIORITIES = ("low", "normal", "high", "urgent")
TICKET_STATUSES = (
    "new",
    "assigned",
    "in_progress",
    "waiting_customer",
    "resolved",
    "survey_pending",
    "closed",
    "cancelled",
)
LOWEST_SCORE, HIGHEST_SCORE = 1, 5


class Feedback(Record):
    """What a customer had to say. A complaint or question becomes a ticket."""

    customer_id = fields.UUID(required=True)
    kind = choice(FEEDBACK_KINDS, required=True)
    channel = choice(FEEDBACK_CHANNELS, required=True)
    subject = fields.String(required=True)
    body = fields.String(required=True)
    status = choice(FEEDBACK_STATUSES, required=True)
    ticket_id = fields.UUID(required=True, allow_none=True)


class Ticket(Owned):
    """A piece of service work. ``owner_id`` is the agent it is assigned to."""

    number = fields.String(required=True)
    customer_id = fields.UUID(required=True)
    customer_name = fields.String(required=True, allow_none=True)
    subject = fields.String(required=True)
    body = fields.String(required=True)
    priority = choice(PRIORITIES, required=True)
    status = choice(TICKET_STATUSES, required=True)
    outcome = fields.String(required=True, allow_none=True)
    score = fields.Integer(required=True, allow_none=True)
    resolved_at = moment(required=True, allow_none=True)
    closed_at = moment(required=True, allow_none=True)


class TicketStep(Reply):
    """One step of a ticket. ``by`` names who took it, such as ``staff:0199…`` or ``system``."""

    from_status = choice(TICKET_STATUSES, required=True, allow_none=True)
    to_status = choice(TICKET_STATUSES, required=True)
    by = fields.String(required=True)
    at = moment(required=True)
    note = fields.String(required=True)


class TicketWithHistory(Ticket):
    """A ticket and how it came to where it is, oldest step first."""

    history = fields.List(fields.Nested(TicketStep), required=True)


class RecordFeedback(Command):
    """Take down what a customer says."""

    reply = Feedback
    id = fields.UUID()
    customer_id = fields.UUID(required=True)
    kind = choice(FEEDBACK_KINDS, required=True)
    channel = choice(FEEDBACK_CHANNELS, load_default="agent")
    subject = text(200, required=True)
    body = text(10_000, required=True)
    priority = choice(PRIORITIES, load_default="normal")


class GetFeedback(Query):
    """One piece of feedback."""

    reply = Feedback
    feedback_id = fields.UUID(required=True)


class ListFeedback(ListQuery):
    """Feedback, praise included."""

    reply = page_of(Feedback)
    filters = {
        "customer_id": fields.UUID(),
        "kind": choice(FEEDBACK_KINDS),
        "status": choice(FEEDBACK_STATUSES),
        "created_at": moment(),
    }


class GetTicket(Query):
    """One ticket with its history."""

    reply = TicketWithHistory
    ticket_id = fields.UUID(required=True)


class ListTickets(ListQuery):
    """Tickets."""

    reply = page_of(Ticket)
    filters = {
        "customer_id": fields.UUID(),
        "owner_id": fields.UUID(),
        "status": choice(TICKET_STATUSES),
        "priority": choice(PRIORITIES),
        "created_at": moment(),
    }
    sorts = ("created_at", "updated_at")


class StartTicket(Command):
    """The agent takes up the work."""

    reply = Ticket
    ticket_id = fields.UUID(required=True)


class AssignTicket(Command):
    """Give a ticket to another agent."""

    reply = Ticket
    ticket_id = fields.UUID(required=True)
    owner_id = fields.UUID(required=True)


class ResolveTicket(Command):
    """Say what came of it. The customer is told and asked how content they are."""

    reply = Ticket
    ticket_id = fields.UUID(required=True)
    outcome = text(5000, required=True)


class ReopenTicket(Command):
    """Take a resolved or closed ticket up again."""

    reply = Ticket
    ticket_id = fields.UUID(required=True)
    reason = text(1000, required=True)


class Survey(Reply):
    """The question as the customer sees it; whoever holds the link learns nothing about them."""

    ticket_number = fields.String(required=True)
    subject = fields.String(required=True)
    language = fields.String(required=True)
    status = choice(("sent", "answered", "expired"), required=True)
    expires_at = moment(required=True)


class GetSurvey(Query):
    """The survey behind a link."""

    reply = Survey
    token = text(100, required=True)


class AnswerSurvey(Command):
    """The customer's one answer, 1 (bad) to 5 (good). A second one is refused."""

    reply = Survey
    token = text(100, required=True)
    score = fields.Integer(
        required=True, strict=True, validate=validate.Range(LOWEST_SCORE, HIGHEST_SCORE)
    )
    comment = text(2000, least=0, load_default="")


class FeedbackReceived(Event):
    """A customer said something."""

    aggregate = "feedback"
    happened = "received"
    feedback_id = fields.UUID(required=True)
    customer_id = fields.UUID(required=True)
    kind = fields.String(required=True)
    ticket_id = fields.UUID(required=True, allow_none=True)


class _TicketEvent(Event):
    """A ticket's subject, outcome and reasons speak of a customer, often in their own words."""

    aggregate = "ticket"
    happened = "changed"
    personal = True
    ticket_id = fields.UUID(required=True)
    number = fields.String(required=True)
    customer_id = fields.UUID(required=True)
    subject = fields.String(required=True)
    priority = fields.String(required=True)
    owner_id = fields.UUID(required=True, allow_none=True)
    team_path = fields.String(required=True)


class TicketOpened(_TicketEvent):
    """There is service work to do."""

    happened = "opened"


class TicketAssigned(_TicketEvent):
    """An agent has it."""

    happened = "assigned"


class TicketResolved(_TicketEvent):
    """The work is done, as far as we can tell."""

    happened = "resolved"
    outcome = fields.String(required=True)


class TicketReopened(_TicketEvent):
    """It was not done after all."""

    happened = "reopened"
    reason = fields.String(required=True)


class TicketClosed(_TicketEvent):
    """The customer answered, or the time for an answer is over."""

    happened = "closed"
    score = fields.Integer(required=True, allow_none=True)


class SurveyRequested(Event):
    """A customer is to be asked. Carries the secret of the link, so it stays out of the feed."""

    aggregate = "survey"
    happened = "requested"
    personal = True
    feed = False
    survey_id = fields.UUID(required=True)
    ticket_id = fields.UUID(required=True)
    ticket_number = fields.String(required=True)
    customer_id = fields.UUID(required=True)
    subject = fields.String(required=True)
    outcome = fields.String(required=True)
    token = fields.String(required=True)
    expires_at = moment(required=True)


class SurveyAnswered(Event):
    """A customer said how content they are."""

    aggregate = "survey"
    happened = "answered"
    personal = True
    survey_id = fields.UUID(required=True)
    ticket_id = fields.UUID(required=True)
    customer_id = fields.UUID(required=True)
    score = fields.Integer(required=True)
    comment = fields.String(required=True)


class CustomerDetractorFlagged(Event):
    """A customer is so discontent that somebody should call and nobody should advertise."""

    aggregate = "survey"
    happened = "detractor_flagged"
    personal = True
    survey_id = fields.UUID(required=True)
    ticket_id = fields.UUID(required=True)
    ticket_number = fields.String(required=True)
    customer_id = fields.UUID(required=True)
    score = fields.Integer(required=True)
    comment = fields.String(required=True)
