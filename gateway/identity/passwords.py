"""Hashing passwords: argon2id at OWASP's floor, which costs 55 ms of one core."""

from functools import cache

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

_hasher = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)


def hashed(password: str) -> str:
    """The hash to keep, with its parameters and salt."""
    return _hasher.hash(password)


@cache
def nobodys() -> str:
    """A hash that no password fits; checking against it takes as long as against a real one."""
    return _hasher.hash("nobody has this password")


def fits(password: str, known: str | None) -> bool:
    """Whether the password is the hashed one; as slow when there is none."""
    try:
        return _hasher.verify(known or nobodys(), password) and known is not None
    except (VerificationError, InvalidHashError):
        return False


def outdated(known: str) -> bool:
    """Whether the hash was made with other parameters than today's."""
    return _hasher.check_needs_rehash(known)
