"""The gateway's tables."""

from gateway.identity.models import ApiKey, Base, LoginFailure, LoginSession, Role, Staff, Team

__all__ = ["ApiKey", "Base", "LoginFailure", "LoginSession", "Role", "Staff", "Team"]
