"""What the gateway owns: staff, teams, roles, sessions and API keys, and two views it composes."""

from typing import Any, ClassVar

from marshmallow import Schema, fields, validate

from contracts.shapes import Record, choice, language, moment, text
from crmkit import catalog, parking
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


def _code(**options: Any) -> fields.String:
    shape = validate.Regexp(r"^[0-9A-Za-z -]{6,40}\Z", error="Not a code.")
    return fields.String(validate=shape, load_only=True, **options)


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
    capacity = fields.Integer(load_default=20, strict=True, validate=validate.Range(0, 1000))
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
    capacity = fields.Integer(strict=True, validate=validate.Range(0, 1000))
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


class VerifySignIn(Command):
    """Finish a login that was answered ``mfa_required``: its challenge and a code.

    The code is of the authenticator app, or a recovery code; each is taken once.
    """

    reply = Tokens
    challenge = fields.String(required=True, validate=validate.Length(1, 200), load_only=True)
    code = _code(required=True)

    example: ClassVar[dict[str, Any]] = {"challenge": "crl_Qm9v…", "code": "123456"}


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
        "id": _ID,
        "issuer": "https://login.example",
        "subject": "248289761001",
        "created_at": _WHEN,
    }


class StaffIdentities(Reply):
    """The identities of a member of staff."""

    items = fields.List(fields.Nested(StaffIdentity), required=True)


class ListStaffIdentities(Query):
    """A colleague's identities at OpenID providers."""

    reply = StaffIdentities
    staff_id = fields.UUID(required=True)


class LinkIdentity(Command):
    """Let a colleague log in by an identity of the OpenID provider."""

    reply = StaffIdentity
    staff_id = fields.UUID(required=True)
    issuer = fields.Url(required=True, require_tld=False, validate=validate.Length(max=500))
    subject = text(255, required=True)

    example: ClassVar[dict[str, Any]] = {
        "issuer": "https://login.example",
        "subject": "248289761001",
    }


class UnlinkIdentity(Command):
    """Take an identity from a colleague; their sessions end."""

    reply = Reply
    staff_id = fields.UUID(required=True)
    identity_id = fields.UUID(required=True)


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
        "id": _ID,
        "created_at": _WHEN,
        "renewed_at": _WHEN,
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


# The second factor.


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
    """Turn the second factor on with a code of the app."""

    reply = RecoveryCodes
    code = _code(required=True)

    example: ClassVar[dict[str, Any]] = {"code": "123456"}


class TurnOffMfa(Command):
    """Turn the second factor off."""

    reply = Reply
    password = fields.String(required=True, validate=validate.Length(1, 128), load_only=True)
    code = _code(required=True)

    example: ClassVar[dict[str, Any]] = {
        "password": "correct horse battery staple",
        "code": "123456",
    }


class RenewRecoveryCodes(Command):
    """Replace all recovery codes that are left."""

    reply = RecoveryCodes
    password = fields.String(required=True, validate=validate.Length(1, 128), load_only=True)
    code = _code(required=True)

    example: ClassVar[dict[str, Any]] = TurnOffMfa.example


class ResetStaffMfa(Command):
    """Take the second factor of a colleague away, who lost it; all their sessions end."""

    reply = Reply
    staff_id = fields.UUID(required=True)


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
        "id": _ID,
        "version": 1,
        "name": "ERP",
        "scopes": ["events.read", "orders.read"],
        "networks": ["203.0.113.0/24"],
        "expires_at": None,
        "previous_ends_at": None,
        "last_used_at": _WHEN,
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


# The audit log.


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
        "id": _ID,
        "position": 1042,
        "at": _WHEN,
        "action": "staff.changed",
        "actor": f"staff:{_ID}",
        "subject": f"staff/{_ID}",
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
    """Check the hash chain of the entries after a position; go on from ``position`` if ``more``."""

    reply = AuditTrail
    after = fields.Integer(load_default=0, validate=validate.Range(0, 2**53))
    limit = fields.Integer(load_default=20_000, validate=validate.Range(1, 100_000))


# Views the gateway composes.


# What is parked, in the databases of all owners.


class ListParked(parking.ListParked):
    """What nobody could do: events, unreadable messages, messages for nobody, timers."""


class ReplayParked(parking.ReplayParked):
    """Have something parked tried again from the start, under the same event id."""

    # The name of the field would hide the command's own.
    owner_ = choice(catalog.owners(), required=True, data_key="owner")


class DiscardParked(parking.DiscardParked):
    """Give something parked up for good, with the reason."""

    owner_ = choice(catalog.owners(), required=True, data_key="owner")


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

    customer = fields.Dict(required=True, allow_none=True)
    parts = fields.Dict(keys=fields.String(), values=fields.Nested(Part), required=True)


class ViewCustomer(Query):
    """A customer with their opportunities, orders, tickets, messages and campaigns."""

    reply = Customer360
    customer_id = fields.UUID(required=True)
