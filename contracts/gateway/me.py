"""Whoever asks, and their own password."""

from typing import Any, ClassVar

from marshmallow import fields, validate

from contracts.gateway.shapes import ID, SCOPES, password
from contracts.gateway.staff import Staff
from contracts.shapes import choice
from crmkit.messages import Command, Query, Reply


class Me(Reply):
    """Who asks, and what they may do: each permission with its scope."""

    id = fields.UUID(required=True)
    kind = choice(("staff", "integration"), required=True)
    name = fields.String(required=True)
    permissions = fields.Dict(keys=fields.String(), values=choice(SCOPES), required=True)
    staff = fields.Nested(Staff, allow_none=True, required=True)

    example: ClassVar[dict[str, Any]] = {
        "id": ID,
        "kind": "staff",
        "name": "Kim Minjun",
        "permissions": {"customers.read": "team", "customers.write": "own"},
        "staff": Staff.example,
    }


class GetMe(Query):
    """Who asks."""

    reply = Me


class ChangePassword(Command):
    """Replace one's own password. All sessions end, this one too."""

    reply = Staff
    current_password = fields.String(
        required=True, validate=validate.Length(1, 128), load_only=True
    )
    new_password = password(required=True)

    example: ClassVar[dict[str, Any]] = {
        "current_password": "correct horse battery staple",
        "new_password": "another long sentence to remember",
    }
