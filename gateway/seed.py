"""The demo company's teams and staff, and the ERP's key, straight into the gateway's tables."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any
from uuid import UUID, uuid5

import psycopg

from contracts import gateway as contract
from crmkit import codec
from crmkit.clock import now
from crmkit.ids import new_id
from crmkit.messages import Event, load
from crmkit.settings import from_environment
from demo import company as demo_company
from gateway.identity import passwords
from gateway.identity.families import digest

_OURS = UUID("6f1c2f8e-4a56-5d3c-9a57-0b9d5f0c7e21")
HEADQUARTERS_ID = uuid5(_OURS, "team /hq/")
ERP_KEY_ID = uuid5(_OURS, "api key of the ERP")
ERP_SCOPES = ["customers.read", "events.read", "orders.read"]
_CAPACITY = 20

_TEAM = (
    "insert into team (id, version, event_number, created_at, updated_at, parent_id, name, path)"
    " values (%(id)s, 1, 1, %(at)s, %(at)s, %(parent_id)s, %(name)s, %(path)s)"
)
_STAFF = (
    "insert into staff (id, version, event_number, created_at, updated_at, name, email, language,"
    " team_id, team_path, roles, capacity, active, password_hash) values (%(id)s, 1, 1, %(at)s,"
    " %(at)s, %(name)s, %(email)s, %(language)s, %(team_id)s, %(team_path)s, %(roles)s,"
    " %(capacity)s, %(active)s, %(password_hash)s)"
)
_API_KEY = (
    "insert into api_key (id, version, event_number, created_at, updated_at, name, secret_hash,"
    " scopes) values (%(id)s, 1, 0, %(at)s, %(at)s, %(name)s, %(secret_hash)s, %(scopes)s)"
)
_OUTBOX = (
    "insert into outbox (event_id, type, aggregate_id, aggregate_version, payload, context,"
    " created_at) values (%(event_id)s, %(type)s, %(aggregate_id)s, 1, %(payload)s,"
    """ '{"initiator": "system"}', %(at)s)"""
)


def seed(
    connection: "psycopg.Connection[Any]",
    demo: Any = demo_company,
    count: int = 0,
    report: Callable[[int], None] | None = None,
) -> None:
    """Teams, staff with their events, and the ERP's key; commits nothing itself.

    Everybody of the demo company has the password ADMIN_PASSWORD, so that each role can be tried.
    """
    settings = from_environment()
    admin_password, erp_key = settings.need("ADMIN_PASSWORD", "ERP_API_KEY")
    at = now()
    teams = list(_teams(demo))
    staff = list(_staff(demo, {team["path"]: team["id"] for team in teams}))
    password_hash = passwords.hashed(admin_password)
    with connection.cursor() as cursor:
        cursor.executemany(_TEAM, [{**team, "at": at} for team in teams])
        cursor.executemany(
            _STAFF, [{**one, "at": at, "password_hash": password_hash} for one in staff]
        )
        cursor.executemany(_OUTBOX, [{**row, "at": at} for row in _events(teams, staff)])
        key = {"id": ERP_KEY_ID, "name": "ERP", "scopes": ERP_SCOPES, "at": at}
        cursor.execute(_API_KEY, {**key, "secret_hash": digest(erp_key)})
    if report is not None:
        report(count)


def _teams(demo: Any) -> Iterable[dict[str, Any]]:
    """The head office first, since the others refer to it."""
    yield {"id": HEADQUARTERS_ID, "parent_id": None, "name": "Rapport", "path": demo.HQ_PATH}
    for team in demo.TEAMS:
        yield {
            "id": team.id,
            "parent_id": HEADQUARTERS_ID,
            "name": team.name,
            "path": team.path,
        }


def _staff(demo: Any, team_ids: Mapping[str, UUID]) -> Iterable[dict[str, Any]]:
    for one in demo.STAFF:
        yield {
            "id": one.id,
            "name": one.name,
            "email": one.email,
            "language": one.language,
            "team_id": team_ids[one.team_path],
            "team_path": one.team_path,
            "roles": sorted(one.roles),
            "capacity": _CAPACITY,
            "active": True,
        }


def _events(
    teams: Iterable[Mapping[str, Any]], staff: Iterable[Mapping[str, Any]]
) -> Iterable[dict[str, Any]]:
    for kind, rows in ((contract.teams.TeamCreated, teams), (contract.staff.StaffJoined, staff)):
        for row in rows:
            yield _event(kind, row)


def _event(kind: type[Event], row: Mapping[str, Any]) -> dict[str, Any]:
    facts = {kind.key if name == "id" else name: value for name, value in row.items()}
    payload = codec.dumps(facts)
    load(kind, codec.loads(payload))
    return {
        "event_id": new_id(),
        "type": kind.type,
        "aggregate_id": row["id"],
        "payload": payload.decode(),
    }
