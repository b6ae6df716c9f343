"""The gateway's tables."""

from gateway.audit import AuditEntry
from gateway.identity.models import (
    ApiKey,
    Base,
    LoginChallenge,
    LoginFailure,
    LoginSession,
    OidcLogin,
    RecoveryCode,
    Role,
    SecondFactor,
    Staff,
    StaffIdentity,
    Team,
)

__all__ = [
    "ApiKey",
    "AuditEntry",
    "Base",
    "LoginChallenge",
    "LoginFailure",
    "LoginSession",
    "OidcLogin",
    "RecoveryCode",
    "Role",
    "SecondFactor",
    "Staff",
    "StaffIdentity",
    "Team",
]
