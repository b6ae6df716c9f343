"""What the gateway owns: staff, teams, roles, sessions and API keys, and two views it composes."""

from typing import Any, ClassVar

from marshmallow import Schema, fields, validate

from contracts.shapes import Record, choice, language, moment, text
from crmkit.messages import Command, Event, Query, Reply, Versioned
from crmkit.pages import ListQuery, page_of

SCOPES = ("own", "team", "subtree", "all")

_ID = "0199c1f2-7c1e-7d1a-9d0e-6f0f8f7b2a11"
_TEAM_ID = "0199c1f2-7c1e-7d1a-9d0e-6f0f8f7b2a22"
_WHEN = "2026-11-22T03:04:05.678Z"


def _roles(**options: Any) -> fields.List[str]:
    return fields.List(text(60), validate=validate.Length(1, 20), **options)


def _permissions(**options: Any) -> fields.List[str]:
    permission = fields.String(validate=validate.Regexp(r"^([a-z_]+\.[a-z_]+|\*)\Z"))
    return fields.List(permission, validate=validate.Length(1, 100), **options)


def _password(**options: Any) -> fields.String:
    return fields.String(validate=validate.Length(12, 128), load_only=True, **options)


# Events. Every service keeps a copy of staff and teams from them.


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
        "staff_id": _ID,
        "name": "Kim Minjun",
        "email": "minjun@rapport.example",
        "language": "ko",
        "team_id": _TEAM_ID,
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

    example: ClassVar[dict[str, Any]] = {"staff_id": _ID, "team_path": "/hq/seoul/"}


class TeamFacts(Schema):
    """The state of a team. ``path`` is its place in the tree and never changes."""

    team_id = fields.UUID(required=True)
    parent_id = fields.UUID(required=True, allow_none=True)
    name = fields.String(required=True)
    path = fields.String(required=True)

    example: ClassVar[dict[str, Any]] = {
        "team_id": _TEAM_ID,
        "parent_id": None,
        "name": "Seoul",
        "path": "/hq/seoul/",
    }


class TeamCreated(Event, TeamFacts):
    """A team was set up."""

    aggregate = "team"
    happened = "created"


class TeamChanged(Event, TeamFacts):
    """A team got another name."""

    aggregate = "team"
    happened = "changed"


# Staff and teams.


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
        "id": _ID,
        "version": 3,
        **{name: value for name, value in StaffFacts.example.items() if name != "staff_id"},
        "created_at": _WHEN,
        "updated_at": _WHEN,
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
    capacity = fields.Integer(load_default=20, validate=validate.Range(0, 1000))
    password = _password(load_default=None)

    example: ClassVar[dict[str, Any]] = {
        "name": "Kim Minjun",
        "email": "minjun@rapport.example",
        "language": "ko",
        "team_id": _TEAM_ID,
        "roles": ["sales"],
        "password": "correct horse battery staple",
    }


class ChangeStaff(Versioned):
    """Change a member of staff. ``active: false`` and a new password end all sessions."""

    reply = Staff
    staff_id = fields.UUID(required=True)
    name = text()
    email = fields.Email(validate=validate.Length(max=254))
    language = language()
    team_id = fields.UUID()
    roles = _roles()
    capacity = fields.Integer(validate=validate.Range(0, 1000))
    active = fields.Boolean()
    password = _password()

    example: ClassVar[dict[str, Any]] = {"roles": ["sales", "manager"], "capacity": 30}


class Team(Record):
    """A team: a node of the company's tree."""

    parent_id = fields.UUID(required=True, allow_none=True)
    name = fields.String(required=True)
    path = fields.String(required=True)

    example: ClassVar[dict[str, Any]] = {
        "id": _TEAM_ID,
        "version": 1,
        "parent_id": None,
        "name": "Seoul",
        "path": "/hq/seoul/",
        "created_at": _WHEN,
        "updated_at": _WHEN,
    }


class ListTeams(ListQuery):
    """All teams."""

    reply = page_of(Team)
    filters = {"parent_id": fields.UUID(), "path": fields.String()}
    sorts = ("path", "name", "created_at", "updated_at")
    default_sort = "path"


class GetTeam(Query):
    """One team."""

    reply = Team
    team_id = fields.UUID(required=True)


class CreateTeam(Command):
    """Set up a team. Its path is the parent's path, ``slug`` and a slash, and stays for good."""

    reply = Team
    id = fields.UUID()
    name = text(required=True)
    slug = fields.String(required=True, validate=validate.Regexp(r"^[a-z0-9-]{1,40}\Z"))
    parent_id = fields.UUID(load_default=None, allow_none=True)

    example: ClassVar[dict[str, Any]] = {
        "name": "Busan",
        "slug": "busan",
        "parent_id": _TEAM_ID,
    }


