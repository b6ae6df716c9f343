"""Changes in a service that the audit log must know of: who asked, noted before the service is.

The entry cannot share a transaction with a change in another database. Noted before, a change may
be missing that the log tells of, when the service refused it; never an entry for one that happened.
"""

from dataclasses import replace
from typing import Any

from sqlalchemy.orm import Session

from crmkit.messages import load
from gateway import audit
from gateway.resources import Resources
from gateway.routes import Call, Route


async def note(resources: Resources, route: Route, call: Call) -> None:
    """Add an entry for a request to a row that is ``audited``; Invalid when its body does not fit.

    The same request under the same Idempotency-Key is noted once.
    """
    request = load(route.command, dict(call.request))
    parameter = route.parameters[0]
    subject = f"{parameter.removesuffix('_id')}/{request[parameter]}"
    details = {name: request.get(name) for name in route.noted}
    command_id = call.context.command_id
    apart = replace(call.context, command_id=f"{command_id} note" if command_id else None)
    work = resources.database.within(apart)
    await resources.in_thread(
        work.run, _noted, action=route.audited, subject=subject, details=details
    )


def _noted(
    session: Session, *, action: str, subject: str, details: dict[str, Any]
) -> dict[str, Any]:
    audit.note(session, action, subject, **details)
    return {}
