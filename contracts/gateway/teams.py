"""Teams, which form the company's tree, and what other services keep of them."""

from typing import Any, ClassVar

from marshmallow import Schema, fields, validate

from contracts.gateway.shapes import TEAM_ID, WHEN
from contracts.shapes import Record, text
from crmkit.messages import Command, Event, Query, Versioned
from crmkit.pages import ListQuery, page_of


class TeamFacts(Schema):
    """The state of a team. ``path`` is its place in the tree and never changes."""

    team_id = fields.UUID(required=True)
    parent_id = fields.UUID(required=True, allow_none=True)
    name = fields.String(required=True)
    path = fields.String(required=True)

    example: ClassVar[dict[str, Any]] = {
        "team_id": TEAM_ID,
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


class Team(Record):
    """A team: a node of the company's tree."""

    parent_id = fields.UUID(required=True, allow_none=True)
    name = fields.String(required=True)
    path = fields.String(required=True)

    example: ClassVar[dict[str, Any]] = {
        "id": TEAM_ID,
        "version": 1,
        "parent_id": None,
        "name": "Seoul",
        "path": "/hq/seoul/",
        "created_at": WHEN,
        "updated_at": WHEN,
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
        "parent_id": TEAM_ID,
    }


class ChangeTeam(Versioned):
    """Give a team another name."""

    reply = Team
    team_id = fields.UUID(required=True)
    name = text(required=True)

    example: ClassVar[dict[str, Any]] = {"name": "Seoul and Incheon"}
