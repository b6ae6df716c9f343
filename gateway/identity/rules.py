"""Decisions of identity: which role may do what, who may give it, how long a login waits."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta

from crmkit.context import Scope
from gateway.principals import EVERYTHING, WIDTH, scope_of

PERMISSIONS = frozenset(
    (
        "customers.read",
        "customers.write",
        "opportunities.read",
        "opportunities.write",
        "orders.read",
        "orders.write",
        "tasks.read",
        "tasks.write",
        "tickets.read",
        "tickets.write",
        "feedback.read",
        "feedback.write",
        "campaigns.read",
        "campaigns.write",
        "campaigns.launch",
        "messages.read",
        "reminders.read",
        "reminders.write",
        "inbox.read",
        "inbox.write",
        "events.read",
        "events.personal",
        "staff.read",
        "staff.write",
        "teams.read",
        "teams.write",
        "roles.read",
        "roles.write",
        "api_keys.read",
        "api_keys.write",
        "audit.read",
        "ops.read",
        "ops.write",
    )
)
"""Every permission a row or a role may name."""

UNSCOPED = frozenset(
    (
        "staff.read",
        "teams.read",
        "teams.write",
        "roles.read",
        "roles.write",
        "api_keys.read",
        "api_keys.write",
        "audit.read",
        "events.read",
        "events.personal",
        "ops.read",
        "ops.write",
    )
)
"""Held for everything by whoever holds them: a directory of colleagues has no owner; teams, roles,
keys, the audit log, the feed and what is parked are the company's."""


@dataclass(frozen=True, slots=True)
class RoleRule:
    """What a role may do, and on whose records."""

    permissions: frozenset[str]
    scope: Scope


def _reads(*nouns: str) -> set[str]:
    return {f"{noun}.read" for noun in nouns}


def _writes(*nouns: str) -> set[str]:
    return {f"{noun}.{verb}" for noun in nouns for verb in ("read", "write")}


_EVERYBODY = _reads("staff", "teams") | _writes("reminders", "inbox", "tasks")
_SALES = _EVERYBODY | _writes("customers", "opportunities", "orders")
_SALES |= _reads("tickets", "feedback", "campaigns", "messages") | {"feedback.write"}
_SERVICE = _EVERYBODY | _writes("tickets", "feedback", "customers") | _reads("orders", "messages")
_MARKETING = _EVERYBODY | _writes("campaigns") | _reads("customers", "messages", "orders")
_MARKETING |= {"campaigns.launch"}
_MANAGER = _SALES | _SERVICE | _reads("campaigns", "roles")
_DIRECTOR = _MANAGER | _MARKETING | _reads("events") | {"events.personal"}

ROLES: Mapping[str, RoleRule] = {
    "admin": RoleRule(frozenset((EVERYTHING,)), "all"),
    "director": RoleRule(frozenset(_DIRECTOR), "all"),
    "manager": RoleRule(frozenset(_MANAGER), "subtree"),
    "sales": RoleRule(frozenset(_SALES), "own"),
    "service": RoleRule(frozenset(_SERVICE), "team"),
    "marketing": RoleRule(frozenset(_MARKETING), "all"),
    "operator": RoleRule(frozenset(_EVERYBODY | {"ops.read", "ops.write"}), "own"),
    "integration": RoleRule(frozenset(_reads("events", "orders", "customers")), "all"),
}
"""The roles of every installation. Companies add their own; these stay as they are."""


def grants(names: Iterable[str], roles: Mapping[str, RoleRule] = ROLES) -> dict[str, Scope]:
    """Each permission that the named roles hold, with the widest scope among them.

    A name that no role bears any more gives nothing.
    """
    found: dict[str, Scope] = {}
    for role in (roles[name] for name in names if name in roles):
        for permission in role.permissions:
            scope: Scope = "all" if permission in UNSCOPED else role.scope
            if permission not in found or WIDTH[scope] > WIDTH[found[permission]]:
                found[permission] = scope
    return found


def grants_of_key(scopes: Iterable[str]) -> dict[str, Scope]:
    """What an API key may do: each of its scopes, on all records."""
    return dict.fromkeys(scopes, "all")


def within(asked: Mapping[str, Scope], held: Mapping[str, Scope]) -> bool:
    """Whether all that is asked is held, as widely: nobody can hand out more than they have."""
    for permission, scope in asked.items():
        most = scope_of(held, permission)
        if most is None or WIDTH[most] < WIDTH[scope]:
            return False
    return True


def covers(scope: Scope, own_path: str, team_path: str) -> bool:
    """Whether a place in the tree of teams lies in somebody's scope."""
    if scope == "all":
        return True
    if scope == "subtree":
        return team_path.startswith(own_path)
    return scope == "team" and team_path == own_path


FREE_FAILURES = 5
_FIRST_WAIT, _LONGEST_WAIT = timedelta(seconds=30), timedelta(minutes=15)
FORGET_AFTER = timedelta(hours=1)


def login_wait(failures: int) -> timedelta:
    """How long to wait after that many wrong passwords: 30 s after the fifth, then doubled.

    Never more than 15 min: a lock without an end is a weapon against the account's owner
    (OWASP ASVS 5.0, 6.1.1).
    """
    if failures < FREE_FAILURES:
        return timedelta()
    doublings = min(failures - FREE_FAILURES, 10)
    return min(_FIRST_WAIT * (1 << doublings), _LONGEST_WAIT)


FREE_ACCOUNT_FAILURES = 10
_ACCOUNT_FIRST_WAIT, _ACCOUNT_LONGEST_WAIT = timedelta(seconds=15), timedelta(minutes=5)


def account_wait(failures: int) -> timedelta:
    """How long an account rests after wrong passwords from all addresses together.

    It begins later and ends sooner than for one address: it also meets who did nothing wrong.
    """
    if failures < FREE_ACCOUNT_FAILURES:
        return timedelta()
    doublings = min(failures - FREE_ACCOUNT_FAILURES, 10)
    return min(_ACCOUNT_FIRST_WAIT * (1 << doublings), _ACCOUNT_LONGEST_WAIT)


ADDRESS_FAILURES = 100
WINDOW = timedelta(hours=1)


def address_wait(failures: int, since_first: timedelta) -> timedelta:
    """How long an address waits: until the hour is over in which it failed 100 times."""
    return WINDOW - since_first if failures >= ADDRESS_FAILURES else timedelta()


_COMMON = ("password", "12345678", "qwertyui", "rapport", "letmein", "iloveyou", "administrator")


def weakness(password: str, about: Iterable[str]) -> str | None:
    """Why a password is too easy to guess; None when nothing speaks against it.

    ``about`` are words around its owner. No rules on kinds of characters (ASVS 6.2.5).
    """
    lowered = password.casefold()
    if len(set(lowered)) < 5:
        return "It has too few different characters."
    rest = lowered
    for word in (*_COMMON, *(one.casefold() for one in about if len(one) >= 3)):
        rest = rest.replace(word, "")
    left = sum(character.isalnum() for character in rest)
    return "It is made of words that are easy to guess." if left < 6 else None
