"""Looking at the database for things to do, often while there are some."""

import logging
from collections.abc import Callable

import eventlet

log = logging.getLogger(__name__)

_BUSY_SECONDS, _IDLE_SECONDS = 0.05, 0.5


def look_again_and_again(look: Callable[[], int], *, until: Callable[[], bool]) -> None:
    """Call ``look``, which tells how much it found, until told to end; it may fail meanwhile."""
    while not until():
        try:
            found = look()
        except Exception as error:  # noqa: BLE001 - the database may be away for a while
            log.warning("A background look failed.", extra={"cause": repr(error)})
            found = 0
        eventlet.sleep(_BUSY_SECONDS if found else _IDLE_SECONDS)
