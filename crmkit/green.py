"""How a service waits: psycopg under eventlet, one green thread aside while a query runs.

psycopg's own ``wait_selector`` does too, but makes a selector for every query, which costs about a
fifth of a small one. Many queries are answered by the time one would wait for them; to look first
saves telling the hub, a third of the processor time of four queries and their commit. To look for
longer than no time at all holds up everybody else whenever the database is busy (with 0.2 ms a
query, a tenth fewer changes of stage at 32 connections).
"""

from collections.abc import Generator
from time import monotonic
from typing import Any

import psycopg.waiting
from eventlet import Timeout, patcher
from eventlet.green.select import select
from eventlet.hubs import trampoline
from psycopg import errors

_READ, _BOTH = psycopg.waiting.WAIT_R, psycopg.waiting.WAIT_RW
_NOTHING = psycopg.waiting.READY_NONE
_SELECTABLE = 1024  # select(2) knows no higher file descriptors.
_select = patcher.original("select").select


def wait(
    steps: Generator[Any, Any, Any], fileno: int, interval: float = 0, timeout: float | None = None
) -> Any:
    """What ``steps`` returns, resumed each time the socket is ready for what it waits for.

    psycopg's contract for such a function: every ``interval`` seconds the steps are told that
    nothing came; after ``timeout`` seconds ``_WaitTimeout`` is raised.
    """
    deadline = None if timeout is None else monotonic() + timeout
    try:
        state = next(steps)
        while True:
            state = steps.send(_ready(fileno, state, interval))
            if deadline is not None and monotonic() >= deadline:
                raise errors._WaitTimeout("wait timeout expired")
    except StopIteration as end:
        return end.value


def _ready(fileno: int, state: int, seconds: float) -> int:
    if state == _BOTH:
        readable, writable, _ = select([fileno], [fileno], [], seconds or None)
        return (_READ if readable else 0) | (psycopg.waiting.READY_W if writable else 0)
    reading = state == _READ
    if reading and fileno < _SELECTABLE and _select([fileno], [], [], 0)[0]:
        return _READ
    patience = Timeout(seconds) if seconds else None
    try:
        trampoline(fileno, read=reading, write=not reading)
    except Timeout as over:
        if over is not patience:
            raise
        return _NOTHING
    finally:
        if patience:
            patience.cancel()
    return state


def install() -> None:
    """Have all queries of this process wait so. Before the first connection."""
    psycopg.waiting.wait = wait  # type: ignore[assignment]
