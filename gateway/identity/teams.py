"""Use cases of teams."""

from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from contracts.gateway import teams as contract
from crmkit import pages
from crmkit.db import fetch, select_named
from crmkit.errors import Conflict
from crmkit.ids import new_id
from crmkit.outbox import emit
from gateway import audit
from gateway.identity.models import Team

COLUMNS: dict[str, Any] = {
    "id": Team.id,
    "version": Team.version,
    "parent_id": Team.parent_id,
    "name": Team.name,
    "path": Team.path,
    "created_at": Team.created_at,
    "updated_at": Team.updated_at,
}
_WHOLE = select_named(COLUMNS)


def shown(team: Team) -> dict[str, Any]:
    """The team as its readers see it."""
    return {name: getattr(team, name) for name in COLUMNS}


def _facts(team: Team) -> dict[str, Any]:
    return {
        "team_id": team.id,
        "parent_id": team.parent_id,
        "name": team.name,
        "path": team.path,
    }


def list_teams(session: Session, **asked: Any) -> dict[str, Any]:
    """A page of teams."""
    return pages.page(session, _WHOLE, contract.ListTeams, COLUMNS, asked)


def get_team(session: Session, *, team_id: UUID) -> dict[str, Any]:
    """One team; NotFound."""
    return shown(fetch(session, Team, team_id))


def create_team(
    session: Session,
    *,
    name: str,
    slug: str,
    parent_id: UUID | None = None,
    id: UUID | None = None,
) -> dict[str, Any]:
    """Set up a team below its parent; Conflict when the path is taken."""
    above = fetch(session, Team, parent_id).path if parent_id else "/"
    path = f"{above}{slug}/"
    identity = id or new_id()
    taken = session.scalar(select(Team.id).where((Team.path == path) | (Team.id == identity)))
    if taken is not None:
        raise Conflict("team_exists", f"There is a team at {path} or with that id already.")
    team = Team(id=identity, name=name, parent_id=parent_id, path=path, event_number=0)
    session.add(team)
    emit(session, contract.TeamCreated, team, _facts(team))
    audit.note(session, "team.created", f"team/{team.id}", path=team.path, title=name)
    return shown(team)


def change_team(
    session: Session, *, team_id: UUID, name: str, if_match: int | None = None
) -> dict[str, Any]:
    """Rename a team; the same name again announces nothing."""
    team = fetch(session, Team, team_id, lock=True, if_match=if_match)
    if team.name != name:
        renamed = {"before": team.name, "after": name}
        team.name = name
        emit(session, contract.TeamChanged, team, _facts(team))
        audit.note(session, "team.changed", f"team/{team.id}", title=renamed)
    return shown(team)
