"""Sales: opportunities, the orders they become, payments, and tasks for people."""

from marshmallow import fields, validate

from contracts.shapes import Money, Owned, Record, choice, day, moment, text
from crmkit.messages import Command, Event, Query, Reply, Versioned
from crmkit.pages import ListQuery, page_of

STAGES = ("qualification", "proposal", "negotiation")
STATUSES = ("open", "won", "lost")
ORDER_STATUSES = ("submitted", "confirmed", "rejected", "completed", "cancelled")
TASK_STATUSES = ("open", "done", "cancelled")


class OrderLine(Reply):
    """One position of an order."""

    description = text(200, required=True)
    quantity = fields.Integer(required=True, strict=True, validate=validate.Range(1, 1_000_000))
    unit_price = fields.Nested(Money, required=True)


class Opportunity(Owned):
    """A chance to sell."""

    customer_id = fields.UUID(required=True)
    customer_name = fields.String(required=True, allow_none=True)
    title = fields.String(required=True)
    amount = fields.Nested(Money, required=True)
    stage = choice(STAGES, required=True)
    status = choice(STATUSES, required=True)
    lost_reason = fields.String(required=True, allow_none=True)
    expected_on = day(required=True, allow_none=True)
    order_id = fields.UUID(required=True, allow_none=True)
    closed_at = moment(required=True, allow_none=True)


class Order(Owned):
    """What was sold. ``paid`` is the sum of its payments."""

    number = fields.String(required=True)
    customer_id = fields.UUID(required=True)
    customer_name = fields.String(required=True, allow_none=True)
    opportunity_id = fields.UUID(required=True, allow_none=True)
    status = choice(ORDER_STATUSES, required=True)
    total = fields.Nested(Money, required=True)
    paid = fields.Nested(Money, required=True)
    lines = fields.List(fields.Nested(OrderLine), required=True)
    payment_due_on = day(required=True, allow_none=True)
    submitted_at = moment(required=True)


class Task(Owned):
    """Something a person has to do for a customer."""

    title = fields.String(required=True)
    customer_id = fields.UUID(required=True, allow_none=True)
    customer_name = fields.String(required=True, allow_none=True)
    status = choice(TASK_STATUSES, required=True)
    due_on = day(required=True, allow_none=True)
    reason = fields.String(required=True, allow_none=True)


class CreateOpportunity(Command):
    """A new chance to sell to a customer; owned by the caller unless another is named."""

    reply = Opportunity
    id = fields.UUID()
    customer_id = fields.UUID(required=True)
    title = text(200, required=True)
    amount = fields.Nested(Money, required=True, unknown="raise")
    stage = choice(STAGES, load_default="qualification")
    expected_on = day(allow_none=True)
    owner_id = fields.UUID()


class GetOpportunity(Query):
    """One opportunity."""

    reply = Opportunity
    opportunity_id = fields.UUID(required=True)


class ListOpportunities(ListQuery):
    """Opportunities."""

    reply = page_of(Opportunity)
    filters = {
        "customer_id": fields.UUID(),
        "owner_id": fields.UUID(),
        "stage": choice(STAGES),
        "status": choice(STATUSES),
        "expected_on": day(),
        "created_at": moment(),
    }
    sorts = ("created_at", "updated_at")


class UpdateOpportunity(Versioned):
    """Change some facts of an open opportunity: JSON Merge Patch, null clears."""

    reply = Opportunity
    opportunity_id = fields.UUID(required=True)
    title = text(200)
    amount = fields.Nested(Money, unknown="raise")
    expected_on = day(allow_none=True)


class MoveOpportunity(Command):
    """Put an open opportunity into another stage."""

    reply = Opportunity
    opportunity_id = fields.UUID(required=True)
    stage = choice(STAGES, required=True)


class WinOpportunity(Command):
    """Close an opportunity as won and place its order. Asking twice places one order.

    The sum of the lines, all in the opportunity's currency, becomes the order's total and the
    opportunity's amount. ``payment_due_on`` is 30 days later unless given; null is no such day.
    """

    reply = Opportunity
    opportunity_id = fields.UUID(required=True)
    lines = fields.List(fields.Nested(OrderLine, unknown="raise"), validate=validate.Length(1, 200))
    payment_due_on = day(allow_none=True)


class LoseOpportunity(Command):
    """Close an opportunity as lost, saying why."""

    reply = Opportunity
    opportunity_id = fields.UUID(required=True)
    reason = text(500, required=True)


class GetOrder(Query):
    """One order."""

    reply = Order
    order_id = fields.UUID(required=True)


