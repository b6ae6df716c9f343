"""Token families: what a login opens, each refresh renews and a reused token ends."""

import secrets
from dataclasses import dataclass
from datetime import timedelta
from hashlib import sha256
from hmac import compare_digest
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, delete, select, update
from sqlalchemy.orm import Session

from crmkit.clock import now
from crmkit.db import missing
from gateway import audit
from gateway.identity.models import LoginChallenge, LoginFailure, LoginSession, OidcLogin, Staff

MOST_SHOWN = 200

REFRESH_IDLE, REFRESH_LONGEST = timedelta(days=14), timedelta(days=30)
ACCESS_PREFIX, REFRESH_PREFIX = "cra_", "crr_"


def digest(token: str) -> bytes:
    """How a token is kept. Tokens are random, so a plain hash cannot be guessed back."""
    return sha256(token.encode()).digest()


def _random() -> str:
    return secrets.token_urlsafe(32)


@dataclass(frozen=True, slots=True)
class Opened:
    """A session's tokens, whose they are, and the seconds the access token lives."""

    staff: Staff
    access_token: str
    refresh_token: str
    expires_in: int


def who_has(session: Session, email: str) -> Staff | None:
    """The active member of staff with that address."""
    return session.scalars(
        select(Staff).where(Staff.email == email.strip().lower(), Staff.active)
    ).one_or_none()


def locked(session: Session, staff_id: UUID | None) -> Staff | None:
    """The active member of staff of that id, locked; to be asked before a login opens anything.

    Whatever ends sessions holds the same lock. It came before, which shows here, or it comes after
    and ends what was opened.
    """
    query = select(Staff).where(Staff.id == staff_id, Staff.active).with_for_update()
    return session.scalars(query.execution_options(populate_existing=True)).one_or_none()


def open_session(
    session: Session, *, staff_id: UUID, address: str, minutes: int, method: str = "password"
) -> Opened:
    """A new session of somebody who proved who they are, by ``method``."""
    person = session.get_one(Staff, staff_id)
    family = LoginSession(
        staff_id=person.id,
        family_hash=digest(name := _random()),
        ends_at=now() + REFRESH_LONGEST,
        address=address,
        method=method,
    )
    session.add(family)
    opened = _renewed(family, name, person, minutes)
    session.flush()
    subject = f"session/{family.id}"
    audit.note(session, "login.succeeded", subject, by=f"staff:{person.id}", method=method)
    return opened


def _renewed(family: LoginSession, name: str, person: Staff, minutes: int) -> Opened:
    access, spendable = ACCESS_PREFIX + _random(), _random()
    family.access_hash = digest(access)
    family.access_expires_at = min(now() + timedelta(minutes=minutes), family.ends_at)
    family.refresh_hash = digest(spendable)
    family.refresh_expires_at = min(now() + REFRESH_IDLE, family.ends_at)
    family.renewed_at = now()
    seconds = round((family.access_expires_at - now()).total_seconds())
    return Opened(person, access, f"{REFRESH_PREFIX}{name}.{spendable}", seconds)


def renew(session: Session, *, refresh_token: str, minutes: int) -> Opened | None:
    """New tokens for a refresh token, which is spent by it; None when it is not valid.

    A spent one that comes again ends the family: either the thief or the owner had it first, and
    nobody can tell which (RFC 9700 section 4.14.2).
    """
    name, _, spendable = refresh_token.removeprefix(REFRESH_PREFIX).partition(".")
    family = session.scalars(
        select(LoginSession)
        .where(LoginSession.family_hash == digest(name), LoginSession.ended_at.is_(None))
        .with_for_update()
    ).one_or_none()
    if family is None:
        return None
    if not compare_digest(family.refresh_hash, digest(spendable)):
        _end(family, "refresh_token_reused")
        who = f"staff:{family.staff_id}"
        audit.note(session, "session.token_reused", f"session/{family.id}", by=who)
        return None
    person = session.get_one(Staff, family.staff_id)
    if family.refresh_expires_at <= now() or not person.active:
        _end(family, "expired")
        return None
    return _renewed(family, name, person, minutes)


def _end(family: LoginSession, reason: str) -> None:
    family.ended_at, family.end_reason = now(), reason


def _still_open() -> tuple[ColumnElement[bool], ...]:
    return (LoginSession.ended_at.is_(None), LoginSession.refresh_expires_at > now())


def list_open(session: Session, staff_id: UUID, current: UUID | None = None) -> dict[str, Any]:
    """The sessions of a member of staff that are not over, newest first."""
    query = select(LoginSession).where(LoginSession.staff_id == staff_id, *_still_open())
    rows = session.scalars(query.order_by(LoginSession.id.desc()).limit(MOST_SHOWN))
    return {
        "items": [
            {
                "id": row.id,
                "created_at": row.created_at,
                "renewed_at": row.renewed_at,
                "ends_at": row.ends_at,
                "address": row.address,
                "method": row.method,
                "current": row.id == current,
            }
            for row in rows
        ]
    }


def end(session: Session, *, staff_id: UUID, session_id: UUID, reason: str) -> None:
    """End one session of a member of staff; NotFound when they have no such open session."""
    ended = session.execute(
        update(LoginSession)
        .where(
            LoginSession.id == session_id,
            LoginSession.staff_id == staff_id,
            LoginSession.ended_at.is_(None),
        )
        .values(ended_at=now(), end_reason=reason)
        .returning(LoginSession.id)
    ).one_or_none()
    if ended is None:
        raise missing("Session")
    audit.note(session, "session.ended", f"session/{session_id}", reason=reason, staff=staff_id)


def end_all(session: Session, staff_id: UUID, reason: str, *, but: UUID | None = None) -> None:
    """End all sessions of a member of staff, or all others, and logins that are half way."""
    ended = session.scalars(
        update(LoginSession)
        .where(
            LoginSession.staff_id == staff_id,
            LoginSession.ended_at.is_(None),
            LoginSession.id.is_distinct_from(but),
        )
        .values(ended_at=now(), end_reason=reason)
        .returning(LoginSession.id)
    ).all()
    session.execute(delete(LoginChallenge).where(LoginChallenge.staff_id == staff_id))
    if ended:
        audit.note(session, "session.all_ended", f"staff/{staff_id}", reason=reason, ended=ended)


def forget_old(session: Session) -> None:
    """Delete what no login needs any more: sessions a month over, failures a day old."""
    session.execute(delete(LoginSession).where(LoginSession.ends_at < now() - REFRESH_LONGEST))
    session.execute(delete(LoginFailure).where(LoginFailure.last_at < now() - timedelta(days=1)))
    session.execute(delete(LoginChallenge).where(LoginChallenge.expires_at < now()))
    session.execute(delete(OidcLogin).where(OidcLogin.expires_at < now()))
