"""Fields and values that several of the gateway's contracts are made of."""

from typing import Any

from marshmallow import fields, validate

SCOPES = ("own", "team", "subtree", "all")

ID = "0199c1f2-7c1e-7d1a-9d0e-6f0f8f7b2a11"
TEAM_ID = "0199c1f2-7c1e-7d1a-9d0e-6f0f8f7b2a22"
WHEN = "2026-11-22T03:04:05.678Z"


def permissions(**options: Any) -> fields.List[str]:
    """Permissions by name, or ``*`` for every one."""
    permission = fields.String(validate=validate.Regexp(r"^([a-z_]+\.[a-z_]+|\*)\Z"))
    return fields.List(permission, validate=validate.Length(1, 100), **options)


def password(**options: Any) -> fields.String:
    """A password that is set, not one that is asked for."""
    return fields.String(validate=validate.Length(12, 128), load_only=True, **options)


def code(**options: Any) -> fields.String:
    """A code of an authenticator app, or a recovery code."""
    shape = validate.Regexp(r"^[0-9A-Za-z -]{6,40}\Z", error="Not a code.")
    return fields.String(validate=shape, load_only=True, **options)
