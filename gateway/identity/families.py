"""Token families: what a login opens, each refresh renews and a reused token ends."""

import logging
import secrets
from dataclasses import dataclass
from datetime import timedelta
from hashlib import sha256
from hmac import compare_digest
from uuid import UUID

from sqlalchemy import delete, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from crmkit.clock import now
from gateway.identity import passwords, rules
from gateway.identity.models import LoginFailure, LoginSession, Staff

audit = logging.getLogger("gateway.audit")

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


@dataclass(frozen=True, slots=True)
class Wait:
    """The verdict that a login comes too soon after wrong passwords."""

    seconds: int


def begin_attempt(session: Session, key: bytes) -> Wait | None:
    """Count an attempt before its password is checked; a verdict when it comes too soon.

    Counting first closes the gap through which many attempts at once would all be the first.
    """
    session.execute(insert(LoginFailure).values(key=key, count=0).on_conflict_do_nothing())
    row = session.scalars(
        select(LoginFailure).where(LoginFailure.key == key).with_for_update()
    ).one()
    since = now() - row.last_at
    if since > rules.FORGET_AFTER:
        row.count = 0
    left = rules.login_wait(row.count) - since
    if left > timedelta():
        return Wait(int(left.total_seconds()) + 1)
    row.count, row.last_at = row.count + 1, now()
    return None


def who_has(session: Session, email: str) -> Staff | None:
    """The active member of staff with that address."""
    return session.scalars(
        select(Staff).where(Staff.email == email.strip().lower(), Staff.active)
    ).one_or_none()


def open_session(
    session: Session, *, staff_id: UUID, password: str, key: bytes, address: str, minutes: int
) -> Opened:
    """A new session, after the right password; the wrong ones are forgotten."""
    person = session.get_one(Staff, staff_id)
    session.execute(delete(LoginFailure).where(LoginFailure.key == key))
    if person.password_hash and passwords.outdated(person.password_hash):
        person.password_hash = passwords.hashed(password)
    family = LoginSession(
        staff_id=person.id,
        family_hash=digest(name := _random()),
        ends_at=now() + REFRESH_LONGEST,
        address=address,
    )
    session.add(family)
    return _renewed(family, name, person, minutes)


def _renewed(family: LoginSession, name: str, person: Staff, minutes: int) -> Opened:
    access, spendable = ACCESS_PREFIX + _random(), _random()
    family.access_hash = digest(access)
    family.access_expires_at = min(now() + timedelta(minutes=minutes), family.ends_at)
    family.refresh_hash = digest(spendable)
    family.refresh_expires_at = min(now() + REFRESH_IDLE, family.ends_at)
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
        audit.warning("A spent refresh token came again.", extra={"session": str(family.id)})
        return None
    person = session.get_one(Staff, family.staff_id)
    if family.refresh_expires_at <= now() or not person.active:
        _end(family, "expired")
        return None
    return _renewed(family, name, person, minutes)


def _end(family: LoginSession, reason: str) -> None:
    family.ended_at, family.end_reason = now(), reason


def end(session: Session, *, session_id: UUID) -> None:
    """End one session; nothing more happens when it has ended."""
    session.execute(
        update(LoginSession)
        .where(LoginSession.id == session_id, LoginSession.ended_at.is_(None))
        .values(ended_at=now(), end_reason="signed_out")
    )


def end_all(session: Session, staff_id: UUID, reason: str) -> None:
    """End all sessions of a member of staff."""
    session.execute(
        update(LoginSession)
        .where(LoginSession.staff_id == staff_id, LoginSession.ended_at.is_(None))
        .values(ended_at=now(), end_reason=reason)
    )


def forget_old(session: Session) -> None:
    """Delete what no login needs any more: sessions a month over, failures a day old."""
    session.execute(delete(LoginSession).where(LoginSession.ends_at < now() - REFRESH_LONGEST))
    session.execute(delete(LoginFailure).where(LoginFailure.last_at < now() - timedelta(days=1)))
