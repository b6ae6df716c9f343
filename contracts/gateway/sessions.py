"""Logging in and out, and the sessions that are open."""

from typing import Any, ClassVar

from marshmallow import fields, validate

from contracts.gateway.shapes import ID, WHEN, code
from contracts.gateway.staff import Staff
from contracts.shapes import moment
from crmkit.messages import Command, Query, Reply


class Tokens(Reply):
    """A session's tokens. ``expires_in`` is the seconds the access token lives."""

    access_token = fields.String(required=True)
    refresh_token = fields.String(required=True)
    token_type = fields.String(required=True, validate=validate.Equal("Bearer"))
    expires_in = fields.Integer(required=True)
    staff = fields.Nested(Staff, required=True)

    example: ClassVar[dict[str, Any]] = {
        "access_token": "cra_x0Qd…",
        "refresh_token": "crr_Zk1c….9vUa…",
        "token_type": "Bearer",
        "expires_in": 3600,
        "staff": Staff.example,
    }


class SignIn(Command):
    """Log in with e-mail address and password."""

    reply = Tokens
    email = fields.String(required=True, validate=validate.Length(1, 254))
    password = fields.String(required=True, validate=validate.Length(1, 128), load_only=True)

    example: ClassVar[dict[str, Any]] = {
        "email": "minjun@rapport.example",
        "password": "correct horse battery staple",
    }


class RefreshSession(Command):
    """Exchange the refresh token for new tokens; the old one is spent.

    A spent token that comes again ends the session, since then two hold it and one has stolen it.
    """

    reply = Tokens
    refresh_token = fields.String(required=True, validate=validate.Length(1, 200), load_only=True)

    example: ClassVar[dict[str, Any]] = {"refresh_token": "crr_Zk1c….9vUa…"}


class SignOut(Command):
    """End the session that asks."""

    reply = Reply


class VerifySignIn(Command):
    """Finish a login that was answered ``mfa_required``: its challenge and a code.

    The code is of the authenticator app, or a recovery code; each is taken once.
    """

    reply = Tokens
    challenge = fields.String(required=True, validate=validate.Length(1, 200), load_only=True)
    code = code(required=True)

    example: ClassVar[dict[str, Any]] = {"challenge": "crl_Qm9v…", "code": "123456"}


class LoginSession(Reply):
    """A login that is not over. ``method`` is how it was proven: ``password+totp``, say."""

    id = fields.UUID(required=True)
    created_at = moment(required=True)
    renewed_at = moment(required=True)
    ends_at = moment(required=True)
    address = fields.String(required=True)
    method = fields.String(required=True)
    current = fields.Boolean(required=True)

    example: ClassVar[dict[str, Any]] = {
        "id": ID,
        "created_at": WHEN,
        "renewed_at": WHEN,
        "ends_at": "2026-12-22T03:04:05.678Z",
        "address": "192.0.2.7",
        "method": "password+totp",
        "current": True,
    }


class LoginSessions(Reply):
    """Open sessions, newest first, at most 200."""

    items = fields.List(fields.Nested(LoginSession), required=True)


class ListMySessions(Query):
    """One's own open sessions; ``current`` marks the one that asks."""

    reply = LoginSessions


class EndMySession(Command):
    """End one of one's own sessions; its tokens stop working within five seconds."""

    reply = Reply
    session_id = fields.UUID(required=True)


class ListStaffSessions(Query):
    """A colleague's open sessions."""

    reply = LoginSessions
    staff_id = fields.UUID(required=True)


class EndStaffSession(Command):
    """End a session of a colleague."""

    reply = Reply
    staff_id = fields.UUID(required=True)
    session_id = fields.UUID(required=True)


class EndStaffSessions(Command):
    """End all sessions of a colleague."""

    reply = Reply
    staff_id = fields.UUID(required=True)
