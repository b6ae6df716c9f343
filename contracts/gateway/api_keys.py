"""Keys of other systems."""

from typing import Any, ClassVar

from marshmallow import fields, validate

from contracts.gateway.shapes import ID, WHEN, permissions
from contracts.shapes import Record, moment, text
from crmkit.messages import Command, Query, Versioned
from crmkit.pages import ListQuery, page_of


class ApiKey(Record):
    """A key of another system. ``secret`` is shown once, when it is made.

    ``networks`` are those it may be used from, any when the list is empty. ``previous_ends_at`` is
    when the secret before the last rotation stops working.
    """

    name = fields.String(required=True)
    scopes = fields.List(fields.String(), required=True)
    networks = fields.List(fields.String(), required=True)
    expires_at = moment(required=True, allow_none=True)
    previous_ends_at = moment(required=True, allow_none=True)
    last_used_at = moment(required=True, allow_none=True)
    revoked_at = moment(required=True, allow_none=True)
    secret = fields.String()

    example: ClassVar[dict[str, Any]] = {
        "id": ID,
        "version": 1,
        "name": "ERP",
        "scopes": ["events.read", "orders.read"],
        "networks": ["203.0.113.0/24"],
        "expires_at": None,
        "previous_ends_at": None,
        "last_used_at": WHEN,
        "revoked_at": None,
        "created_at": WHEN,
        "updated_at": WHEN,
    }


class ListApiKeys(ListQuery):
    """All API keys, without their secrets."""

    reply = page_of(ApiKey)
    filters = {"name": fields.String()}
    sorts = ("created_at", "name", "updated_at")


class GetApiKey(Query):
    """One API key, without its secret."""

    reply = ApiKey
    api_key_id = fields.UUID(required=True)


class CreateApiKey(Command):
    """Make an API key. Nobody can hand out permissions that they do not have.

    A key that is bound to networks or a time makes, and renews, only keys bound as closely.
    """

    reply = ApiKey
    name = text(required=True)
    scopes = permissions(required=True)
    networks = fields.List(
        fields.String(validate=validate.Length(2, 50)),
        load_default=list,
        validate=validate.Length(max=50),
    )
    expires_at = moment(load_default=None, allow_none=True)

    example: ClassVar[dict[str, Any]] = {
        "name": "ERP",
        "scopes": ["events.read", "orders.read"],
        "networks": ["203.0.113.0/24"],
        "expires_at": "2027-11-22T00:00:00Z",
    }


class RevokeApiKey(Versioned):
    """End an API key for good; it stops working within five seconds."""

    reply = ApiKey
    api_key_id = fields.UUID(required=True)


class RotateApiKey(Versioned):
    """Give a key a new secret. The one before works on for ``overlap_hours``, so that two do."""

    reply = ApiKey
    api_key_id = fields.UUID(required=True)
    overlap_hours = fields.Integer(load_default=168, strict=True, validate=validate.Range(0, 720))

    example: ClassVar[dict[str, Any]] = {"overlap_hours": 24}
