"""Use cases of API keys."""

import secrets
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from contracts import gateway as contract
from crmkit import pages
from crmkit.clock import now
from crmkit.db import fetch
from crmkit.errors import Invalid
from crmkit.ids import new_id
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
    "expires_at": ApiKey.expires_at,
    "revoked_at": ApiKey.revoked_at,
    "created_at": ApiKey.created_at,
    "updated_at": ApiKey.updated_at,
}


def shown(key: ApiKey) -> dict[str, Any]:
    """The key without its secret."""
    return {name: getattr(key, name) for name in COLUMNS}


def list_api_keys(session: Session, **asked: Any) -> dict[str, Any]:
    """A page of keys."""
    return pages.page(session, select(ApiKey), contract.ListApiKeys, COLUMNS, asked)


def get_api_key(session: Session, *, api_key_id: UUID) -> dict[str, Any]:
    """One key; NotFound."""
    return shown(fetch(session, ApiKey, api_key_id))


def create_api_key(
    session: Session, *, name: str, scopes: list[str], expires_at: datetime | None = None
) -> dict[str, Any]:
    """Make a key. Its secret is in this answer and nowhere else.

    The stored answer of the same Idempotency-Key would hold the secret, too: the row of the API is
    therefore one that may be repeated, and each asking makes another key.
    """
    unknown = sorted(set(scopes) - rules.PERMISSIONS - {EVERYTHING})
    if unknown:
        sentence = f"Unknown: {', '.join(unknown)}."
        raise Invalid("invalid", "Some fields need attention.", {"scopes": [sentence]})
    refuse_more_than_own(session, rules.grants_of_key(scopes))
    identity = new_id()
    secret = f"{PREFIX}{identity.hex}_{secrets.token_urlsafe(32)}"
    key = keep(session, identity=identity, name=name, secret=secret, scopes=scopes)
    key.expires_at = expires_at
    session.flush()
    return shown(key) | {"secret": secret}


def keep(session: Session, *, identity: UUID, name: str, secret: str, scopes: list[str]) -> ApiKey:
    """The row of a key whose secret is known."""
    key = ApiKey(
        id=identity,
        name=name,
        secret_hash=digest(secret),
        scopes=sorted(set(scopes)),
        event_number=0,
    )
    session.add(key)
    return key


def revoke_api_key(
    session: Session, *, api_key_id: UUID, if_match: int | None = None
) -> dict[str, Any]:
    """End a key; a second time changes nothing."""
    key = fetch(session, ApiKey, api_key_id, lock=True, if_match=if_match)
    if key.revoked_at is None:
        key.revoked_at = now()
        session.flush()
    return shown(key)
