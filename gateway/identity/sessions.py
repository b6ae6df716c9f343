"""Logging in and out. Each takes several transactions, since a refusal must leave its trace."""

from contextlib import suppress
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from crmkit import codec
from crmkit.db import Encoded, actor, fetch
from crmkit.errors import NotFound
from gateway import audit
from gateway.identity import attempts, factors, families, mfa, passwords
from gateway.identity.factors import Challenged
from gateway.identity.families import Opened
from gateway.identity.models import Staff
from gateway.identity.roles import grants_of, refuse_more_than_own
from gateway.identity.staff import found, refuse_own, shown
from gateway.problems import Problem
from gateway.resources import Resources
from gateway.routes import Call

ACCESS_MINUTES = 60
"""A token is looked up when it is used and cached for five seconds, so that ending a session takes
effect at once however long its token would live. The hour only bounds the use of a stolen one."""


def minutes_of(resources: Resources) -> int:
    """How long an access token lives here."""
    return resources.settings.number("ACCESS_TOKEN_MINUTES", ACCESS_MINUTES)


def tokens(verdict: Opened | Challenged) -> Encoded:
    """The answer to a login that passed; 401 ``mfa_required`` when a factor is still missing."""
    if isinstance(verdict, Challenged):
        raise mfa.challenged(verdict)
    reply: dict[str, Any] = {
        "access_token": verdict.access_token,
        "refresh_token": verdict.refresh_token,
        "token_type": "Bearer",
        "expires_in": verdict.expires_in,
        "staff": shown(verdict.staff),
    }
    return Encoded(codec.dumps(reply))


def passed(
    session: Session, *, staff_id: UUID, address: str, minutes: int, method: str
) -> Opened | Challenged:
    """What follows the first factor: a challenge for who has a second, a session for others."""
    if factors.confirmed(session, staff_id) is not None:
        verdict = factors.challenge(session, staff_id=staff_id, method=method)
        by = f"staff:{staff_id}"
        audit.note(session, "login.challenged", f"staff/{staff_id}", by=by, method=method)
        return verdict
    return families.open_session(
        session, staff_id=staff_id, address=address, minutes=minutes, method=method
    )


async def sign_in(resources: Resources, call: Call) -> Encoded:
    """Log in. The answer to a wrong address is that to a wrong password, and takes as long."""
    return await resources.in_thread(_sign_in, resources, call)


def _sign_in(resources: Resources, call: Call) -> Encoded:
    email, password = call.request["email"], call.request["password"]
    work = resources.database.within(call.context)
    wait = work.run(attempts.begin_login, email=email, address=call.address)
    if wait is not None:
        raise mfa.too_soon(wait)
    person = work.read(families.who_has, email=email)
    checked = person.password_hash if person else None
    right = passwords.fits(password, checked)
    verdict = None
    if person is None or not right:
        work.run(_failed, staff_id=person.id if person else None, email=email)
    else:
        verdict = work.run(
            _right,
            staff_id=person.id,
            email=email,
            password=password,
            checked=checked,
            address=call.address,
            minutes=minutes_of(resources),
        )
    if verdict is None:
        raise Problem(401, "wrong_credentials", headers={"www-authenticate": "Bearer"})
    return tokens(verdict)


def _failed(session: Session, *, staff_id: UUID | None, email: str) -> None:
    audit.note(session, "login.failed", f"staff/{staff_id or 'unknown'}", email=email)


def _right(
    session: Session,
    *,
    staff_id: UUID,
    email: str,
    password: str,
    checked: str,
    address: str,
    minutes: int,
) -> Opened | Challenged | None:
    """What follows the right password; None when it, or who has it, is not here any more."""
    person = families.locked(session, staff_id)
    # It was checked with nothing locked. Another hash may be of the same password, made anew.
    if person is None or (
        person.password_hash != checked and not passwords.fits(password, person.password_hash)
    ):
        _failed(session, staff_id=staff_id, email=email)
        return None
    attempts.forgive_login(session, email=email, address=address)
    if person.password_hash and passwords.outdated(person.password_hash):
        person.password_hash = passwords.hashed(password)
    return passed(session, staff_id=staff_id, address=address, minutes=minutes, method="password")


