"""The audit log."""

from typing import Any, ClassVar

from marshmallow import fields, validate

from contracts.gateway.shapes import ID, WHEN
from contracts.shapes import moment
from crmkit.messages import Query, Reply
from crmkit.pages import ListQuery, page_of


class AuditEntry(Reply):
    """Something that somebody did or was refused. Personal data in ``details`` is masked."""

    id = fields.UUID(required=True)
    position = fields.Integer(required=True)
    at = moment(required=True)
    action = fields.String(required=True)
    actor = fields.String(required=True)
    subject = fields.String(required=True)
    address = fields.String(required=True, allow_none=True)
    request_id = fields.String(required=True)
    details = fields.Dict(required=True)

    example: ClassVar[dict[str, Any]] = {
        "id": ID,
        "position": 1042,
        "at": WHEN,
        "action": "staff.changed",
        "actor": f"staff:{ID}",
        "subject": f"staff/{ID}",
        "address": "192.0.2.7",
        "request_id": "0199c1f2-7c1e-7d1a-9d0e-6f0f8f7b2a33",
        "details": {"roles": {"before": ["sales"], "after": ["sales", "manager"]}},
    }


class ListAuditEntries(ListQuery):
    """Entries of the audit log, newest first. ``subject`` is like ``staff/0199c1f2-…``."""

    reply = page_of(AuditEntry)
    filters = {
        "action": fields.String(),
        "actor": fields.String(),
        "subject": fields.String(),
        "address": fields.String(),
        "request_id": fields.String(),
        "at": moment(),
    }
    sorts = ("position",)
    default_sort = "-position"


class AuditTrail(Reply):
    """Whether the log is as it was written. ``head`` is the hash of the last entry checked."""

    intact = fields.Boolean(required=True)
    checked = fields.Integer(required=True)
    broken_at = fields.Integer(required=True, allow_none=True)
    position = fields.Integer(required=True)
    head = fields.String(required=True)
    more = fields.Boolean(required=True)


class VerifyAuditTrail(Query):
    """Check the hash chain of the entries after a position; go on from ``position`` if ``more``.

    It is broken at that position when there is no such entry any more.
    """

    reply = AuditTrail
    after = fields.Integer(load_default=0, validate=validate.Range(0, 2**53))
    limit = fields.Integer(load_default=10_000, validate=validate.Range(1, 20_000))
