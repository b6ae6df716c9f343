"""Who asks, and their own password."""

from typing import Any

from sqlalchemy.orm import Session

from crmkit import codec
from crmkit.db import Encoded, encode
from gateway.identity import mfa, staff
from gateway.identity.models import ApiKey, Staff
from gateway.problems import Problem
from gateway.resources import Resources
from gateway.routes import Call


def described(session: Session, *, call: Call) -> dict[str, Any]:
    """The principal with its permissions, and the person when it is one."""
    principal = call.principal
    if principal is None:
        raise Problem(401, "unauthenticated")
    person = session.get(Staff, principal.id) if principal.kind == "staff" else None
    named = person or session.get_one(ApiKey, principal.id)
    return {
        "id": principal.id,
        "kind": principal.kind,
        "name": named.name,
        "permissions": dict(sorted(principal.grants.items())),
        "staff": staff.shown(person) if person else None,
    }


async def get_me(resources: Resources, call: Call) -> Encoded:
    """Who asks, as the gateway knows them."""
    work = resources.database.within(call.context)
    return Encoded(codec.dumps(await resources.in_thread(work.read, described, call=call)))


async def change_password(resources: Resources, call: Call) -> Encoded:
    """Replace one's own password."""
    return encode(await mfa.proving(resources, call, staff.change_password))
