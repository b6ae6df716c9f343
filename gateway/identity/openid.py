"""Talking to the OpenID provider: where it is, exchanging a code, and what an ID token says.

One provider, named by settings: OIDC_ISSUER, OIDC_CLIENT_ID, OIDC_CLIENT_SECRET, OIDC_REDIRECT_URI
(the page of the web client to which the provider sends people back), OIDC_LINK_BY_EMAIL.
"""

import asyncio
import base64
import secrets
import ssl
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from hashlib import sha256
from typing import Any
from urllib.parse import urlencode, urlsplit

import httpx
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from crmkit import codec
from crmkit.clock import now
from crmkit.errors import Unavailable
from crmkit.settings import Settings

ALGORITHMS = ("RS256", "PS256", "ES256")
"""Signatures by a private key only: with an HMAC, the public key would do to sign."""
LEEWAY_SECONDS = 30
MOST_TALKS = 8
_MOST_BYTES = 256 * 1024
_SECONDS = 3.0
"""For all that one request asks of the provider, from its address to its keys."""
_FRESH_SECONDS = 300.0
_KNOWLEDGE = frozenset(("pwd", "pin"))
_POSSESSION = frozenset(("otp", "hwk", "swk", "sms"))


class Untrusted(Exception):
    """What the provider answered proves nothing."""


@dataclass(slots=True)
class Talks:
    """One worker's conversations with the provider: how many there are, and what it said lately.

    They are held in the loop and by no thread: a provider that went silent keeps nobody from the
    database, and a resolver that did holds threads of the loop only, for which no talk waits.
    """

    going_on: int = 0
    _said: dict[str, tuple[float, dict[str, Any]]] = field(default_factory=dict)

    @asynccontextmanager
    async def begin(self) -> AsyncIterator[None]:
        """All that one request asks of the provider, bounded as a whole.

        Unavailable when it takes longer than three seconds, or eight are talking to it already.
        """
        if self.going_on >= MOST_TALKS:
            raise _unavailable("Too many ask it just now.")
        self.going_on += 1
        try:
            async with asyncio.timeout(_SECONDS):
                yield
        except TimeoutError as error:
            raise _unavailable("It does not answer in time.") from error
        finally:
            self.going_on -= 1

    def lately(self, url: str) -> dict[str, Any] | None:
        """What it said there in the last five minutes, if that was worth remembering."""
        until, document = self._said.get(url, (0.0, None))
        return document if time.monotonic() < until else None

    def remember(self, url: str, document: dict[str, Any]) -> None:
        """Keep what proved to be right."""
        self._said[url] = (time.monotonic() + _FRESH_SECONDS, document)


@dataclass(frozen=True, slots=True)
class Provider:
    """The OpenID provider of this installation, and who we are to it."""

    issuer: str
    client_id: str
    client_secret: str
    redirect_uri: str
    link_by_email: bool
    plain_allowed: bool


def configured(settings: Settings) -> Provider | None:
    """The provider of the settings; None when there is none."""
    issuer = settings.text("OIDC_ISSUER")
    if not issuer:
        return None
    client_id, redirect_uri = settings.need("OIDC_CLIENT_ID", "OIDC_REDIRECT_URI")
    return Provider(
        issuer,
        client_id,
        settings.text("OIDC_CLIENT_SECRET"),
        redirect_uri,
        settings.text("OIDC_LINK_BY_EMAIL") == "verified",
        settings.development,
    )


def challenge_of(verifier: str) -> str:
    """The PKCE challenge S256 of a verifier (RFC 7636)."""
    return base64.urlsafe_b64encode(sha256(verifier.encode()).digest()).decode().rstrip("=")


def new_verifier() -> str:
    """A PKCE verifier of 64 characters."""
    return secrets.token_urlsafe(48)


def authorization_url(
    provider: Provider, endpoint: str, *, state: str, nonce: str, verifier: str
) -> str:
    """Where to send somebody to log in."""
    query = {
        "response_type": "code",
        "client_id": provider.client_id,
        "redirect_uri": provider.redirect_uri,
        "scope": "openid email",
        "state": state,
        "nonce": nonce,
        "code_challenge": challenge_of(verifier),
        "code_challenge_method": "S256",
    }
    joint = "&" if urlsplit(endpoint).query else "?"
    return f"{endpoint}{joint}{urlencode(query)}"


async def metadata(provider: Provider, talks: Talks) -> dict[str, Any]:
    """The provider's endpoints (OpenID Connect Discovery 1.0); Unavailable when it is not there."""
    known = talks.lately(_discovery(provider))
    if known is None:
        async with talks.begin():
            known = await _metadata(provider, talks)
    return known


async def exchange(
    provider: Provider, talks: Talks, code: str, verifier: str, *, nonce: str
) -> dict[str, Any]:
    """The claims of the ID token that the provider gives for a code; Untrusted."""
    async with talks.begin():
        known = talks.lately(_discovery(provider)) or await _metadata(provider, talks)
        token = await _id_token(provider, known["token_endpoint"], code, verifier)
        return await _proven(provider, talks, known["jwks_uri"], token, nonce)


def _discovery(provider: Provider) -> str:
    return f"{provider.issuer.rstrip('/')}/.well-known/openid-configuration"


