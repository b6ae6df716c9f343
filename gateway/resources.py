"""What a worker holds from its start to its end: the bus, the database, the settings."""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypeVar

import anyio
import anyio.to_thread

from crmkit.client import Client
from crmkit.db import Database
from crmkit.settings import Settings

THREADS = 10
Result = TypeVar("Result")


@dataclass
class Resources:
    """One worker's share of everything. ``readers`` counts who reads the feed just now."""

    settings: Settings
    client: Client
    database: Database
    readers: int = 0
    _threads: anyio.CapacityLimiter = field(default_factory=lambda: anyio.CapacityLimiter(THREADS))

    async def in_thread(self, work: Callable[..., Result], *args: Any, **kwargs: Any) -> Result:
        """The result of blocking work; at most ten at once, as many as the database pool holds."""
        return await anyio.to_thread.run_sync(partial(work, *args, **kwargs), limiter=self._threads)
