"""Use cases of roles, and what somebody's roles let them do."""

from collections.abc import Iterable, Mapping
from typing import Any, cast

from sqlalchemy import select
from sqlalchemy.orm import Session

from crmkit.context import Scope
from crmkit.db import actor
from crmkit.errors import Conflict, Forbidden, Invalid, stale
from gateway import audit
from gateway.identity import rules
from gateway.identity.models import ApiKey, Role, Staff
from gateway.identity.rules import ROLES, RoleRule
from gateway.principals import EVERYTHING
from gateway.problems import Problem


def known(session: Session, names: Iterable[str] | None = None) -> dict[str, RoleRule]:
    """The rules of all roles, or of these; the company's own are only read when they are needed."""
    asked = None if names is None else set(names) - ROLES.keys()
    if asked is not None and not asked:
        return dict(ROLES)
    query = select(Role) if asked is None else select(Role).where(Role.name.in_(asked))
    own = {
        role.name: RoleRule(frozenset(role.permissions), cast(Scope, role.scope))
        for role in session.scalars(query)
    }
    return own | dict(ROLES)


def grants_of(session: Session, names: Iterable[str]) -> dict[str, Scope]:
    """What whoever bears these roles may do."""
    listed = list(names)
    return rules.grants(listed, known(session, listed))


def refuse_more_than_own(session: Session, asked: Mapping[str, Scope]) -> None:
    """Forbidden when the actor would hand out, or touch, more than they hold themselves."""
    who = actor(session)
    if who.kind == "system":
        return
    if who.kind == "staff":
        names = session.scalar(select(Staff.roles).where(Staff.id == who.id)) or []
        held = grants_of(session, names)
    else:
        scopes = session.scalar(select(ApiKey.scopes).where(ApiKey.id == who.id)) or []
        held = rules.grants_of_key(scopes)
    if not rules.within(asked, held):
        raise Forbidden(
            "more_than_own",
            "Nobody can give, or take from others, permissions that they do not have.",
        )


def _shown(name: str, rule: RoleRule, version: int | None) -> dict[str, Any]:
    return {
        "name": name,
        "permissions": sorted(rule.permissions),
        "scope": rule.scope,
        "built_in": name in ROLES,
        "version": version,
    }


def list_roles(session: Session) -> dict[str, Any]:
    """All roles, by name."""
    rows = session.execute(select(Role.name, Role.version))
    versions = {name: version for name, version in rows}  # noqa: C416 - rows are not pairs to mypy
    found = known(session)
    return {"items": [_shown(name, found[name], versions.get(name)) for name in sorted(found)]}


def put_role(
    session: Session,
    *,
    role: str,
    permissions: list[str],
    scope: Scope,
    if_match: int | None = None,
) -> dict[str, Any]:
    """Define a role or define it anew; those of every installation cannot be.

    Sessions of whoever bears it follow within five seconds. Forbidden when it holds, or held, more
    than the actor: defining it anew takes from whoever bears it what it held. Who changes one says
    the version they saw; asking for what is there already changes nothing.
    """
    if role in ROLES:
        raise Conflict("role_is_built_in", f"The role {role} is the same in every installation.")
    unknown = sorted(set(permissions) - rules.PERMISSIONS - {EVERYTHING})
    if unknown:
        sentence = f"Unknown: {', '.join(unknown)}."
        raise Invalid("invalid", "Some fields need attention.", {"permissions": [sentence]})
    if EVERYTHING in permissions and scope != "all":
        sentence = "* is everything, and what is the company's has no narrower scope."
        raise Invalid("invalid", "Some fields need attention.", {"scope": [sentence]})
    rule = RoleRule(frozenset(permissions), scope)
    refuse_more_than_own(session, rules.grants([role], {role: rule}))
    row = session.scalars(select(Role).where(Role.name == role).with_for_update()).one_or_none()
    before = {"permissions": row.permissions, "scope": row.scope} if row else None
    after = {"permissions": sorted(rule.permissions), "scope": scope}
    if row is None:
        row = Role(name=role, event_number=0)
        session.add(row)
    elif before != after:
        refuse_more_than_own(session, grants_of(session, [role]))
        _refuse_unseen(row.version, if_match)
    row.permissions, row.scope = sorted(rule.permissions), scope
    session.flush()
    if before != after:
        audit.note(session, "role.defined", f"role/{role}", before=before, after=after)
    return _shown(role, rule, row.version)


def _refuse_unseen(version: int, if_match: int | None) -> None:
    if if_match is None:
        raise Problem(428, "if_match_missing")
    if if_match != version:
        raise stale(if_match, version)
