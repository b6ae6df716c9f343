"""Use cases of API keys."""

import secrets
from datetime import datetime, timedelta
from ipaddress import ip_network
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from contracts.gateway import api_keys as contract
from crmkit import pages
from crmkit.clock import now
from crmkit.db import actor, fetch, select_named
from crmkit.errors import Conflict, Forbidden, Invalid
from crmkit.ids import new_id
from gateway import audit
from gateway.identity import rules
from gateway.identity.families import digest
from gateway.identity.models import ApiKey
from gateway.identity.roles import refuse_more_than_own
from gateway.principals import EVERYTHING

PREFIX = "crm_"

COLUMNS: dict[str, Any] = {
    "id": ApiKey.id,
    "version": ApiKey.version,
    "name": ApiKey.name,
    "scopes": ApiKey.scopes,
    "networks": ApiKey.networks,
    "expires_at": ApiKey.expires_at,
    "previous_ends_at": ApiKey.previous_ends_at,
    "last_used_at": ApiKey.last_used_at,
    "revoked_at": ApiKey.revoked_at,
    "created_at": ApiKey.created_at,
    "updated_at": ApiKey.updated_at,
}
_WHOLE = select_named(COLUMNS)


def shown(key: ApiKey) -> dict[str, Any]:
    """The key without its secret."""
    return {name: getattr(key, name) for name in COLUMNS}


def list_api_keys(session: Session, **asked: Any) -> dict[str, Any]:
    """A page of keys."""
    return pages.page(session, _WHOLE, contract.ListApiKeys, COLUMNS, asked)


def get_api_key(session: Session, *, api_key_id: UUID) -> dict[str, Any]:
    """One key; NotFound."""
    return shown(fetch(session, ApiKey, api_key_id))


def create_api_key(
    session: Session,
    *,
    name: str,
    scopes: list[str],
    networks: list[str] | None = None,
    expires_at: datetime | None = None,
) -> dict[str, Any]:
    """Make a key. Its secret is in this answer and nowhere else.

    Forbidden when it would hold more than the actor, or be bound less than the key that makes it.
    The stored answer of the same Idempotency-Key would hold the secret, too: the row of the API is
    therefore one that may be repeated, and each asking makes another key.
    """
    unknown = sorted(set(scopes) - rules.PERMISSIONS - {EVERYTHING})
    if unknown:
        sentence = f"Unknown: {', '.join(unknown)}."
        raise Invalid("invalid", "Some fields need attention.", {"scopes": [sentence]})
    refuse_more_than_own(session, rules.grants_of_key(scopes))
    bounds = _networks(networks or [])
    _refuse_freer_than_own(session, bounds, expires_at)
    identity = new_id()
    secret = _new_secret(identity)
    key = keep(session, identity=identity, name=name, secret=secret, scopes=scopes)
    key.expires_at, key.networks = expires_at, bounds
    session.flush()
    noted: dict[str, Any] = {
        "scopes": key.scopes,
        "networks": key.networks,
        "expires_at": expires_at,
    }
    audit.note(session, "api_key.created", f"api_key/{key.id}", title=name, **noted)
    return shown(key) | {"secret": secret}


def _new_secret(identity: UUID) -> str:
    return f"{PREFIX}{identity.hex}_{secrets.token_urlsafe(32)}"


def _networks(asked: list[str]) -> list[str]:
    """The networks in their usual notation; a single address is a network of one."""
    try:
        return sorted({str(ip_network(one)) for one in asked})
    except ValueError as error:
        sentence = f"Not a network in CIDR notation: {error}."
        raise Invalid("invalid", "Some fields need attention.", {"networks": [sentence]}) from None


def _refuse_freer_than_own(
    session: Session, networks: list[str], expires_at: datetime | None
) -> None:
    """Forbidden when the actor is a key that may come from fewer places, or ends sooner."""
    who = actor(session)
    own = session.get_one(ApiKey, who.id) if who.kind == "integration" else None
    if own is None:
        return
    ends_later = own.expires_at is not None and (expires_at is None or expires_at > own.expires_at)
    if ends_later or not _within(networks, own.networks):
        raise Forbidden(
            "freer_than_own",
            "A key bound to networks or a time makes, and renews, only keys bound as closely.",
        )


def _within(asked: list[str], held: list[str]) -> bool:
    """Whether networks lie within others; an empty list stands for everywhere."""
    if not held or not asked:
        return not held
    around, inner = ([ip_network(one) for one in networks] for networks in (held, asked))
    return all(any(one[0] in wide and one[-1] in wide for wide in around) for one in inner)


def rotate_api_key(
    session: Session, *, api_key_id: UUID, overlap_hours: int, if_match: int | None = None
) -> dict[str, Any]:
    """Give a key a new secret; the one before works on for the overlap.

    Conflict when the key was revoked, or while two secrets work, unless the overlap is 0.
    Forbidden as when it is made: whoever asks gets the secret.
    """
    key = fetch(session, ApiKey, api_key_id, lock=True, if_match=if_match)
    refuse_more_than_own(session, rules.grants_of_key(key.scopes))
    _refuse_freer_than_own(session, key.networks, key.expires_at)
    if key.revoked_at is not None:
        raise Conflict("api_key_revoked", "A revoked key gets no new secret.")
    running = key.previous_ends_at is not None and key.previous_ends_at > now()
    if running and overlap_hours:
        raise Conflict(
            "rotation_running",
            "Two secrets of this key work already. Wait, or rotate without an overlap.",
            {"previous_ends_at": key.previous_ends_at},
        )
    secret = _new_secret(key.id)
    key.previous_hash = key.secret_hash if overlap_hours else None
    key.previous_ends_at = now() + timedelta(hours=overlap_hours) if overlap_hours else None
    key.secret_hash = digest(secret)
    session.flush()
    subject = f"api_key/{key.id}"
    audit.note(session, "api_key.rotated", subject, previous_ends_at=key.previous_ends_at)
    return shown(key) | {"secret": secret}


def keep(session: Session, *, identity: UUID, name: str, secret: str, scopes: list[str]) -> ApiKey:
    """The row of a key whose secret is known."""
    key = ApiKey(
        id=identity,
        name=name,
        secret_hash=digest(secret),
        scopes=sorted(set(scopes)),
        networks=[],
        event_number=0,
    )
    session.add(key)
    return key


def revoke_api_key(
    session: Session, *, api_key_id: UUID, if_match: int | None = None
) -> dict[str, Any]:
    """End a key; a second time changes nothing.

    Also one that holds more than the actor does: ending it gives nobody anything, and who finds a
    key in the wrong hands must not have to look for somebody mightier first.
    """
    key = fetch(session, ApiKey, api_key_id, lock=True, if_match=if_match)
    if key.revoked_at is None:
        key.revoked_at = now()
        session.flush()
        audit.note(session, "api_key.revoked", f"api_key/{key.id}")
    return shown(key)
