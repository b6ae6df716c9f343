"""JSON as it travels: bytes in, values out, times with a Z, nothing unserialisable."""

from decimal import Decimal
from typing import Any

import orjson

_OPTIONS = orjson.OPT_UTC_Z | orjson.OPT_NON_STR_KEYS


def _plain(value: Any) -> Any:
    if isinstance(value, Decimal):
        return str(value)
    if isinstance(value, set | frozenset):
        return sorted(value)
    raise TypeError(f"{type(value).__name__} cannot travel as JSON.")


def dumps(value: Any) -> bytes:
    """UTF-8 JSON; UUIDs, dates, aware times and Decimals (as strings) included."""
    return orjson.dumps(value, default=_plain, option=_OPTIONS)


def loads(body: bytes | str) -> Any:
    """The values of a JSON text; ValueError when it is none."""
    return orjson.loads(body)


def canonical(value: Any) -> bytes:
    """JSON with sorted keys: the same bytes for the same values, to sign or to fingerprint."""
    return orjson.dumps(value, default=_plain, option=_OPTIONS | orjson.OPT_SORT_KEYS)
