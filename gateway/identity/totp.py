"""Time-based one-time passwords (RFC 6238) with the parameters every authenticator app knows."""

import base64
import hmac
import secrets
from datetime import datetime
from urllib.parse import quote

STEP_SECONDS = 30
_DIGITS = 6
_DRIFT = 1
"""Steps a clock may be off in either direction (RFC 6238 section 5.2 advises no more)."""


def new_secret() -> bytes:
    """A new secret of 160 bits, as long as the hash (RFC 4226 section 4, R6)."""
    return secrets.token_bytes(20)


def step_at(moment: datetime) -> int:
    """The number of the time step."""
    return int(moment.timestamp()) // STEP_SECONDS


def code(secret: bytes, step: int) -> str:
    """The code of that step (RFC 4226 section 5.3)."""
    mac = hmac.digest(secret, step.to_bytes(8), "sha1")
    at = mac[-1] & 0xF
    number = int.from_bytes(mac[at : at + 4]) & 0x7FFF_FFFF
    return f"{number % 10**_DIGITS:0{_DIGITS}d}"


def taken_step(secret: bytes, given: str, *, moment: datetime, last_step: int) -> int | None:
    """The step whose code was given; None when it is wrong, or not newer than the last one taken.

    All steps are compared, so that the time it takes tells nothing.
    """
    now = step_at(moment)
    found = None
    for step in range(now - _DRIFT, now + _DRIFT + 1):
        same = hmac.compare_digest(code(secret, step).encode(), given.encode())
        if same and step > last_step:
            found = step
    return found


def address(secret: bytes, *, account: str, issuer: str = "Rapport") -> str:
    """The otpauth URI to show as a QR code."""
    label = quote(f"{issuer}:{account}", safe="")
    shown = base64.b32encode(secret).decode()
    return f"otpauth://totp/{label}?secret={shown}&issuer={quote(issuer)}"