class ListOrders(ListQuery):
    """Orders."""

    reply = page_of(Order)
    filters = {
        "customer_id": fields.UUID(),
        "owner_id": fields.UUID(),
        "status": choice(ORDER_STATUSES),
        "created_at": moment(),
    }


class Payment(Record):
    """Money that came in for an order."""

    order_id = fields.UUID(required=True)
    amount = fields.Nested(Money, required=True)
    received_on = day(required=True)
    reference = fields.String(required=True, allow_none=True)


class RecordPayment(Command):
    """Note money that came in for an order, in the order's currency.

    With an ``id`` of the caller's own, asking twice notes it once.
    """

    reply = Order
    id = fields.UUID()
    order_id = fields.UUID(required=True)
    amount = fields.Nested(Money, required=True, unknown="raise")
    received_on = day(required=True)
    reference = text(100, allow_none=True)


class CreateTask(Command):
    """Give somebody, or oneself, something to do."""

    reply = Task
    id = fields.UUID()
    title = text(200, required=True)
    customer_id = fields.UUID(allow_none=True)
    due_on = day(allow_none=True)
    owner_id = fields.UUID()


class GetTask(Query):
    """One task."""

    reply = Task
    task_id = fields.UUID(required=True)


class ListTasks(ListQuery):
    """Tasks."""

    reply = page_of(Task)
    filters = {
        "customer_id": fields.UUID(),
        "owner_id": fields.UUID(),
        "status": choice(TASK_STATUSES),
        "due_on": day(),
    }


class CompleteTask(Command):
    """Say that a task is done. Asking twice changes nothing."""

    reply = Task
    task_id = fields.UUID(required=True)


class _OpportunityEvent(Event):
    """Titles and reasons are what people write about a customer, so they count as personal."""

    aggregate = "opportunity"
    happened = "changed"
    personal = True
    opportunity_id = fields.UUID(required=True)
    customer_id = fields.UUID(required=True)
    title = fields.String(required=True)
    amount = fields.Nested(Money, required=True)
    owner_id = fields.UUID(required=True, allow_none=True)
    team_path = fields.String(required=True)


class OpportunityCreated(_OpportunityEvent):
    """There is a new chance to sell."""

    happened = "created"
    stage = fields.String(required=True)


class OpportunityUpdated(_OpportunityEvent):
    """Facts of an opportunity are other than before."""

    happened = "updated"
    changed = fields.List(fields.String(), required=True)


class OpportunityStageChanged(_OpportunityEvent):
    """An opportunity went to another stage."""

    happened = "stage_changed"
    from_stage = fields.String(required=True)
    to_stage = fields.String(required=True)


class OpportunityWon(_OpportunityEvent):
    """The customer bought."""

    happened = "won"
    order_id = fields.UUID(required=True)


class OpportunityLost(_OpportunityEvent):
    """The customer did not buy."""

    happened = "lost"
    reason = fields.String(required=True)


class OrderSubmitted(Event):
    """An order was placed and awaits the ERP. The ERP makes the delivery and the invoice of it.

    The lines are written freely ("engraved: …"), so it counts as personal. The ERP gets it whole.
    """

    aggregate = "order"
    happened = "submitted"
    personal = True
    erp = True
    order_id = fields.UUID(required=True)
    number = fields.String(required=True)
    customer_id = fields.UUID(required=True)
    opportunity_id = fields.UUID(required=True, allow_none=True)
    total = fields.Nested(Money, required=True)
    lines = fields.List(fields.Nested(OrderLine), required=True)
    owner_id = fields.UUID(required=True, allow_none=True)
    team_path = fields.String(required=True)
    payment_due_on = day(required=True, allow_none=True)
    submitted_at = moment(required=True)


class PaymentRecorded(Event):
    """Money came in for an order."""

    aggregate = "order"
    happened = "payment_recorded"
    erp = True
    order_id = fields.UUID(required=True)
    customer_id = fields.UUID(required=True)
    payment_id = fields.UUID(required=True)
    amount = fields.Nested(Money, required=True)
    paid_in_full = fields.Boolean(required=True)


class TaskAssigned(Event):
    """Somebody has something to do. ``reason`` may hold a customer's own words."""

    aggregate = "task"
    happened = "assigned"
    personal = True
    task_id = fields.UUID(required=True)
    title = fields.String(required=True)
    customer_id = fields.UUID(required=True, allow_none=True)
    owner_id = fields.UUID(required=True, allow_none=True)
    team_path = fields.String(required=True)
    due_on = day(required=True, allow_none=True)
    reason = fields.String(required=True, allow_none=True)


class TaskDone(Event):
    """It was done."""

    aggregate = "task"
    happened = "done"
    task_id = fields.UUID(required=True)
    customer_id = fields.UUID(required=True, allow_none=True)