class ChangeTeam(Versioned):
    """Give a team another name."""

    reply = Team
    team_id = fields.UUID(required=True)
    name = text(required=True)

    example: ClassVar[dict[str, Any]] = {"name": "Seoul and Incheon"}


# Roles.


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


class PutRole(Command):
    """Define one of the company's own roles, or define it anew."""

    reply = Role
    role = fields.String(required=True, validate=validate.Regexp(r"^[a-z][a-z0-9_]{1,59}\Z"))
    permissions = _permissions(required=True)
    scope = choice(SCOPES, required=True)

    example: ClassVar[dict[str, Any]] = {
        "permissions": ["customers.read", "orders.read"],
        "scope": "all",
    }


# Sessions.


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


class ChangePassword(Command):
    """Replace one's own password. All sessions end, this one too."""

    reply = Staff
    current_password = fields.String(
        required=True, validate=validate.Length(1, 128), load_only=True
    )
    new_password = _password(required=True)

    example: ClassVar[dict[str, Any]] = {
        "current_password": "correct horse battery staple",
        "new_password": "another long sentence to remember",
    }


class Me(Reply):
    """Who asks, and what they may do: each permission with its scope."""

    id = fields.UUID(required=True)
    kind = choice(("staff", "integration"), required=True)
    name = fields.String(required=True)
    permissions = fields.Dict(keys=fields.String(), values=choice(SCOPES), required=True)
    staff = fields.Nested(Staff, allow_none=True, required=True)

    example: ClassVar[dict[str, Any]] = {
        "id": _ID,
        "kind": "staff",
        "name": "Kim Minjun",
        "permissions": {"customers.read": "team", "customers.write": "own"},
        "staff": Staff.example,
    }


class GetMe(Query):
    """Who asks."""

    reply = Me


# API keys.


class ApiKey(Record):
    """A key of another system. ``secret`` is shown once, when the key is made."""

    name = fields.String(required=True)
    scopes = fields.List(fields.String(), required=True)
    expires_at = moment(required=True, allow_none=True)
    revoked_at = moment(required=True, allow_none=True)
    secret = fields.String()

    example: ClassVar[dict[str, Any]] = {
        "id": _ID,
        "version": 1,
        "name": "ERP",
        "scopes": ["events.read", "orders.read"],
        "expires_at": None,
        "revoked_at": None,
        "created_at": _WHEN,
        "updated_at": _WHEN,
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
    """Make an API key. Nobody can hand out permissions that they do not have."""

    reply = ApiKey
    name = text(required=True)
    scopes = _permissions(required=True)
    expires_at = moment(load_default=None, allow_none=True)

    example: ClassVar[dict[str, Any]] = {
        "name": "ERP",
        "scopes": ["events.read", "orders.read"],
        "expires_at": "2027-11-22T00:00:00Z",
    }


class RevokeApiKey(Versioned):
    """End an API key for good; it stops working within five seconds."""

    reply = ApiKey
    api_key_id = fields.UUID(required=True)


# Views the gateway composes.


class ReadEvents(Query):
    """Events of the feed after a cursor, oldest first; waits up to ``wait`` seconds for the first.

    ``types`` is a comma-separated list in which ``*`` stands for anything. Keep ``page.next`` and
    ask with it again: it moves on even when nothing matched.
    """

    after = fields.String(load_default=None, validate=validate.Length(max=200))
    types = fields.String(load_default=None, validate=validate.Length(max=1000))
    subject = fields.String(load_default=None, validate=validate.Length(max=200))
    limit = fields.Integer(load_default=100, validate=validate.Range(1, 500))
    wait = fields.Integer(load_default=0, validate=validate.Range(0, 20))


class FeedPage(Reply):
    """Where the feed goes on."""

    next = fields.String(required=True)
    limit = fields.Integer(required=True)


class Events(Reply):
    """Events in CloudEvents 1.0 JSON. Personal data is left out unless ``events.personal``."""

    items = fields.List(fields.Dict(), required=True)
    page = fields.Nested(FeedPage, required=True)


ReadEvents.reply = Events


class Part(Reply):
    """One part of a composed view. ``unavailable`` parts have no items and come back by asking."""

    status = choice(("ok", "unavailable"), required=True)
    as_of = moment(required=True, allow_none=True)
    items = fields.List(fields.Dict(), required=True)
    more = fields.Boolean(required=True)


class Customer360(Reply):
    """A customer and what every service knows of them."""

    customer = fields.Dict(required=True)
    parts = fields.Dict(keys=fields.String(), values=fields.Nested(Part), required=True)


class ViewCustomer(Query):
    """A customer with their opportunities, orders, tickets, messages and campaigns."""

    reply = Customer360
    customer_id = fields.UUID(required=True)
