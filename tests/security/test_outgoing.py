"""What Rapport fetches from elsewhere: the OpenID provider's addresses, which others wrote (S17).

The provider is whom the installation trusts, and may stand in a private network; what its
metadata says may still not turn the gateway into a reader of other things.
"""

import asyncio
import json
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from crmkit.errors import Unavailable
from gateway.identity import openid
from gateway.identity.openid import Provider, Talks

pytestmark = pytest.mark.server

ELSEWHERE = [
    "http://169.254.169.254/latest/meta-data/",
    "http://[::ffff:169.254.169.254]/",
    "http://127.0.0.1:15672/api/users",
    "http://localhost/",
    "http://0x7f000001/",
    "file:///etc/passwd",
    "gopher://127.0.0.1:5432/_x",
    "ftp://idp.example/keys",
    "dict://127.0.0.1:11211/stats",
    "javascript:alert(1)",
    "data:application/json,{}",
    "//idp.example/keys",
    "/keys",
    "",
    "https://",
    "https:///keys",
    "https://[",
    "https://idp.example@evil.example/keys",
    "HTTP://idp.example/keys",
    " http://idp.example/keys",
    "https://idp.example:99999999/keys",
    "https://idp.example:x/keys",
    "jar:https://idp.example!/keys",
]
ENDPOINTS = ("authorization_endpoint", "token_endpoint", "jwks_uri")
SAFE = {"issuer": "https://idp.example"} | {
    name: f"https://idp.example/{name}" for name in ENDPOINTS
}


class Stub:
    """An HTTP server on a free port that answers what the test says, and counts who came."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.answer: Callable[[BaseHTTPRequestHandler], None] = lambda handler: None
        stub = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                stub.asked.append(self.path)
                stub.answer(self)

            def log_message(self, *_: Any) -> None:
                """Say nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"

    def json(self, document: Any, status: int = 200, **headers: str) -> None:
        """Answer with a document from here on."""

        def answer(handler: BaseHTTPRequestHandler) -> None:
            body = json.dumps(document).encode()
            handler.send_response(status)
            for name, value in headers.items():
                handler.send_header(name, value)
            handler.send_header("Content-Length", str(len(body)))
            handler.end_headers()
            handler.wfile.write(body)

        self.answer = answer


@pytest.fixture
def stub() -> Iterator[Stub]:
    stub = Stub()
    thread = threading.Thread(target=stub.server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    yield stub
    stub.server.shutdown()
    stub.server.server_close()
    thread.join()


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a test does not say otherwise, the provider has all the time that it needs."""
    monkeypatch.setattr(openid, "_SECONDS", 60.0)


@pytest.fixture
def provider(stub: Stub) -> Provider:
    """A provider at the stub, as in development."""
    return Provider(stub.url, "crm", "secret", "https://crm.example/back", False, True)


def document(stub: Stub, **changes: Any) -> dict[str, Any]:
    """What a provider says of itself."""
    return {"issuer": stub.url} | {name: f"{stub.url}/{name}" for name in ENDPOINTS} | changes


def metadata(provider: Provider) -> dict[str, Any]:
    """What a worker learns that has not talked to the provider yet."""
    return asyncio.run(openid.metadata(provider, Talks()))


def saying(document: dict[str, Any]) -> Callable[..., Awaitable[tuple[int, dict[str, Any]]]]:
    """A provider that answers everything with that document."""

    async def ask(*_: Any) -> tuple[int, dict[str, Any]]:
        return 200, document

    return ask


class TestMetadata:
    def test_is_taken_from_a_provider_that_means_well(self, stub: Stub, provider: Provider) -> None:
        stub.json(document(stub))
        assert metadata(provider)["jwks_uri"] == f"{stub.url}/jwks_uri"

    @pytest.mark.parametrize("endpoint", ENDPOINTS)
    @pytest.mark.parametrize("address", [*ELSEWHERE, None, 5, ["https://idp.example"]])
    def test_that_leads_elsewhere_is_refused(
        self, endpoint: str, address: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        strict = Provider(SAFE["issuer"], "crm", "secret", "https://crm.example/back", False, False)
        monkeypatch.setattr(openid, "_ask", saying(SAFE))
        assert metadata(strict) == SAFE
        monkeypatch.setattr(openid, "_ask", saying({**SAFE, endpoint: address}))
        with pytest.raises(Unavailable):
            metadata(strict)

    @pytest.mark.parametrize("endpoint", ENDPOINTS)
    @pytest.mark.parametrize("address", [one for one in ELSEWHERE if "http:" not in one.lower()])
    def test_that_leads_out_of_http_is_refused_in_development_too(
        self, stub: Stub, provider: Provider, endpoint: str, address: str
    ) -> None:
        stub.json(document(stub, **{endpoint: address}))
        with pytest.raises(Unavailable):
            metadata(provider)

    def test_is_not_even_asked_for_in_the_clear(self, stub: Stub, provider: Provider) -> None:
        stub.json(document(stub))
        with pytest.raises(Unavailable, match="not https"):
            metadata(replace(provider, plain_allowed=False))
        assert stub.asked == []

    @pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
    def test_is_not_followed_to_another_address(
        self, stub: Stub, provider: Provider, status: int
    ) -> None:
        stub.json(document(stub, issuer="x"), status, Location=f"{stub.url}/secret")
        with pytest.raises(Unavailable):
            metadata(provider)
        assert stub.asked == ["/.well-known/openid-configuration"]

    def test_of_another_issuer_is_refused(self, stub: Stub, provider: Provider) -> None:
        stub.json(document(stub, issuer=f"{stub.url}/"))
        with pytest.raises(Unavailable, match="another issuer"):
            metadata(provider)

    @pytest.mark.parametrize("body", [b"", b"{", b"[]", b"null", b"\xff", b"[" * 100_000])
    def test_that_is_none_is_refused(self, stub: Stub, provider: Provider, body: bytes) -> None:
        def answer(handler: BaseHTTPRequestHandler) -> None:
            handler.send_response(200)
            handler.end_headers()
            handler.wfile.write(body)

        stub.answer = answer
        with pytest.raises(Unavailable):
            metadata(provider)

    def test_without_end_is_cut_off(self, stub: Stub, provider: Provider) -> None:
        sent = 0

        def answer(handler: BaseHTTPRequestHandler) -> None:
            nonlocal sent
            handler.send_response(200)
            handler.end_headers()
            try:
                while sent < 50_000_000:
                    handler.wfile.write(b"x" * 65536)
                    sent += 65536
            except OSError:
                pass

        stub.answer = answer
        with pytest.raises(Unavailable, match="too much"):
            metadata(provider)
        assert sent < 50_000_000

    def test_that_hardly_comes_is_not_waited_for(
        self, stub: Stub, provider: Provider, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        gone = threading.Event()

        def answer(handler: BaseHTTPRequestHandler) -> None:
            handler.send_response(200)
            handler.end_headers()
            try:
                while not gone.wait(0.05):
                    handler.wfile.write(b" ")
                    handler.wfile.flush()
            except OSError:
                pass

        stub.answer = answer
        monkeypatch.setattr(openid, "_SECONDS", 0.5)
        began = time.monotonic()
        try:
            with pytest.raises(Unavailable):
                metadata(provider)
        finally:
            gone.set()
        assert time.monotonic() - began < 30
