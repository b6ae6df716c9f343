"""What of an entry may be shown, and how each entry of the audit log holds the one before it."""

import hmac
from collections.abc import Mapping
from typing import Any

from crmkit import codec

FIRST = bytes(32)
"""What stands in the first entry for the one before it."""

_PERSONAL = frozenset(("name", "email", "phone"))


def linked(previous: bytes, entry: Mapping[str, Any], key: bytes) -> bytes:
    """The hash of an entry over its content and the hash before it (HMAC-SHA-256).

    With a key, so that whoever can only write to the database cannot compute the rest anew.
    """
    return hmac.digest(key, previous + codec.canonical(entry), "sha256")


def masked(details: Mapping[str, Any]) -> dict[str, Any]:
    """The details with personal data cut to a hint: who investigates has the ids."""
    return {name: _masked(value, personal=name in _PERSONAL) for name, value in details.items()}


def _masked(value: Any, *, personal: bool) -> Any:
    if isinstance(value, Mapping):
        return masked(value) if not personal else {k: hint(str(v)) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_masked(one, personal=personal) for one in value]
    return hint(value) if personal and isinstance(value, str) else value


def hint(text: str) -> str:
    """``minjun@rapport.example`` → ``m…@rapport.example``, ``Kim Minjun`` → ``K…``."""
    at = text.rfind("@")
    rest = text[at:] if at > 0 else ""
    return f"{text[:1]}…{rest}" if text else ""


def difference(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, Any]:
    """Each field that changed, as ``{"before": …, "after": …}``."""
    return {
        name: {"before": before[name], "after": after[name]}
        for name in before
        if before[name] != after[name]
    }
