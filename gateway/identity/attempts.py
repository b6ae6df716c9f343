"""Counting attempts to log in: for an account from one address, for the account, for the address.

Attempts are counted before they are checked; counting after would let a crowd of them all be first.
"""

from dataclasses import dataclass
from datetime import timedelta
from hashlib import sha256
from uuid import UUID

from sqlalchemy import delete, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from crmkit.clock import now
from gateway.addresses import household
from gateway.identity import rules
from gateway.identity.models import LoginFailure, LoginSession, Staff


@dataclass(frozen=True, slots=True)
class Wait:
    """The verdict that an attempt comes too soon after others that failed."""

    seconds: int


def _key(*parts: str) -> bytes:
    return sha256("\n".join(parts).encode()).digest()


def _login_keys(email: str, address: str) -> tuple[bytes, bytes, bytes]:
    account, place = email.strip().lower(), household(address)
    return (_key(account, place), _key("account", account), _key("address", place))


def _locked(session: Session, key: bytes) -> LoginFailure:
    session.execute(insert(LoginFailure).values(key=key, count=0).on_conflict_do_nothing())
    query = select(LoginFailure).where(LoginFailure.key == key).with_for_update()
    row = session.scalars(query.execution_options(populate_existing=True)).one()
    if now() - row.last_at > rules.FORGET_AFTER:
        row.count = 0
    return row


def _count(row: LoginFailure) -> None:
    row.count, row.last_at = min(row.count + 1, 30_000), now()


def _verdict(waits: list[timedelta]) -> Wait | None:
    longest = max(waits)
    return Wait(int(longest.total_seconds()) + 1) if longest > timedelta() else None


def begin_login(session: Session, *, email: str, address: str) -> Wait | None:
    """Count an attempt to log in; a verdict, and no count, when it comes too soon.

    The account's own count does not hold for an address from which somebody logged in to it
    within the last two months: or else whoever guesses would keep its owner out.
    """
    pair, account, place = (_locked(session, key) for key in _login_keys(email, address))
    if place.count == 0 or now() - place.began_at > rules.WINDOW:
        place.count, place.began_at = 0, now()
    known = _is_known(session, email, address)
    waits = [
        rules.login_wait(pair.count) - (now() - pair.last_at),
        timedelta() if known else rules.account_wait(account.count) - (now() - account.last_at),
        rules.address_wait(place.count, now() - place.began_at),
    ]
    wait = _verdict(waits)
    if wait is None:
        for row in (pair, account, place):
            _count(row)
    return wait


def _is_known(session: Session, email: str, address: str) -> bool:
    query = (
        select(LoginSession.id)
        .join(Staff, Staff.id == LoginSession.staff_id)
        .where(Staff.email == email.strip().lower(), LoginSession.address == address)
    )
    return session.scalar(query.limit(1)) is not None


def forgive_login(session: Session, *, email: str, address: str) -> None:
    """Forget the account's failures after the right password; the address keeps its others."""
    pair, account, place = _login_keys(email, address)
    session.execute(delete(LoginFailure).where(LoginFailure.key.in_((pair, account))))
    session.execute(
        update(LoginFailure)
        .where(LoginFailure.key == place, LoginFailure.count > 0)
        .values(count=LoginFailure.count - 1)
    )


def begin_code(session: Session, staff_id: UUID) -> Wait | None:
    """Count an attempt at a second factor, from wherever; a verdict when it comes too soon."""
    return _begin(session, _key("code", str(staff_id)))


def begin_password(session: Session, staff_id: UUID) -> Wait | None:
    """Count an attempt at the password of somebody logged in, as those at a second factor are.

    By itself: a thief of the session shall not keep its owner from logging in.
    """
    return _begin(session, _key("password", str(staff_id)))


def _begin(session: Session, key: bytes) -> Wait | None:
    row = _locked(session, key)
    wait = _verdict([rules.login_wait(row.count) - (now() - row.last_at)])
    if wait is None:
        _count(row)
    return wait


def forgive_code(session: Session, staff_id: UUID) -> None:
    """Forget wrong codes after the right one."""
    _forgive(session, _key("code", str(staff_id)))


def forgive_password(session: Session, staff_id: UUID) -> None:
    """Forget the wrong passwords of somebody logged in after the right one."""
    _forgive(session, _key("password", str(staff_id)))


def _forgive(session: Session, key: bytes) -> None:
    session.execute(delete(LoginFailure).where(LoginFailure.key == key))
