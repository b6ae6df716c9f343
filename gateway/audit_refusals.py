"""Refusals of a request as entries of the audit log, at most one a minute for the same thing."""

import logging
import time
from dataclasses import replace

from sqlalchemy.orm import Session

from crmkit.context import Context
from gateway import audit
from gateway.principals import Principal
from gateway.resources import Resources

log = logging.getLogger("gateway.audit")

QUIET_SECONDS = 60.0
_MOST_KEPT = 10_000


class Refusals:
    """What one worker refused lately."""

    def __init__(self, resources: Resources) -> None:
        self._resources = resources
        self._told: dict[tuple[str, str, str], tuple[float, int]] = {}

    def _since(self, key: tuple[str, str, str], moment: float) -> int | None:
        """How many like it were left out since the last entry; None when this one is left out."""
        at, left_out = self._told.get(key, (0.0, 0))
        if at and moment - at < QUIET_SECONDS:
            self._told[key] = (at, left_out + 1)
            return None
        if len(self._told) >= _MOST_KEPT:
            self._told.clear()
        self._told[key] = (moment, 0)
        return left_out

    async def note(
        self, principal: Principal, address: str, request_id: str, *, route: str, code: str
    ) -> None:
        """Add an entry that a request was refused; the answer does not fail when that does."""
        left_out = self._since((principal.key, route, code), time.monotonic())
        if left_out is None:
            return
        context = Context(request_id=request_id, actor=principal.anyone)
        work = self._resources.database.within(replace(context, address=address))
        try:
            await self._resources.in_thread(
                work.run, _noted, route=route, code=code, left_out=left_out
            )
        except Exception:
            log.exception("A refusal could not be noted.", extra={"request_id": request_id})


def _noted(session: Session, *, route: str, code: str, left_out: int) -> None:
    audit.note(session, "access.refused", f"route/{route}", code=code, left_out=left_out)
