"""The second factor: enrolling an authenticator app, recovery codes, and answering a challenge.

Whatever takes a code or the password of who is logged in returns a verdict instead of raising, so
that the count of wrong ones stays.
"""

import base64
import secrets
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from crmkit.clock import now
from crmkit.errors import Conflict
from gateway import audit, keys
from gateway.identity import attempts, families, passwords, totp
from gateway.identity.attempts import Wait
from gateway.identity.families import digest
from gateway.identity.models import LoginChallenge, LoginSession, RecoveryCode, SecondFactor, Staff

RECOVERY_CODES = 10
CHALLENGE_LIFE = timedelta(minutes=5)
CHALLENGE_PREFIX = "crl_"


@dataclass(frozen=True, slots=True)
class Challenged:
    """The verdict that a login needs the second factor, too."""

    challenge: str
    expires_in: int


@dataclass(frozen=True, slots=True)
class Refused:
    """The verdict that a code, a password or a challenge does not count; ``code`` says why."""

    code: str


def confirmed(session: Session, staff_id: UUID, *, lock: bool = False) -> SecondFactor | None:
    """The second factor of a member of staff, if it counts."""
    query = select(SecondFactor).where(
        SecondFactor.staff_id == staff_id, SecondFactor.confirmed_at.is_not(None)
    )
    return session.scalars(query.with_for_update() if lock else query).one_or_none()


def challenge(session: Session, *, staff_id: UUID, method: str) -> Challenged:
    """Note that a login passed its first factor, and what to come back with."""
    token = CHALLENGE_PREFIX + secrets.token_urlsafe(32)
    row = LoginChallenge(token_hash=digest(token), staff_id=staff_id, method=method)
    row.expires_at = now() + CHALLENGE_LIFE
    session.add(row)
    return Challenged(token, int(CHALLENGE_LIFE.total_seconds()))


def answer(
    session: Session, *, challenge: str, code: str, address: str, minutes: int
) -> families.Opened | Wait | Refused:
    """A session for a challenge and the right code; each challenge and each code counts once."""
    hashed = digest(challenge)
    who = select(LoginChallenge.staff_id).where(LoginChallenge.token_hash == hashed)
    person = families.locked(session, session.scalar(who))
    # Only behind that lock: it may have been answered, or taken back, meanwhile.
    row = session.scalars(
        select(LoginChallenge).where(
            LoginChallenge.token_hash == hashed, LoginChallenge.expires_at > now()
        )
    ).one_or_none()
    if row is None or person is None:
        return Refused("challenge_invalid")
    used = _checked(session, person.id, code)
    if not isinstance(used, str):
        return used
    session.delete(row)
    method = f"{row.method}+{used}"
    return families.open_session(
        session, staff_id=person.id, address=address, minutes=minutes, method=method
    )


def _checked(session: Session, staff_id: UUID, code: str) -> str | Wait | Refused:
    """Which factor a code proved: ``totp`` or ``recovery_code``; or why it counts for nothing."""
    wait = attempts.begin_code(session, staff_id)
    if wait is not None:
        return wait
    factor = confirmed(session, staff_id, lock=True)
    used = factor and _used(session, factor, code)
    if not used:
        audit.note(session, "login.code_wrong", f"staff/{staff_id}", by=f"staff:{staff_id}")
        return Refused("wrong_code")
    attempts.forgive_code(session, staff_id)
    return used


def _used(session: Session, factor: SecondFactor, code: str) -> str | None:
    if code.isdigit() and code.isascii():
        return "totp" if _take(factor, code) else None
    spent = session.scalars(
        delete(RecoveryCode)
        .where(
            RecoveryCode.code_hash == _recovery_hash(factor.staff_id, code),
            RecoveryCode.staff_id == factor.staff_id,
        )
        .returning(RecoveryCode.code_hash)
    ).one_or_none()
    if spent is None:
        return None
    subject = f"staff/{factor.staff_id}"
    audit.note(session, "mfa.recovery_code_used", subject, by=f"staff:{factor.staff_id}")
    return "recovery_code"


def _place(staff_id: UUID) -> str:
    return f"second_factor/secret/{staff_id}"


def _take(factor: SecondFactor, code: str) -> bool:
    place = _place(factor.staff_id)
    secret = keys.unseal(factor.secret, place=place)
    step = totp.taken_step(secret, code, moment=now(), last_step=factor.last_step)
    if step is None:
        return False
    factor.last_step = step
    if keys.outdated(factor.secret):
        factor.secret = keys.seal(secret, place=place)
    return True


def _recovery_hash(staff_id: UUID, code: str) -> bytes:
    plain = code.strip().lower().replace("-", "").replace(" ", "")
    return digest(f"{staff_id}\n{plain}")


def _new_recovery_codes(session: Session, staff_id: UUID) -> list[str]:
    session.execute(delete(RecoveryCode).where(RecoveryCode.staff_id == staff_id))
    codes = []
    for _ in range(RECOVERY_CODES):
        plain = base64.b32encode(secrets.token_bytes(10)).decode().lower()
        session.add(RecoveryCode(code_hash=_recovery_hash(staff_id, plain), staff_id=staff_id))
        codes.append("-".join(plain[at : at + 4] for at in range(0, len(plain), 4)))
    return codes


