"""Use cases of staff."""

from typing import Any
from uuid import UUID

from sqlalchemy import false, func, or_, select, true
from sqlalchemy.orm import Session
from sqlalchemy.sql import ColumnElement

from contracts.gateway import staff as contract
from crmkit import pages
from crmkit.db import actor, fetch, missing, select_named
from crmkit.errors import Conflict, Forbidden, Invalid, stale
from crmkit.ids import new_id
from crmkit.outbox import emit
from gateway import audit
from gateway.audit_chain import difference
from gateway.identity import factors, families, passwords, rules
from gateway.identity.attempts import Wait
from gateway.identity.factors import Refused
from gateway.identity.models import Staff, Team
from gateway.identity.roles import grants_of, known, refuse_more_than_own

COLUMNS: dict[str, Any] = {
    "id": Staff.id,
    "version": Staff.version,
    "name": Staff.name,
    "email": Staff.email,
    "language": Staff.language,
    "team_id": Staff.team_id,
    "team_path": Staff.team_path,
    "roles": Staff.roles,
    "capacity": Staff.capacity,
    "active": Staff.active,
    "created_at": Staff.created_at,
    "updated_at": Staff.updated_at,
}
_WHOLE = select_named(COLUMNS)


def shown(staff: Staff) -> dict[str, Any]:
    """The member of staff as colleagues see them."""
    return {name: getattr(staff, name) for name in COLUMNS}


def _facts(staff: Staff) -> dict[str, Any]:
    names = ("name", "email", "language", "team_id", "team_path", "roles", "capacity", "active")
    return {"staff_id": staff.id} | {name: getattr(staff, name) for name in names}


def _visible(session: Session) -> ColumnElement[bool]:
    """Staff in the actor's scope; everybody is in their own."""
    who = actor(session)
    place = {
        "all": true(),
        "subtree": func.starts_with(Staff.team_path, who.team_path),
        "team": Staff.team_path == who.team_path,
        "own": false(),
    }
    return or_(Staff.id == who.id, place[who.scope])


def list_staff(session: Session, **asked: Any) -> dict[str, Any]:
    """A page of the staff in the actor's scope."""
    statement = _WHOLE.where(_visible(session))
    return pages.page(session, statement, contract.ListStaff, COLUMNS, asked)


def get_staff(session: Session, *, staff_id: UUID) -> dict[str, Any]:
    """One member of staff; NotFound."""
    return shown(found(session, staff_id))


def found(session: Session, staff_id: UUID, *, lock: bool = False) -> Staff:
    """The member of staff of that id in the actor's scope; NotFound."""
    query = select(Staff).where(Staff.id == staff_id, _visible(session))
    person = session.scalars(query.with_for_update() if lock else query).one_or_none()
    if person is None:
        raise missing("Staff")
    return person


def refuse_own(session: Session, staff_id: UUID, code: str, instead: str) -> None:
    """Forbidden to do to oneself what ``instead`` does with a password or a code."""
    if actor(session).id == staff_id:
        raise Forbidden(code, f"For yourself, use {instead}.")


def add_staff(
    session: Session,
    *,
    name: str,
    email: str,
    team_id: UUID,
    roles: list[str],
    language: str = "en",
    capacity: int = 20,
    password: str | None = None,
    id: UUID | None = None,
) -> dict[str, Any]:
    """Take somebody on; Conflict when the address or the id is taken."""
    identity = id or new_id()
    _refuse_taken(session, email=email, or_id=identity)
    staff = Staff(
        id=identity,
        name=name,
        email=email.lower(),
        language=language,
        capacity=capacity,
        active=True,
        event_number=0,
    )
    _move(session, staff, team_id)
    _give(session, staff, roles)
    if password is not None:
        _set_password(staff, password)
    session.add(staff)
    emit(session, contract.StaffJoined, staff, _facts(staff))
    audit.note(session, "staff.added", f"staff/{staff.id}", **_noted(staff))
    return shown(staff)


