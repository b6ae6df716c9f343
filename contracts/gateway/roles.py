"""Roles: which permissions on whose records."""

from typing import Any, ClassVar

from marshmallow import fields, validate

from contracts.gateway.shapes import SCOPES, permissions
from contracts.shapes import choice
from crmkit.messages import Query, Reply, Versioned


class Role(Reply):
    """What whoever bears it may do, and on whose records. ``*`` stands for every permission."""

    name = fields.String(required=True)
    permissions = fields.List(fields.String(), required=True)
    scope = choice(SCOPES, required=True)
    built_in = fields.Boolean(required=True)
    version = fields.Integer(allow_none=True)

    example: ClassVar[dict[str, Any]] = {
        "name": "auditor",
        "permissions": ["customers.read", "orders.read"],
        "scope": "all",
        "built_in": False,
        "version": 1,
    }


class Roles(Reply):
    """All roles: those every installation has and the company's own."""

    items = fields.List(fields.Nested(Role), required=True)


class ListRoles(Query):
    """All roles, by name."""

    reply = Roles


class PutRole(Versioned):
    """Define one of the company's own roles, or define it anew, which takes the version seen.

    Nobody can define one that holds, or held before, more than they do.
    """

    reply = Role
    role = fields.String(required=True, validate=validate.Regexp(r"^[a-z][a-z0-9_]{1,59}\Z"))
    permissions = permissions(required=True)
    scope = choice(SCOPES, required=True)

    example: ClassVar[dict[str, Any]] = {
        "permissions": ["customers.read", "orders.read"],
        "scope": "all",
    }
