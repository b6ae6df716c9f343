"""Logging in and out. Each takes several transactions, since a refusal must leave its trace."""

import logging
from typing import Any

from crmkit import codec
from crmkit.db import Encoded
from gateway.identity import families, passwords
from gateway.identity.staff import shown
from gateway.problems import Problem
from gateway.resources import Resources
from gateway.routes import Call

audit = logging.getLogger("gateway.audit")

ACCESS_MINUTES = 60
"""A token is looked up when it is used and cached for five seconds, so that ending a session takes
effect at once however long its token would live. The hour only bounds the use of a stolen one."""


def _minutes(resources: Resources) -> int:
    return resources.settings.number("ACCESS_TOKEN_MINUTES", ACCESS_MINUTES)


def _tokens(opened: families.Opened) -> Encoded:
    reply: dict[str, Any] = {
        "access_token": opened.access_token,
        "refresh_token": opened.refresh_token,
        "token_type": "Bearer",
        "expires_in": opened.expires_in,
        "staff": shown(opened.staff),
    }
    return Encoded(codec.dumps(reply))


async def sign_in(resources: Resources, call: Call) -> Encoded:
    """Log in. The answer to a wrong address is that to a wrong password, and takes as long."""
    return await resources.in_thread(_sign_in, resources, call)


def _sign_in(resources: Resources, call: Call) -> Encoded:
    email, password = call.request["email"], call.request["password"]
    key = families.digest(f"{email.strip().lower()}\n{call.address}")
    work = resources.database.within(call.context)
    wait = work.run(families.begin_attempt, key=key)
    if wait is not None:
        raise Problem(
            429,
            "too_many_attempts",
            headers={"retry-after": str(wait.seconds)},
            retryable=True,
        )
    person = work.read(families.who_has, email=email)
    noted = {"request_id": call.context.request_id, "address": call.address}
    right = passwords.fits(password, person.password_hash if person else None)
    if person is None or not right:
        audit.warning("A login failed.", extra=noted | {"staff": str(person and person.id)})
        raise Problem(401, "wrong_credentials", headers={"www-authenticate": "Bearer"})
    opened = work.run(
        families.open_session,
        staff_id=person.id,
        password=password,
        key=key,
        address=call.address,
        minutes=_minutes(resources),
    )
    audit.info("Logged in.", extra=noted | {"staff": str(person.id)})
    return _tokens(opened)


async def refresh(resources: Resources, call: Call) -> Encoded:
    """Exchange a refresh token for new tokens; 401 when it is not valid."""
    work = resources.database.within(call.context)
    renewed = await resources.in_thread(
        work.run,
        families.renew,
        refresh_token=call.request["refresh_token"],
        minutes=_minutes(resources),
    )
    if renewed is None:
        raise Problem(401, "refresh_token_invalid", "This refresh token is not valid any more.")
    return _tokens(renewed)


async def sign_out(resources: Resources, call: Call) -> Encoded:
    """End the session that asks; an API key has none."""
    principal = call.principal
    if principal is None or principal.session_id is None:
        raise Problem(409, "no_session", "An API key has no session to end.")
    work = resources.database.within(call.context)
    await resources.in_thread(work.run, families.end, session_id=principal.session_id)
    audit.info("Logged out.", extra={"staff": principal.key})
    return Encoded(b"")
