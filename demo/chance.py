"""What looks like chance in the demo and is not: ids, times and choices that depend on n alone."""

from datetime import UTC, datetime, timedelta
from hashlib import blake2b
from struct import Struct
from typing import TypeVar
from uuid import UUID

_T = TypeVar("_T")

FIRST_DAY = datetime(2023, 11, 1, tzinfo=UTC)
# Nothing in the demo happened later; open deals are expected to close after it.
AS_OF = datetime(2026, 11, 1, tzinfo=UTC)

_KINDS_OF_ID = {"team": 1, "staff": 2, "customer": 3, "deal": 4, "ticket": 5}
_FIRST_MS = int(FIRST_DAY.timestamp() * 1000)
_SPAN_MS = int(AS_OF.timestamp() * 1000) - _FIRST_MS
# After this many customers half of the time has passed: small and large seeds both look alive.
_HALFWAY = 2_000
_DRAWS = Struct("<32H")
_BITS = 16


def draws_of(kind: str, n: int) -> tuple[int, ...]:
    """32 draws, numbers of 16 bits, that depend on the kind of thing and its number only."""
    key = (_KINDS_OF_ID[kind] << 64 | n).to_bytes(9, "big")
    return _DRAWS.unpack(blake2b(key, digest_size=64, person=b"rapport").digest())


def below(limit: int, draw: int) -> int:
    """A number from 0 to below the limit."""
    return draw * limit >> _BITS


def squared_below(limit: int, draw: int) -> int:
    """The same, but small numbers are common and large ones rare."""
    return draw * draw * limit >> 2 * _BITS


def pick(options: tuple[_T, ...], draw: int) -> _T:
    """One of the options."""
    return options[below(len(options), draw)]


def between(start: datetime, end: datetime, draw: int) -> datetime:
    """A moment, whole seconds after the start."""
    seconds = int((end - start).total_seconds())
    return start + timedelta(seconds=below(seconds, draw))


def arrival(n: int) -> datetime:
    """When the n-th customer came: ever more of them, but all before AS_OF."""
    return FIRST_DAY + timedelta(milliseconds=_SPAN_MS * n // (n + _HALFWAY))


def id_at(moment: datetime, draws: tuple[int, ...]) -> UUID:
    """The UUIDv7 of something that was made then."""
    return _uuid7(_FIRST_MS + (moment - FIRST_DAY) // timedelta(milliseconds=1), draws)


def fixed_id(kind: str, n: int) -> UUID:
    """The UUIDv7 of what was there the day before the first."""
    return _uuid7(_FIRST_MS - 86_400_000 + n, draws_of(kind, n))


def _uuid7(milliseconds: int, draws: tuple[int, ...]) -> UUID:
    """A UUIDv7 of that Unix time whose 74 free bits are the last five draws."""
    high = draws[-5] & 0xFFF
    low = (draws[-4] << 48 | draws[-3] << 32 | draws[-2] << 16 | draws[-1]) & (1 << 62) - 1
    return UUID(int=milliseconds << 80 | 7 << 76 | high << 64 | 2 << 62 | low)
