"""From the Authorization header to whoever holds the token."""

import asyncio
import time
from dataclasses import dataclass
from datetime import timedelta
from ipaddress import ip_network

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

CACHE_SECONDS = 5.0
MOST_CACHED = 20_000
_LONGEST_TOKEN = 300
_USED_EVERY = timedelta(hours=1)


def of_session(
    session: Session, hashed: bytes, mfa_roles: frozenset[str] = frozenset()
) -> Principal | None:
    """Who holds the access token of that hash, while it lives.

    Whose roles are among ``mfa_roles`` and has no second factor may only set one up.
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
    has_factor = row.confirmed_at is not None or "+" in row.method
    needs_factor = not has_factor and not mfa_roles.isdisjoint(row.roles)
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


class Bearers:
    """Who holds which token, remembered for five seconds: so long a revocation may take."""

    def __init__(self, resources: Resources) -> None:
        self._resources = resources
        self._mfa_roles = mfa_roles(resources.settings)
        self._seen: dict[bytes, _Seen] = {}

    async def principal(self, authorization: bytes | None) -> Principal | None:
        """Whoever holds the bearer token in that header; None when nobody does.

        Requests that come meanwhile with the same token wait for the one look-up.
        """
        token = _token(authorization)
        if token is None:
            return None
        moment = time.monotonic()
        seen = self._seen.get(token)
        if seen is None or seen.until < moment:
            if len(self._seen) >= MOST_CACHED:
                self._seen.clear()
            looked_up = asyncio.ensure_future(self._look_up(token))
            seen = self._seen[token] = _Seen(moment + CACHE_SECONDS, looked_up)
        try:
            if seen.looked_up.done():
                return seen.looked_up.result()
            # Whoever asked first may go away; the others still want to know.
            return await asyncio.shield(seen.looked_up)
        except Exception:
            self._seen.pop(token, None)
            raise

    async def _look_up(self, token: bytes) -> Principal | None:
        text = token.decode()
        work = self._resources.database.within(Context())
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
