"""The second factor as HTTP shows it: verdicts become problems once their traces are kept."""

from typing import Any, NoReturn
from uuid import UUID

from sqlalchemy.orm import Session

from crmkit import codec
from crmkit.db import Encoded, UseCase, encode
from gateway.identity import factors
from gateway.identity.attempts import Wait
from gateway.identity.factors import Challenged, Refused
from gateway.identity.models import Staff
from gateway.identity.policy import required_of
from gateway.problems import Problem
from gateway.resources import Resources
from gateway.routes import Call

_STATUS = {"challenge_invalid": 401, "wrong_code": 403, "wrong_password": 403, "mfa_is_off": 409}


def too_soon(wait: Wait) -> Problem:
    """The problem of an attempt that comes too soon."""
    headers = {"retry-after": str(wait.seconds)}
    return Problem(429, "too_many_attempts", headers=headers, retryable=True)


def challenged(verdict: Challenged) -> Problem:
    """The problem of a login that needs its second factor."""
    extra = {
        "challenge": verdict.challenge,
        "expires_in": verdict.expires_in,
        "factors": ["totp", "recovery_code"],
    }
    return Problem(401, "mfa_required", extra=extra, headers={"www-authenticate": "Bearer"})


def refuse(verdict: Wait | Refused, *, at_login: bool = False) -> NoReturn:
    """Raise the problem of a verdict."""
    if isinstance(verdict, Wait):
        raise too_soon(verdict)
    raise Problem(401 if at_login else _STATUS[verdict.code], verdict.code)


def person_of(call: Call) -> UUID:
    """The member of staff who asks; 409 for others, who have neither sessions nor factors."""
    if call.principal is None or call.principal.kind != "staff":
        raise Problem(409, "no_person", "This is for members of staff; an API key is none.")
    return call.principal.id


def _state(session: Session, *, staff_id: UUID, resources: Resources) -> dict[str, Any]:
    roles = session.get_one(Staff, staff_id).roles
    required = required_of(roles, resources.settings)
    return {**factors.state(session, staff_id), "required": required}


async def get_mfa(resources: Resources, call: Call) -> Encoded:
    """Whether one has a second factor, and whether one's roles ask for it."""
    work = resources.database.within(call.context)
    staff_id = person_of(call)
    shown = await resources.in_thread(work.read, _state, staff_id=staff_id, resources=resources)
    return Encoded(codec.dumps(shown))


async def proving(resources: Resources, call: Call, use_case: UseCase, **more: Any) -> Any:
    """What a use case answers to a member of staff who proves who they are; or why it does not."""
    work = resources.database.within(call.context)
    asked = {"staff_id": person_of(call), **call.request, **more}
    verdict = await resources.in_thread(work.run, use_case, **asked)
    if isinstance(verdict, Wait | Refused):
        refuse(verdict)
    return verdict


async def start_mfa(resources: Resources, call: Call) -> Encoded:
    """Begin to set up a second factor."""
    return encode(await proving(resources, call, factors.start_mfa))


async def confirm_mfa(resources: Resources, call: Call) -> Encoded:
    """Turn one's second factor on."""
    current = call.principal.session_id if call.principal else None
    return encode(await proving(resources, call, factors.confirm_mfa, session_id=current))


async def turn_off_mfa(resources: Resources, call: Call) -> Encoded:
    """Turn one's second factor off."""
    await proving(resources, call, factors.turn_off)
    return Encoded(b"")


async def renew_recovery_codes(resources: Resources, call: Call) -> Encoded:
    """Ten new recovery codes."""
    return encode(await proving(resources, call, factors.renew_codes))