async def _metadata(provider: Provider, talks: Talks) -> dict[str, Any]:
    url = _discovery(provider)
    _, found = await _ask(provider, "GET", url)
    if found.get("issuer") != provider.issuer:
        raise _unavailable("It says it is another issuer.")
    for name in ("authorization_endpoint", "token_endpoint", "jwks_uri"):
        if not isinstance(found.get(name), str):
            raise _unavailable(f"It names no {name}.")
        # The first goes to a browser, where javascript: would be run.
        _refuse_unsafe(provider, found[name])
    talks.remember(url, found)
    return found


async def _id_token(provider: Provider, url: str, code: str, verifier: str) -> str:
    form = {
        "grant_type": "authorization_code",
        "code": code,
        "redirect_uri": provider.redirect_uri,
        "code_verifier": verifier,
        "client_id": provider.client_id,
    }
    options: dict[str, Any] = {"data": form}
    if provider.client_secret:
        options["auth"] = (provider.client_id, provider.client_secret)
    status, answer = await _ask(provider, "POST", url, **options)
    token = answer.get("id_token")
    if status != 200 or not isinstance(token, str):
        raise Untrusted(f"The code was not taken: {answer.get('error')}.")
    return token


async def _proven(
    provider: Provider, talks: Talks, url: str, token: str, nonce: str
) -> dict[str, Any]:
    """The claims of an ID token; the keys are asked for anew when it proves nothing by the old."""
    lately = talks.lately(url)
    if lately is not None:
        with suppress(Untrusted):
            return claims_of(token, lately, provider, nonce=nonce, moment=now())
    _, keys = await _ask(provider, "GET", url)
    claims = claims_of(token, keys, provider, nonce=nonce, moment=now())
    talks.remember(url, keys)
    return claims


def claims_of(
    id_token: str,
    keys: Mapping[str, Any],
    provider: Provider,
    *,
    nonce: str,
    moment: datetime,
) -> dict[str, Any]:
    """What an ID token says once it is proven (OpenID Connect Core 1.0, 3.1.3.7); Untrusted."""
    try:
        key_set = KeySet.import_key_set(dict(keys))  # type: ignore[arg-type]
        claims = jwt.decode(id_token, key_set, algorithms=list(ALGORITHMS)).claims
        jwt.JWTClaimsRegistry(
            now=int(moment.timestamp()),
            leeway=LEEWAY_SECONDS,
            iss={"essential": True, "value": provider.issuer},
            aud={"essential": True, "value": provider.client_id},
            sub={"essential": True},
            exp={"essential": True},
            iat={"essential": True},
            nonce={"essential": True, "value": nonce},
        ).validate(claims)
    except (JoseError, ValueError, TypeError, KeyError) as error:
        raise Untrusted(f"The ID token proves nothing: {error!r}.") from error
    several = isinstance(claims["aud"], list) and len(claims["aud"]) > 1
    if (several or "azp" in claims) and claims.get("azp") != provider.client_id:
        raise Untrusted("The ID token was made for another client.")
    if not isinstance(claims["sub"], str) or not 0 < len(claims["sub"]) <= 255:
        raise Untrusted("The ID token names nobody.")
    return dict(claims)


def strong(claims: Mapping[str, Any]) -> bool:
    """Whether the provider asked for two factors itself (RFC 8176).

    Only ``mfa`` says so by itself. A code or a key alone is one factor, however good.
    """
    listed = claims.get("amr")
    if not isinstance(listed, list):
        return False
    methods = {str(one) for one in listed}
    return "mfa" in methods or bool(methods & _KNOWLEDGE and methods & _POSSESSION)


def _unavailable(why: str) -> Unavailable:
    return Unavailable(
        "provider_unavailable", f"The OpenID provider cannot be used: {why}", {"retry_after": 5}
    )


def _refuse_unsafe(provider: Provider, url: str) -> None:
    """Unavailable unless an address is https and names a host; http will do in development."""
    try:
        parts = urlsplit(url)
        known = bool(parts.hostname) and parts.port != 0 and "@" not in parts.netloc
    except ValueError:
        known = False
    schemes = ("https", "http") if provider.plain_allowed else ("https",)
    if not known or parts.scheme not in schemes:
        raise _unavailable("Its address is not https.")


async def _ask(
    provider: Provider, method: str, url: str, **options: Any
) -> tuple[int, dict[str, Any]]:
    """Status and JSON of an answer. No redirects, a bounded size; the time is the talk's."""
    _refuse_unsafe(provider, url)
    try:
        status, received = await _fetched(method, url, options)
        found = codec.loads(received)
    except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
        raise _unavailable(f"{type(error).__name__}.") from error
    if status >= 500 or not isinstance(found, dict):
        raise _unavailable(f"It answers {status}.")
    return status, found


@cache
def _trusted() -> ssl.SSLContext:
    """Whose certificates count. Made once: reading them all would hold the loop up each time."""
    return httpx.create_ssl_context()


async def _fetched(method: str, url: str, options: dict[str, Any]) -> tuple[int, bytes]:
    received = bytearray()
    async with (
        httpx.AsyncClient(verify=_trusted(), timeout=_SECONDS, follow_redirects=False) as client,
        client.stream(method, url, **options) as answer,
    ):
        async for chunk in answer.aiter_bytes():
            received += chunk
            if len(received) > _MOST_BYTES:
                raise _unavailable("It answers too much.")
    return answer.status_code, bytes(received)
