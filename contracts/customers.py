"""Customers: people and organisations, how to reach them, what they agreed to, where they stand."""

from collections.abc import Mapping
from typing import Any

from marshmallow import fields, pre_load, validate

from contracts.shapes import CHANNELS, Owned, choice, country, day, language, moment, text
from crmkit.messages import Command, Event, Query, Reply, Versioned
from crmkit.pages import ListQuery, page_of

KINDS = ("person", "organisation")
STAGES = (
    "suspect",
    "prospect",
    "qualified",
    "first_buyer",
    "repeat",
    "loyal",
    "dormant",
    "lost",
    "win_back",
    "recovered",
    "abandoned",
    "do_not_pursue",
)
PURPOSES = ("marketing",)
CONTACT_KINDS = ("email", "phone")
NAME_ORDERS = ("family_first", "given_first")


class Name(Reply):
    """A name in the parts its bearer gave. A person has family and given, or one ``full`` name.

    ``display_order`` is for those who go by another order than that of their script: of Hangul,
    kana and Han the family first, of all else the given name.
    """

    family = text(100)
    given = text(100)
    middle = text(100)
    full = text(200)
    display_order = choice(NAME_ORDERS)


class ContactPoint(Reply):
    """A way to reach a customer. Phones come in any national form and are kept as E.164.

    ``textable`` says of a phone that it is a mobile one, which text messages reach.
    """

    kind = choice(CONTACT_KINDS, required=True)
    value = text(254, required=True)
    primary = fields.Boolean(load_default=False)
    textable = fields.Boolean(dump_only=True)

    @pre_load
    def _ignore_what_is_only_shown(self, data: Any, **_: Any) -> Any:
        """So that a list can be sent back as it was got; elsewhere unknown fields are refused."""
        if not isinstance(data, Mapping):
            return data
        shown_only = {name for name, one in self.fields.items() if one.dump_only}
        return {name: value for name, value in data.items() if name not in shown_only}


class Consent(Reply):
    """What the customer agreed to, and how that can be proven: the words shown and where."""

    channel = choice(CHANNELS, required=True)
    purpose = choice(PURPOSES, load_default="marketing")
    granted = fields.Boolean(required=True)
    source = text(100, required=True)
    proof = text(2000, required=True)
    recorded_at = moment(dump_only=True)


class Customer(Owned):
    """A customer as its readers see it."""

    kind = choice(KINDS, required=True)
    display_name = fields.String(required=True)
    name = fields.Nested(Name, required=True)
    reading = fields.String(required=True, allow_none=True)
    language = language(required=True)
    country = country(required=True)
    city = fields.String(required=True, allow_none=True)
    industry = fields.String(required=True, allow_none=True)
    birthday = day(required=True, allow_none=True)
    source = fields.String(required=True, allow_none=True)
    tags = fields.List(fields.String(), required=True)
    lifecycle_stage = choice(STAGES, required=True)
    contact_points = fields.List(fields.Nested(ContactPoint), required=True)
    consents = fields.List(fields.Nested(Consent), required=True)


class CustomerRow(Owned):
    """A customer in a list."""

    kind = choice(KINDS, required=True)
    display_name = fields.String(required=True)
    language = language(required=True)
    country = country(required=True)
    lifecycle_stage = choice(STAGES, required=True)
    email = fields.String(required=True, allow_none=True)
    phone = fields.String(required=True, allow_none=True)
    tags = fields.List(fields.String(), required=True)


_tags = validate.Length(max=50)


class RegisterCustomer(Command):
    """A new person or organisation. The caller becomes the owner unless another is named."""

    reply = Customer
    id = fields.UUID()
    kind = choice(KINDS, required=True)
    name = fields.Nested(Name, required=True, unknown="raise")
    reading = text(200, allow_none=True)
    language = language(required=True)
    country = country(required=True)
    city = text(100, allow_none=True)
    industry = text(100, allow_none=True)
    birthday = day(allow_none=True)
    source = text(100, allow_none=True)
    tags = fields.List(text(50), load_default=list, validate=_tags)
    contact_points = fields.List(
        fields.Nested(ContactPoint, unknown="raise"),
        load_default=list,
        validate=validate.Length(max=20),
    )
    consents = fields.List(
        fields.Nested(Consent, unknown="raise"),
        load_default=list,
        validate=validate.Length(max=20),
    )
    owner_id = fields.UUID()


