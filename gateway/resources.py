"""What a worker holds from its start to its end: the bus, the database, the settings."""

import asyncio
import contextvars
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypeVar

from crmkit.client import Client
from crmkit.db import Database
from crmkit.errors import Unavailable
from crmkit.settings import Settings
from gateway.identity.openid import Talks

THREADS = 10
# A look-up of the token, then a call of five seconds at most: an answer within ten.
THREAD_SECONDS = 4.0
Result = TypeVar("Result")


@dataclass
class Resources:
    """One worker's share of everything. ``readers`` counts who reads the feed just now.

    ``talks`` are those with the OpenID provider.
    """

    settings: Settings
    client: Client
    database: Database
    readers: int = 0
    talks: Talks = field(default_factory=Talks)
    _threads: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(THREADS))

    async def in_thread(self, work: Callable[..., Result], *args: Any, **kwargs: Any) -> Result:
        """The result of blocking work; at most ten at once, as many as the database pool holds.

        Unavailable after four seconds: a database that went silent would be waited for without
        end. What was begun goes on; what only waits for a thread is dropped.
        """
        run = partial(contextvars.copy_context().run, work, *args, **kwargs)
        result = asyncio.get_running_loop().run_in_executor(self._threads, run)
        done, _ = await asyncio.wait((result,), timeout=THREAD_SECONDS)
        if not done:
            result.cancel()
            raise Unavailable("not_in_time", "This takes too long just now.", {"retry_after": 1})
        return result.result()
