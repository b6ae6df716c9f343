"""What the gateway owns: staff, teams, roles, sessions and API keys, and two views it composes."""

from contracts.gateway import (
    api_keys,
    audit,
    me,
    mfa,
    oidc,
    roles,
    sessions,
    staff,
    teams,
    views,
)

__all__ = [
    "api_keys",
    "audit",
    "me",
    "mfa",
    "oidc",
    "roles",
    "sessions",
    "staff",
    "teams",
    "views",
]