async def verify_sign_in(resources: Resources, call: Call) -> Encoded:
    """Finish a login with the second factor."""
    work = resources.database.within(call.context)
    verdict = await resources.in_thread(
        work.run,
        factors.answer,
        challenge=call.request["challenge"],
        code=call.request["code"],
        address=call.address,
        minutes=minutes_of(resources),
    )
    if not isinstance(verdict, Opened):
        mfa.refuse(verdict, at_login=True)
    return tokens(verdict)


async def refresh(resources: Resources, call: Call) -> Encoded:
    """Exchange a refresh token for new tokens; 401 when it is not valid."""
    work = resources.database.within(call.context)
    renewed = await resources.in_thread(
        work.run,
        families.renew,
        refresh_token=call.request["refresh_token"],
        minutes=minutes_of(resources),
    )
    if renewed is None:
        raise Problem(401, "refresh_token_invalid", "This refresh token is not valid any more.")
    return tokens(renewed)


async def sign_out(resources: Resources, call: Call) -> Encoded:
    """End the session that asks; an API key has none."""
    principal = call.principal
    if principal is None or principal.session_id is None:
        raise Problem(409, "no_session", "An API key has no session to end.")
    work = resources.database.within(call.context)
    ending = {"staff_id": principal.id, "session_id": principal.session_id}
    with suppress(NotFound):  # It ended within the seconds a token is remembered.
        await resources.in_thread(work.run, families.end, **ending, reason="signed_out")
    return Encoded(b"")


async def list_my_sessions(resources: Resources, call: Call) -> Encoded:
    """One's own open sessions."""
    work = resources.database.within(call.context)
    staff_id = mfa.person_of(call)
    current = call.principal.session_id if call.principal else None
    found = await resources.in_thread(work.read, _own, staff_id=staff_id, current=current)
    return Encoded(codec.dumps(found))


def _own(session: Session, *, staff_id: UUID, current: UUID | None) -> dict[str, Any]:
    return families.list_open(session, staff_id, current)


def end_my_session(session: Session, *, session_id: UUID) -> None:
    """End one of one's own sessions; NotFound when there is no such open session."""
    asking = fetch(session, Staff, actor(session).id or UUID(int=0))
    families.end(session, staff_id=asking.id, session_id=session_id, reason="revoked")


def list_staff_sessions(session: Session, *, staff_id: UUID) -> dict[str, Any]:
    """The open sessions of a colleague in the actor's scope."""
    return families.list_open(session, found(session, staff_id).id)


def end_staff_session(session: Session, *, staff_id: UUID, session_id: UUID) -> None:
    """End a session of a colleague; Forbidden when they may do more than the actor."""
    _colleague(session, staff_id)
    families.end(session, staff_id=staff_id, session_id=session_id, reason="revoked_by_other")


def end_staff_sessions(session: Session, *, staff_id: UUID) -> None:
    """End all sessions of a colleague; Forbidden when they may do more than the actor."""
    _colleague(session, staff_id)
    families.end_all(session, staff_id, "revoked_by_other")


def reset_staff_mfa(session: Session, *, staff_id: UUID) -> None:
    """Take a colleague's second factor away, who lost it, and end their sessions.

    Nothing happens when there is none; Forbidden when they may do more than the actor, or are it.
    """
    refuse_own(session, staff_id, "own_factor", "/v1/me/mfa/actions/turn-off")
    _colleague(session, staff_id)
    if factors.remove(session, staff_id):
        families.end_all(session, staff_id, "mfa_reset")
        audit.note(session, "mfa.reset", f"staff/{staff_id}")


def _colleague(session: Session, staff_id: UUID) -> None:
    colleague = found(session, staff_id)
    session.execute(select(Staff.id).where(Staff.id == colleague.id).with_for_update())
    refuse_more_than_own(session, grants_of(session, colleague.roles))
