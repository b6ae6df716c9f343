"""From the Authorization header to whoever holds the token."""

import asyncio
import time
from dataclasses import dataclass
from datetime import timedelta
from ipaddress import ip_network
from typing import TYPE_CHECKING

from sqlalchemy import and_, or_, select, update
from sqlalchemy.orm import Session

from crmkit.clock import now
from crmkit.context import Context
from gateway import audit
from gateway.identity import roles, rules
from gateway.identity.families import ACCESS_PREFIX, digest
from gateway.identity.models import ApiKey, LoginSession, SecondFactor, Staff
from gateway.identity.policy import mfa_roles
from gateway.principals import Principal
from gateway.resources import Resources

if TYPE_CHECKING:
    from gateway.app import Request

CACHE_SECONDS = 5.0
MOST_CACHED = 20_000
_LONGEST_TOKEN = 300
_USED_EVERY = timedelta(hours=1)


def of_session(
    session: Session, hashed: bytes, mfa_roles: frozenset[str] = frozenset()
) -> Principal | None:
    """Who holds the access token of that hash, while it lives.

    Whose roles are among ``mfa_roles`` may only set a second factor up unless the session was
    opened with one, by us or by the provider of the login.
    """
    row = session.execute(
        select(
            LoginSession.id.label("session_id"),
            LoginSession.method,
            Staff.id,
            Staff.roles,
            Staff.team_path,
            Staff.language,
            SecondFactor.confirmed_at,
        )
        .join(Staff, Staff.id == LoginSession.staff_id)
        .outerjoin(SecondFactor, SecondFactor.staff_id == Staff.id)
        .where(
            LoginSession.access_hash == hashed,
            LoginSession.ended_at.is_(None),
            LoginSession.access_expires_at > now(),
            Staff.active,
        )
    ).one_or_none()
    if row is None:
        return None
    # This session showed one: it is not the thief's of before it was set up, nor of one since off.
    showed = row.method.endswith("+mfa") or ("+" in row.method and row.confirmed_at is not None)
    needs_factor = not showed and not mfa_roles.isdisjoint(row.roles)
    return Principal(
        row.id,
        "staff",
        {} if needs_factor else roles.grants_of(session, row.roles),
        team_path=row.team_path,
        language=row.language,
        session_id=row.session_id,
        needs_factor=needs_factor,
    )


def of_key(session: Session, hashed: bytes) -> Principal | None:
    """Which system holds the API key of that hash, while it is valid. Its use is noted hourly."""
    previous = and_(ApiKey.previous_hash == hashed, ApiKey.previous_ends_at > now())
    key = session.scalars(
        select(ApiKey).where(
            or_(ApiKey.secret_hash == hashed, previous), ApiKey.revoked_at.is_(None)
        )
    ).one_or_none()
    if key is None or (key.expires_at is not None and key.expires_at <= now()):
        return None
    networks = tuple(ip_network(one) for one in key.networks)
    if key.last_used_at is None or key.last_used_at < now() - _USED_EVERY:
        used = update(ApiKey).where(ApiKey.id == key.id).values(last_used_at=now())
        # Not a change of the record: its version and its time stay.
        session.execute(used.values(updated_at=ApiKey.updated_at))
        which = "secret" if key.secret_hash == hashed else "previous secret"
        by = f"integration:{key.id}"
        audit.note(session, "api_key.used", f"api_key/{key.id}", by=by, which=which)
    return Principal(key.id, "integration", rules.grants_of_key(key.scopes), networks=networks)


@dataclass(slots=True)
class _Seen:
    until: float
    looked_up: "asyncio.Future[Principal | None]"

    @property
    def good(self) -> bool:
        """Whether somebody was found who holds the token, or is being looked for."""
        looked = self.looked_up
        if not looked.done():
            return True
        return not looked.cancelled() and not looked.exception() and looked.result() is not None


class Bearers:
    """Who holds which token, remembered for five seconds: so long a revocation may take."""

    def __init__(self, resources: Resources) -> None:
        self._resources = resources
        self._mfa_roles = mfa_roles(resources.settings)
        self._seen: dict[bytes, _Seen] = {}

    def knew(self, request: "Request") -> bool:
        """Whether the token was somebody's when it was last looked up, or there is none."""
        token = _token(request.headers.get(b"authorization"))
        return token is None or (token in self._seen and self._seen[token].good)

    async def principal(self, request: "Request") -> Principal | None:
        """Whoever holds the bearer token of the request; None when nobody does.

        Requests that come meanwhile with the same token wait for the one look-up.
        """
        token = _token(request.headers.get(b"authorization"))
        if token is None:
            return None
        moment = time.monotonic()
        seen = self._seen.get(token)
        if seen is None or seen.until < moment:
            if len(self._seen) >= MOST_CACHED:
                kept = {one: seen for one, seen in self._seen.items() if seen.good}
                self._seen = kept if len(kept) < MOST_CACHED else {}
            looked_up = asyncio.ensure_future(self._look_up(token, request))
            seen = self._seen[token] = _Seen(moment + CACHE_SECONDS, looked_up)
        try:
            if seen.looked_up.done():
                return seen.looked_up.result()
            # Whoever asked first may go away; the others still want to know.
            return await asyncio.shield(seen.looked_up)
        except Exception:
            self._seen.pop(token, None)
            raise

    async def _look_up(self, token: bytes, request: "Request") -> Principal | None:
        text = token.decode()
        asked = Context(request_id=request.id, address=request.address)
        work = self._resources.database.within(asked)
        in_thread = self._resources.in_thread
        found: Principal | None
        if text.startswith(ACCESS_PREFIX):
            found = await in_thread(
                work.read, of_session, hashed=digest(text), mfa_roles=self._mfa_roles
            )
        else:
            found = await in_thread(work.run, of_key, hashed=digest(text))
        return found

    def forget(self) -> None:
        """Look everybody up anew."""
        self._seen.clear()


def _token(authorization: bytes | None) -> bytes | None:
    if authorization is None or authorization[:7].lower() != b"bearer ":
        return None
    token = authorization[7:].strip()
    return token if 0 < len(token) <= _LONGEST_TOKEN and token.isascii() else None
