"""What goes back over HTTP: status, headers and bytes, with the headers every answer has."""

from dataclasses import dataclass, field

from starlette.types import Send

Header = tuple[bytes, bytes]

JSON: Header = (b"content-type", b"application/json")
HTML: Header = (b"content-type", b"text/html; charset=utf-8")
PLAIN: Header = (b"content-type", b"text/plain; charset=utf-8")

API_POLICY: Header = (
    b"content-security-policy",
    b"default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
)
SAFETY: tuple[Header, ...] = (
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cache-control", b"no-store"),
    (b"cross-origin-resource-policy", b"same-origin"),
)
HSTS: Header = (b"strict-transport-security", b"max-age=31536000; includeSubDomains")


@dataclass(slots=True)
class Answer:
    """One HTTP answer."""

    status: int = 200
    body: bytes = b""
    headers: list[Header] = field(default_factory=lambda: [JSON])

    def add(self, name: str, value: str) -> None:
        """Add a header; a value that came from outside cannot start another."""
        clean = value.replace("\r", " ").replace("\n", " ").encode("latin-1", "replace")
        self.headers.append((name.encode(), clean))


def page_policy(nonce: str) -> Header:
    """The content policy of a page for people: its own script and style, and nothing else."""
    policy = (
        f"default-src 'none'; script-src 'nonce-{nonce}'; style-src 'nonce-{nonce}';"
        " connect-src 'self'; img-src 'self' data:; base-uri 'none'; form-action 'none';"
        " frame-ancestors 'none'; object-src 'none'"
    )
    return (b"content-security-policy", policy.encode())


async def write(send: Send, answer: Answer, fixed: tuple[Header, ...], *, head: bool) -> None:
    """Send the answer with the fixed headers added; without its body when HEAD asked."""
    headers = [*answer.headers, *fixed]
    if answer.status not in {204, 304}:
        headers.append((b"content-length", b"%d" % len(answer.body)))
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    body = b"" if head or answer.status in {204, 304} else answer.body
    await send({"type": "http.response.body", "body": body})
