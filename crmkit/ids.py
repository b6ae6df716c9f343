"""Identifiers: UUID version 7 (RFC 9562), which sort by the time they were made."""

import os
import time
from uuid import UUID

_RANDOM_BITS = 74
_MILLISECOND = 1_000_000


_RECENT_MS = 60_000


def is_recent(identity: UUID) -> bool:
    """Whether a UUIDv7 was made within the last minute; False for any other identifier."""
    made = identity.int >> 80
    return identity.version == 7 and abs(time.time_ns() // _MILLISECOND - made) < _RECENT_MS


def new_id() -> UUID:
    """A new UUIDv7: 48 bits of Unix milliseconds, then 74 random bits."""
    milliseconds = time.time_ns() // _MILLISECOND
    random = int.from_bytes(os.urandom(10), "big") & ((1 << _RANDOM_BITS) - 1)
    high, low = random >> 62, random & ((1 << 62) - 1)
    return UUID(int=milliseconds << 80 | 0x7 << 76 | high << 64 | 0b10 << 62 | low)