class GetCustomer(Query):
    """One customer."""

    reply = Customer
    customer_id = fields.UUID(required=True)


class UpdateCustomer(Versioned):
    """Change some facts of a customer: JSON Merge Patch, null clears. Lists are replaced whole."""

    reply = Customer
    customer_id = fields.UUID(required=True)
    name = fields.Nested(Name, unknown="raise")
    reading = text(200, allow_none=True)
    language = language()
    country = country()
    city = text(100, allow_none=True)
    industry = text(100, allow_none=True)
    birthday = day(allow_none=True)
    source = text(100, allow_none=True)
    tags = fields.List(text(50), validate=_tags)
    contact_points = fields.List(
        fields.Nested(ContactPoint, unknown="raise"), validate=validate.Length(max=20)
    )


class ListCustomers(ListQuery):
    """Customers. ``q`` finds part of a name in any script, an e-mail, the end of a phone."""

    reply = page_of(CustomerRow)
    filters = {
        "kind": choice(KINDS),
        "language": fields.String(),
        "country": fields.String(),
        "lifecycle_stage": choice(STAGES),
        "owner_id": fields.UUID(),
        "created_at": moment(),
        "updated_at": moment(),
    }
    sorts = ("created_at", "updated_at", "display_name")
    q = text(100)


class RecordConsent(Command):
    """Add to the ledger what a customer agreed to or withdrew. Nothing in it is ever changed."""

    reply = Customer
    customer_id = fields.UUID(required=True)
    channel = choice(CHANNELS, required=True)
    purpose = choice(PURPOSES, load_default="marketing")
    granted = fields.Boolean(required=True)
    source = text(100, required=True)
    proof = text(2000, required=True)


class TransferCustomer(Command):
    """Give a customer to a colleague, whose team then sees it. To its owner changes nothing."""

    reply = Customer
    customer_id = fields.UUID(required=True)
    owner_id = fields.UUID(required=True)


class _CustomerFacts(Event):
    """What the other services keep a copy of. ``consents`` lists channels open to marketing.

    ``mobile`` is the first phone a text message can reach, which ``phone`` need not be.
    """

    aggregate = "customer"
    happened = "described"
    personal = True

    customer_id = fields.UUID(required=True)
    kind = fields.String(required=True)
    display_name = fields.String(required=True)
    language = fields.String(required=True)
    country = fields.String(required=True)
    lifecycle_stage = fields.String(required=True)
    owner_id = fields.UUID(required=True, allow_none=True)
    team_path = fields.String(required=True)
    tags = fields.List(fields.String(), required=True)
    email = fields.String(required=True, allow_none=True)
    phone = fields.String(required=True, allow_none=True)
    mobile = fields.String(load_default=None, allow_none=True)
    birthday = day(required=True, allow_none=True)
    consents = fields.List(fields.String(), required=True)


class CustomerRegistered(_CustomerFacts):
    """A customer is new."""

    happened = "registered"
    erp = True


class CustomerUpdated(_CustomerFacts):
    """Facts, consents or the life-cycle stage of a customer are other than before."""

    happened = "updated"
    erp = True
    changed = fields.List(fields.String(), required=True)


class CustomerLifecycleChanged(Event):
    """A customer moved on, or back, in the life cycle. ``cause`` names the event or person."""

    aggregate = "customer"
    happened = "lifecycle_changed"
    erp = True
    customer_id = fields.UUID(required=True)
    from_stage = fields.String(required=True)
    to_stage = fields.String(required=True)
    cause = fields.String(required=True)
