"""Cursors of the feed: the position of the next event in the stream, signed."""

import base64
import hmac

from gateway.problems import Problem

_BYTES = 8
_SIGNATURE_BYTES = 12


def seal(position: int, key: bytes) -> str:
    """The cursor of a position."""
    body = position.to_bytes(_BYTES, "big")
    return base64.urlsafe_b64encode(body + _signature(body, key)).decode().rstrip("=")


def unseal(cursor: str, key: bytes) -> int:
    """The position of a cursor; 400 when it is none of ours."""
    try:
        raw = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
    except ValueError:
        raw = b""
    body, signature = raw[:_BYTES], raw[_BYTES:]
    if not hmac.compare_digest(signature, _signature(body, key)):
        raise Problem(400, "cursor_invalid", "This is no cursor of the feed.")
    return int.from_bytes(body, "big")


def _signature(body: bytes, key: bytes) -> bytes:
    # The word keeps signatures for the feed from being of use elsewhere under the same key.
    return hmac.new(key + b"feed", body, "sha256").digest()[:_SIGNATURE_BYTES]
