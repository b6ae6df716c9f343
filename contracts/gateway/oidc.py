"""Logging in at the company's OpenID provider, and who is who there."""

from typing import Any, ClassVar

from marshmallow import Schema, fields, validate

from contracts.gateway.sessions import Tokens
from contracts.gateway.shapes import ID, WHEN
from contracts.shapes import moment, text
from crmkit.messages import Command, Query, Reply


class OidcLogin(Reply):
    """Where to send somebody, and what to come back with. Keep ``binding`` to yourself."""

    authorization_url = fields.String(required=True)
    state = fields.String(required=True)
    binding = fields.String(required=True)
    expires_in = fields.Integer(required=True)

    example: ClassVar[dict[str, Any]] = {
        "authorization_url": "https://login.example/authorize?response_type=code&…",
        "state": "xOe2…",
        "binding": "7hUq…",
        "expires_in": 600,
    }


class StartOidc(Command):
    """Begin a login at the company's OpenID provider."""

    reply = OidcLogin


class FinishOidc(Command):
    """Finish a login with what the provider sent back and the ``binding`` of its start.

    ``iss`` is the parameter of that name, if the provider sends one (RFC 9207).
    """

    reply = Tokens
    state = fields.String(required=True, validate=validate.Length(1, 200), load_only=True)
    binding = fields.String(required=True, validate=validate.Length(1, 200), load_only=True)
    code = fields.String(required=True, validate=validate.Length(1, 4000), load_only=True)
    iss = fields.String(load_default=None, allow_none=True, validate=validate.Length(max=500))

    example: ClassVar[dict[str, Any]] = {"state": "xOe2…", "binding": "7hUq…", "code": "SplxlO…"}


class StaffIdentity(Reply):
    """Who a member of staff is at an OpenID provider."""

    id = fields.UUID(required=True)
    issuer = fields.String(required=True)
    subject = fields.String(required=True)
    created_at = moment(required=True)

    example: ClassVar[dict[str, Any]] = {
        "id": ID,
        "issuer": "https://login.example",
        "subject": "248289761001",
        "created_at": WHEN,
    }


class StaffIdentities(Reply):
    """The identities of a member of staff."""

    items = fields.List(fields.Nested(StaffIdentity), required=True)


class ListStaffIdentities(Query):
    """A colleague's identities at OpenID providers."""

    reply = StaffIdentities
    staff_id = fields.UUID(required=True)


class _NamedByProvider(Schema):
    issuer = fields.Url(required=True, require_tld=False, validate=validate.Length(max=500))
    subject = text(255, required=True)

    example: ClassVar[dict[str, Any]] = {
        "issuer": "https://login.example",
        "subject": "248289761001",
    }


class LinkIdentity(_NamedByProvider, Command):
    """Let a colleague log in by an identity of the OpenID provider."""

    reply = StaffIdentity
    staff_id = fields.UUID(required=True)


class LinkMyIdentity(_NamedByProvider, Command):
    """Let oneself log in by an identity of the OpenID provider."""

    reply = StaffIdentity
    password = fields.String(required=True, validate=validate.Length(1, 128), load_only=True)

    example: ClassVar[dict[str, Any]] = {
        "password": "correct horse battery staple",
        **_NamedByProvider.example,
    }


class UnlinkIdentity(Command):
    """Take an identity from a colleague; their sessions end."""

    reply = Reply
    staff_id = fields.UUID(required=True)
    identity_id = fields.UUID(required=True)
