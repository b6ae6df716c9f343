"""What is parked, for operators: one list over all owners, and what may be done with an entry.

Each owner answers for its own database. Bodies stay there: they may hold anything, and whoever must
see one has the command line.
"""

import asyncio
import logging
from dataclasses import replace
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from contracts.gateway import views as contract
from crmkit import catalog, codec, pages, parking
from crmkit.db import Encoded
from crmkit.errors import Unavailable
from crmkit.messages import Command
from gateway import audit
from gateway.resources import Resources
from gateway.routes import Call, Composed

log = logging.getLogger(__name__)

SECONDS = 2.0


async def list_parked(resources: Resources, call: Call) -> Composed:
    """A page over all owners. Who does not answer is missing, and named in the header Degraded."""
    owner = call.request["filter"].get("owner")
    asked = [owner] if isinstance(owner, str) and owner in catalog.owners() else catalog.owners()
    answers = await asyncio.gather(
        *(_page_of(resources, call, one) for one in asked), return_exceptions=True
    )
    parts: list[dict[str, Any]] = []
    missing: list[str] = []
    for one, answer in zip(asked, answers, strict=True):
        if isinstance(answer, Unavailable) and len(asked) > 1:
            log.warning("What is parked is not known.", extra={"owner": one, "cause": str(answer)})
            missing.append(one)
        elif isinstance(answer, BaseException):
            raise answer
        else:
            parts.append(answer)
    body = codec.dumps(pages.merged(contract.ListParked, call.request, parts))
    return Composed(body, headers=(("degraded", ", ".join(missing)),) if missing else ())


async def _page_of(resources: Resources, call: Call, owner: str) -> dict[str, Any]:
    # All fields: the one to sort by is needed to put the pages together.
    request = {**call.request, "fields_": None}
    if owner == catalog.GATEWAY:
        read = resources.database.within(call.context).read
        found = await resources.in_thread(read, parking.list_parked, owner=owner, **request)
        answer = codec.dumps(found)
    else:
        del request["fields_"]
        command = parking.command_of(owner, parking.ListParked)
        sent = {name: value for name, value in request.items() if value is not None}
        answer = (await resources.client.call(command, sent, call.context, seconds=SECONDS)).body
    page: dict[str, Any] = codec.loads(answer)
    return page


async def replay_parked(resources: Resources, call: Call) -> Encoded:
    """Replay, after a note of who asked for it."""
    return await _act(resources, call, parking.ReplayParked, parking.replay_parked)


async def discard_parked(resources: Resources, call: Call) -> Encoded:
    """Discard, after a note of who asked for it and why."""
    return await _act(resources, call, parking.DiscardParked, parking.discard_parked)


async def _act(resources: Resources, call: Call, command: type[Command], local: Any) -> Encoded:
    request = dict(call.request)
    owner = request.pop("owner_")
    # A note of its own under the same key: a request that is repeated is noted once.
    apart = replace(call.context, command_id=f"{call.context.command_id} note")
    noting = resources.database.within(apart).run
    noted = {"action": f"parked.{command.name.split('_')[0]}", "owner": owner, **request}
    await resources.in_thread(noting, _noted, **noted)
    if owner == catalog.GATEWAY:
        run = resources.database.within(call.context).run
        done: Encoded = await resources.in_thread(run, local, owner=owner, **request)
        return done
    return await resources.client.call(parking.command_of(owner, command), request, call.context)


def _noted(
    session: Session, *, action: str, owner: str, parked_id: UUID, **details: Any
) -> dict[str, Any]:
    audit.note(session, action, f"parked/{parked_id}", owner=owner, **details)
    return {}
