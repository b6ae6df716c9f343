"""Waiting for records of which the asked service has not heard yet."""

import asyncio
from collections.abc import Awaitable, Callable

from crmkit.db import Encoded
from crmkit.errors import NotFound

PAUSES_SECONDS = (0.02, 0.05, 0.1, 0.3, 0.8)


async def until_it_came(
    ask: Callable[[], Awaitable[Encoded]], pay: Callable[[], object]
) -> Encoded:
    """What ``ask`` answers, asked again while it misses a record that may be on its way.

    Whoever registers a customer and at once an opportunity for it is faster than the event between
    two services. The wait is here, where it holds nobody up; in the service it would take one of a
    few workers. Anybody can make ids up that look new, so each further question is paid for.
    """
    for pause in PAUSES_SECONDS:
        try:
            return await ask()
        except NotFound as refusal:
            if not refusal.may_come:
                raise
        pay()
        await asyncio.sleep(pause)
    return await ask()
