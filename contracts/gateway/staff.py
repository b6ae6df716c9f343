"""Members of staff, and what other services keep of them."""

from typing import Any, ClassVar

from marshmallow import Schema, fields, validate

from contracts.gateway.shapes import ID, TEAM_ID, WHEN, password
from contracts.shapes import Record, language, text
from crmkit.messages import Command, Event, Query, Versioned
from crmkit.pages import ListQuery, page_of


def _roles(**options: Any) -> fields.List[str]:
    return fields.List(text(60), validate=validate.Length(1, 20), **options)


class StaffFacts(Schema):
    """The state of a member of staff after the change. ``capacity``: open tickets at one time."""

    staff_id = fields.UUID(required=True)
    name = fields.String(required=True)
    email = fields.String(required=True)
    language = fields.String(required=True)
    team_id = fields.UUID(required=True)
    team_path = fields.String(required=True)
    roles = fields.List(fields.String(), required=True)
    capacity = fields.Integer(required=True)
    active = fields.Boolean(required=True)

    example: ClassVar[dict[str, Any]] = {
        "staff_id": ID,
        "name": "Kim Minjun",
        "email": "minjun@rapport.example",
        "language": "ko",
        "team_id": TEAM_ID,
        "team_path": "/hq/seoul/",
        "roles": ["sales"],
        "capacity": 20,
        "active": True,
    }


class StaffJoined(Event, StaffFacts):
    """Somebody joined the company's staff."""

    aggregate = "staff"
    happened = "joined"
    personal = True


class StaffChanged(Event, StaffFacts):
    """Name, team, roles, language or capacity of a member of staff changed; or they came back."""

    aggregate = "staff"
    happened = "changed"
    personal = True


class StaffLeft(Event):
    """A member of staff can no longer log in; whoever holds their work must pass it on."""

    aggregate = "staff"
    happened = "left"
    personal = True

    staff_id = fields.UUID(required=True)
    team_path = fields.String(required=True)

    example: ClassVar[dict[str, Any]] = {"staff_id": ID, "team_path": "/hq/seoul/"}


class Staff(Record):
    """A member of staff."""

    name = fields.String(required=True)
    email = fields.String(required=True)
    language = fields.String(required=True)
    team_id = fields.UUID(required=True)
    team_path = fields.String(required=True)
    roles = fields.List(fields.String(), required=True)
    capacity = fields.Integer(required=True)
    active = fields.Boolean(required=True)

    example: ClassVar[dict[str, Any]] = {
        "id": ID,
        "version": 3,
        **{name: value for name, value in StaffFacts.example.items() if name != "staff_id"},
        "created_at": WHEN,
        "updated_at": WHEN,
    }


class ListStaff(ListQuery):
    """Staff in the actor's scope."""

    reply = page_of(Staff)
    filters = {
        "team_id": fields.UUID(),
        "email": fields.String(),
        "active": fields.Boolean(),
        "language": fields.String(),
    }
    sorts = ("created_at", "name", "email", "updated_at")
    default_sort = "name"


class GetStaff(Query):
    """One member of staff."""

    reply = Staff
    staff_id = fields.UUID(required=True)


class AddStaff(Command):
    """Take somebody on. Without a password they cannot log in until one is set."""

    reply = Staff
    id = fields.UUID()
    name = text(required=True)
    email = fields.Email(required=True, validate=validate.Length(max=254))
    language = language(load_default="en")
    team_id = fields.UUID(required=True)
    roles = _roles(required=True)
    capacity = fields.Integer(load_default=20, strict=True, validate=validate.Range(0, 1000))
    password = password(load_default=None)

    example: ClassVar[dict[str, Any]] = {
        "name": "Kim Minjun",
        "email": "minjun@rapport.example",
        "language": "ko",
        "team_id": TEAM_ID,
        "roles": ["sales"],
        "password": "correct horse battery staple",
    }


class ChangeStaff(Versioned):
    """Change a member of staff. ``active: false`` and a new password end all sessions.

    One's own password is changed by ``change-password``, which asks for the current one.
    """

    reply = Staff
    staff_id = fields.UUID(required=True)
    name = text()
    email = fields.Email(validate=validate.Length(max=254))
    language = language()
    team_id = fields.UUID()
    roles = _roles()
    capacity = fields.Integer(strict=True, validate=validate.Range(0, 1000))
    active = fields.Boolean()
    password = password()

    example: ClassVar[dict[str, Any]] = {"roles": ["sales", "manager"], "capacity": 30}
