"""A mail as bytes. The standard library's EmailMessage takes a hundred times as long for the same.

Headers cannot be smuggled in: addresses are matched against what an address may be, and text goes
through RFC 2047 or is free of control characters.
"""

import base64
import re
from collections.abc import Iterable
from datetime import datetime
from email.utils import format_datetime

from services.notifications.wording import one_line

_LOCAL = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*")
_DOMAIN = re.compile(
    r"[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?(\.[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?)*"
)
_PLAIN = re.compile(r"[ -~]*")
_NEEDS_NO_QUOTES = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~ -]*")
# RFC 2047, 2: a line with an encoded word has at most 76 characters; here "Subject: =?utf-8?b??="
# and 4/3 of the bytes.
_WORD_BYTES = 39
_TEXT_BYTES = 57
"""RFC 2045, 6.8: 76 characters of base64 a line."""


def address(text: str) -> str:
    """The address as SMTP takes it, its domain in ASCII; ValueError when it is none."""
    local, _, domain = text.rpartition("@")
    try:
        ascii_domain = domain.encode("idna").decode() if domain else ""
    except UnicodeError:
        ascii_domain = ""
    whole = _LOCAL.fullmatch(local) and _DOMAIN.fullmatch(ascii_domain)
    if not whole or len(local) > 64 or len(ascii_domain) > 253:
        raise ValueError("This is no e-mail address.")
    return f"{local}@{ascii_domain}"


def unstructured(text: str) -> str:
    """Text as a header's value: as it is if it is short ASCII, otherwise in encoded words."""
    line = one_line(text)
    if _PLAIN.fullmatch(line) and len(line) < 60 and "=?" not in line:
        return line
    return "\r\n ".join(_words(line))


def mailbox(name: str, spec: str) -> str:
    """``name <spec>``; ``spec`` comes from ``address``."""
    line = one_line(name)
    if not line:
        return spec
    if _NEEDS_NO_QUOTES.fullmatch(line) and len(line) < 60 and "=?" not in line:
        return f"{line} <{spec}>"
    return "\r\n ".join((*_words(line), f"<{spec}>"))


def _words(line: str) -> Iterable[str]:
    """RFC 2047 B words that never split a character."""
    chunk = b""
    for character in line:
        octets = character.encode("utf-8", "replace")
        if len(chunk) + len(octets) > _WORD_BYTES:
            yield _word(chunk)
            chunk = b""
        chunk += octets
    yield _word(chunk)


def _word(octets: bytes) -> str:
    return f"=?utf-8?b?{base64.b64encode(octets).decode()}?="


def mail(headers: Iterable[tuple[str, str]], text: str) -> bytes:
    """The whole mail, plain text in UTF-8. Header values are ready made; ValueError if not."""
    head = [_header(name, value) for name, value in headers]
    octets = "\r\n".join(text.splitlines()).encode("utf-8", "replace") + b"\r\n"
    body = b"\r\n".join(
        base64.b64encode(octets[at : at + _TEXT_BYTES]) for at in range(0, len(octets), _TEXT_BYTES)
    )
    return b"\r\n".join(
        (
            *head,
            b"MIME-Version: 1.0",
            b'Content-Type: text/plain; charset="utf-8"',
            b"Content-Transfer-Encoding: base64",
            b"",
            body,
            b"",
        )
    )


def _header(name: str, value: str) -> bytes:
    if not _PLAIN.fullmatch(value.replace("\r\n ", " ")):
        raise ValueError(f"{name} is not ready for the wire.")
    return f"{name}: {value}".encode("ascii")


def date(at: datetime) -> str:
    """An aware time as RFC 5322 writes it."""
    return format_datetime(at)
