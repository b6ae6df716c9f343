"""The second factor."""

from typing import Any, ClassVar

from marshmallow import fields, validate

from contracts.gateway.shapes import code
from contracts.shapes import moment
from crmkit.messages import Command, Query, Reply


class Mfa(Reply):
    """The state of one's second factor. ``required``: one's roles ask for it here."""

    enabled = fields.Boolean(required=True)
    enabled_at = moment(required=True, allow_none=True)
    recovery_codes_left = fields.Integer(required=True)
    required = fields.Boolean(required=True)


class GetMfa(Query):
    """Whether one has a second factor."""

    reply = Mfa


class MfaSecret(Reply):
    """What to put into an authenticator app, shown once; ``otpauth_uri`` is for a QR code."""

    secret = fields.String(required=True)
    otpauth_uri = fields.String(required=True)

    example: ClassVar[dict[str, Any]] = {
        "secret": "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ",
        "otpauth_uri": "otpauth://totp/Rapport%3Aminjun%40rapport.example?secret=GEZD…",
    }


class StartMfa(Command):
    """Begin to set up a second factor; it counts once ``confirm`` got its first code."""

    reply = MfaSecret
    password = fields.String(required=True, validate=validate.Length(1, 128), load_only=True)

    example: ClassVar[dict[str, Any]] = {"password": "correct horse battery staple"}


class RecoveryCodes(Reply):
    """Ten codes that each stand in for the second factor once; shown in this answer only."""

    recovery_codes = fields.List(fields.String(), required=True)

    example: ClassVar[dict[str, Any]] = {"recovery_codes": ["gezd-gnbv-gy3t-qojq"]}


class ConfirmMfa(Command):
    """Turn the second factor on with a code of the app. One's other sessions end."""

    reply = RecoveryCodes
    code = code(required=True)

    example: ClassVar[dict[str, Any]] = {"code": "123456"}


class TurnOffMfa(Command):
    """Turn the second factor off. Whose role asks for one may then only set up another."""

    reply = Reply
    password = fields.String(required=True, validate=validate.Length(1, 128), load_only=True)
    code = code(required=True)

    example: ClassVar[dict[str, Any]] = {
        "password": "correct horse battery staple",
        "code": "123456",
    }


class RenewRecoveryCodes(Command):
    """Replace all recovery codes that are left."""

    reply = RecoveryCodes
    password = fields.String(required=True, validate=validate.Length(1, 128), load_only=True)
    code = code(required=True)

    example: ClassVar[dict[str, Any]] = TurnOffMfa.example


class ResetStaffMfa(Command):
    """Take the second factor of a colleague away, who lost it; all their sessions end.

    One's own is turned off by ``turn-off``, which asks for a code.
    """

    reply = Reply
    staff_id = fields.UUID(required=True)
