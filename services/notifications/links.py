"""Links in messages that carry their own proof."""

import base64
import hashlib
import hmac
from uuid import UUID

_SIGNATURE_BYTES = 16


def unsubscribe_token(customer_id: UUID, message_id: UUID, channel: str, key: bytes) -> str:
    """What stands behind ``/u/``: customer, message and channel, signed, without an end of life."""
    body = customer_id.bytes + message_id.bytes + channel.encode()
    return base64.urlsafe_b64encode(_signature(body, key) + body).decode().rstrip("=")


def open_unsubscribe_token(token: str, key: bytes) -> tuple[UUID, UUID, str]:
    """The customer, the message and the channel; ValueError when the token is not ours."""
    raw = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4))
    signature, body = raw[:_SIGNATURE_BYTES], raw[_SIGNATURE_BYTES:]
    if not hmac.compare_digest(signature, _signature(body, key)) or len(body) < 33:
        raise ValueError("This is no link of ours.")
    return UUID(bytes=body[:16]), UUID(bytes=body[16:32]), body[32:].decode()


def _signature(body: bytes, key: bytes) -> bytes:
    return hmac.new(key + b"unsubscribe", body, hashlib.sha256).digest()[:_SIGNATURE_BYTES]
