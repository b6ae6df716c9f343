"""What the installation's settings ask of a login."""

from collections.abc import Iterable

from crmkit.settings import Settings


def mfa_roles(settings: Settings) -> frozenset[str]:
    """Roles whose bearers must have a second factor: MFA_REQUIRED_ROLES, separated by commas."""
    named = settings.text("MFA_REQUIRED_ROLES").split(",")
    return frozenset(one.strip() for one in named if one.strip())


def required_of(roles: Iterable[str], settings: Settings) -> bool:
    """Whether somebody with these roles must have a second factor."""
    return not mfa_roles(settings).isdisjoint(roles)