def change_staff(
    session: Session, *, staff_id: UUID, if_match: int | None = None, **changes: Any
) -> dict[str, Any]:
    """Change a member of staff and announce it; what makes no difference announces nothing.

    Who leaves and changes otherwise, too, is announced as both. Forbidden when they may do more
    than the actor, or would after it; and for a new password of one's own, which takes the current
    one.
    """
    staff = found(session, staff_id, lock=True)
    if if_match is not None and if_match != staff.version:
        raise stale(if_match, staff.version)
    refuse_more_than_own(session, grants_of(session, staff.roles))
    before, noted, was_active = _facts(staff), _noted(staff), staff.active
    _apply(session, staff, changes)
    if not staff.active or "password" in changes:
        families.end_all(session, staff.id, "left" if not staff.active else "password_changed")
    session.flush()
    if was_active and not staff.active:
        left = {"staff_id": staff.id, "team_path": staff.team_path}
        emit(session, contract.StaffLeft, staff, left)
        before["active"] = False
    # After StaffLeft: a consumer that gets this one first knows all of the news, and the other way
    # round it would pass over these facts as older than what it knows.
    if _facts(staff) != before:
        emit(session, contract.StaffChanged, staff, _facts(staff))
    _note_change(session, staff, noted, password="password" in changes)
    return shown(staff)


def _noted(staff: Staff) -> dict[str, Any]:
    names = ("name", "email", "language", "team_path", "roles", "capacity", "active")
    return {name: getattr(staff, name) for name in names}


def _note_change(session: Session, staff: Staff, before: dict[str, Any], *, password: bool) -> None:
    changed = difference(before, _noted(staff))
    if changed:
        audit.note(session, "staff.changed", f"staff/{staff.id}", **changed)
    if password:
        audit.note(session, "password.set_by_other", f"staff/{staff.id}")


def _apply(session: Session, staff: Staff, changes: dict[str, Any]) -> None:
    for name in ("name", "language", "capacity", "active"):
        if name in changes:
            setattr(staff, name, changes[name])
    if "email" in changes and changes["email"].lower() != staff.email:
        _refuse_taken(session, email=changes["email"])
        staff.email = changes["email"].lower()
    if "team_id" in changes:
        _move(session, staff, changes["team_id"])
    if "roles" in changes:
        _give(session, staff, changes["roles"])
    if "password" in changes:
        refuse_own(session, staff.id, "own_password", "/v1/me/actions/change-password")
        _set_password(staff, changes["password"])


def _refuse_taken(session: Session, *, email: str, or_id: UUID | None = None) -> None:
    query = select(Staff.id).where(or_(Staff.email == email.lower(), Staff.id == or_id))
    if session.scalar(query.limit(1)) is not None:
        raise Conflict("staff_exists", "Somebody has that e-mail address or id already.")


def _move(session: Session, staff: Staff, team_id: UUID) -> None:
    team, who = fetch(session, Team, team_id), actor(session)
    if not rules.covers(who.scope, who.team_path, team.path):
        raise missing("Team")
    staff.team_id, staff.team_path = team.id, team.path


def _give(session: Session, staff: Staff, names: list[str]) -> None:
    rules_by_name = known(session, names)
    unknown = sorted(set(names) - rules_by_name.keys())
    if unknown:
        sentence = f"Unknown: {', '.join(unknown)}."
        raise Invalid("invalid", "Some fields need attention.", {"roles": [sentence]})
    refuse_more_than_own(session, rules.grants(names, rules_by_name))
    staff.roles = sorted(set(names))


def _set_password(staff: Staff, password: str) -> None:
    words = [*staff.name.split(), *staff.email.replace("@", ".").split(".")]
    problem = rules.weakness(password, words)
    if problem:
        raise Invalid("invalid", "Some fields need attention.", {"password": [problem]})
    staff.password_hash = passwords.hashed(password)


def change_password(
    session: Session, *, staff_id: UUID, current_password: str, new_password: str
) -> Wait | Refused | dict[str, Any]:
    """Replace one's own password and end all sessions; a verdict when the current one is wrong."""
    staff = factors.knows_password(session, staff_id, current_password)
    if not isinstance(staff, Staff):
        return staff
    _set_password(staff, new_password)
    families.end_all(session, staff.id, "password_changed")
    session.flush()
    audit.note(session, "password.changed", f"staff/{staff.id}")
    return shown(staff)
