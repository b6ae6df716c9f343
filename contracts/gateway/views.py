"""What the gateway puts together from all owners: the feed, a customer, what is parked."""

from marshmallow import fields, validate

from contracts.shapes import choice, moment
from crmkit import catalog, parking
from crmkit.messages import Query, Reply


class ListParked(parking.ListParked):
    """What nobody could do: events, unreadable messages, messages for nobody, timers."""


class ReplayParked(parking.ReplayParked):
    """Have something parked tried again from the start, under the same event id."""

    # The name of the field would hide the command's own.
    owner_ = choice(catalog.owners(), required=True, data_key="owner")


class DiscardParked(parking.DiscardParked):
    """Give something parked up for good, with the reason."""

    owner_ = choice(catalog.owners(), required=True, data_key="owner")


class FeedPage(Reply):
    """Where the feed goes on."""

    next = fields.String(required=True)
    limit = fields.Integer(required=True)


class Events(Reply):
    """Events in CloudEvents 1.0 JSON. Personal data is left out unless ``events.personal``."""

    items = fields.List(fields.Dict(), required=True)
    page = fields.Nested(FeedPage, required=True)


class ReadEvents(Query):
    """Events of the feed after a cursor, oldest first; waits up to ``wait`` seconds for the first.

    ``types`` is a comma-separated list in which ``*`` stands for anything. Keep ``page.next`` and
    ask with it again: it moves on even when nothing matched.
    """

    reply = Events
    after = fields.String(load_default=None, validate=validate.Length(max=200))
    types = fields.String(load_default=None, validate=validate.Length(max=1000))
    subject = fields.String(load_default=None, validate=validate.Length(max=200))
    limit = fields.Integer(load_default=100, validate=validate.Range(1, 500))
    wait = fields.Integer(load_default=0, validate=validate.Range(0, 20))


class Part(Reply):
    """One part of a composed view. ``unavailable`` parts have no items and come back by asking."""

    status = choice(("ok", "unavailable"), required=True)
    as_of = moment(required=True, allow_none=True)
    items = fields.List(fields.Dict(), required=True)
    more = fields.Boolean(required=True)


class Customer360(Reply):
    """A customer and what every service knows of them."""

    customer = fields.Dict(required=True, allow_none=True)
    parts = fields.Dict(keys=fields.String(), values=fields.Nested(Part), required=True)


class ViewCustomer(Query):
    """A customer with their opportunities, orders, tickets, messages and campaigns."""

    reply = Customer360
    customer_id = fields.UUID(required=True)