def state(session: Session, staff_id: UUID) -> dict[str, Any]:
    """Whether somebody has a second factor, since when, and how many recovery codes are left."""
    factor = confirmed(session, staff_id)
    left = select(func.count()).where(RecoveryCode.staff_id == staff_id)
    return {
        "enabled": factor is not None,
        "enabled_at": factor.confirmed_at if factor else None,
        "recovery_codes_left": session.scalar(left) if factor else 0,
    }


def knows_password(session: Session, staff_id: UUID, password: str) -> Staff | Wait | Refused:
    """Somebody logged in, after the right password of theirs; wrong ones are counted."""
    person = families.locked(session, staff_id)
    wait = attempts.begin_password(session, staff_id)
    if wait is not None:
        return wait
    if person is None or not passwords.fits(password, person.password_hash):
        return Refused("wrong_password")
    attempts.forgive_password(session, staff_id)
    return person


def start_mfa(
    session: Session, *, staff_id: UUID, password: str
) -> Wait | Refused | dict[str, Any]:
    """A new secret to put into an authenticator app; it counts once a code has confirmed it.

    Asking again replaces it. Conflict when a second factor is on already.
    """
    person = knows_password(session, staff_id, password)
    if not isinstance(person, Staff):
        return person
    if confirmed(session, staff_id):
        raise Conflict("mfa_is_on", "There is a second factor already. Turn it off first.")
    secret = totp.new_secret()
    sealed = keys.seal(secret, place=_place(person.id))
    session.merge(SecondFactor(staff_id=person.id, secret=sealed, last_step=0, confirmed_at=None))
    audit.note(session, "mfa.started", f"staff/{person.id}")
    uri = totp.address(secret, account=person.email)
    return {"secret": base64.b32encode(secret).decode(), "otpauth_uri": uri}


def confirm_mfa(
    session: Session, *, staff_id: UUID, session_id: UUID, code: str
) -> Wait | Refused | dict[str, Any]:
    """Turn the second factor on with the first code; ten recovery codes, shown in this answer only.

    The session that asks has shown the factor; the others, one of which may be a thief's, end.
    Conflict when none was started or it is on already.
    """
    families.locked(session, staff_id)
    wait = attempts.begin_code(session, staff_id)
    query = select(SecondFactor).where(SecondFactor.staff_id == staff_id)
    factor = session.scalars(query.with_for_update()).one_or_none()
    if factor is None:
        raise Conflict("mfa_not_started", "No second factor was started.")
    if factor.confirmed_at is not None:
        raise Conflict("mfa_is_on", "There is a second factor already.")
    if wait is not None:
        return wait
    if not _take(factor, code):
        return Refused("wrong_code")
    attempts.forgive_code(session, staff_id)
    factor.confirmed_at = now()
    codes = _new_recovery_codes(session, staff_id)
    asking = session.get_one(LoginSession, session_id)
    asking.method = f"{asking.method.partition('+')[0]}+totp"
    families.end_all(session, staff_id, "mfa_turned_on", but=session_id)
    audit.note(session, "mfa.turned_on", f"staff/{staff_id}")
    return {"recovery_codes": codes}


def turn_off(
    session: Session, *, staff_id: UUID, password: str, code: str
) -> Wait | Refused | None:
    """Turn the second factor off, with the password and a code; None when it is off.

    Whose role asks for one may set up another then, as on a new telephone, and nothing else.
    """
    refusal = _proven(session, staff_id, password, code)
    if refusal is None:
        remove(session, staff_id)
        audit.note(session, "mfa.turned_off", f"staff/{staff_id}")
    return refusal


def renew_codes(
    session: Session, *, staff_id: UUID, password: str, code: str
) -> Wait | Refused | dict[str, Any]:
    """Ten new recovery codes in place of those that are left."""
    refusal = _proven(session, staff_id, password, code)
    if refusal is not None:
        return refusal
    codes = _new_recovery_codes(session, staff_id)
    audit.note(session, "mfa.recovery_codes_renewed", f"staff/{staff_id}")
    return {"recovery_codes": codes}


def _proven(session: Session, staff_id: UUID, password: str, code: str) -> Wait | Refused | None:
    if confirmed(session, staff_id) is None:
        return Refused("mfa_is_off")
    person = knows_password(session, staff_id, password)
    if not isinstance(person, Staff):
        return person
    used = _checked(session, staff_id, code)
    return None if isinstance(used, str) else used


def remove(session: Session, staff_id: UUID) -> bool:
    """Take a second factor and its recovery codes away; whether there was one."""
    session.execute(delete(RecoveryCode).where(RecoveryCode.staff_id == staff_id))
    gone = session.scalars(
        delete(SecondFactor)
        .where(SecondFactor.staff_id == staff_id)
        .returning(SecondFactor.staff_id)
    ).all()
    return bool(gone)
