"""Keys derived from SECRET_KEY, one per purpose, and sealing what the database must not read.

``SECRET_KEYS_OLD`` holds former values, separated by commas: what they sealed or signed can still
be read, and is sealed anew with today's key when it is next used.
"""

import base64
import os
from functools import lru_cache
from hashlib import sha256

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from crmkit.settings import Settings, from_environment

_NONCE_BYTES = 12


class Unreadable(Exception):
    """Nobody has the key of a sealed value, or it was tampered with or put in another place."""


@lru_cache(maxsize=32)
def _derived(secret: bytes, purpose: str) -> tuple[str, bytes]:
    key = HKDF(SHA256(), 32, salt=None, info=f"rapport {purpose}".encode()).derive(secret)
    return sha256(b"id" + key).hexdigest()[:8], key


def newest(purpose: str, settings: Settings | None = None) -> tuple[str, bytes]:
    """Today's key for that purpose, with the id by which it is found again."""
    return _derived((settings or from_environment()).secret_key(), purpose)


def known(purpose: str, settings: Settings | None = None) -> dict[str, bytes]:
    """All keys for that purpose by their id, today's and former ones."""
    settings = settings or from_environment()
    former = settings.text("SECRET_KEYS_OLD").split(",")
    secrets = [settings.secret_key(), *(one.strip().encode() for one in former if one.strip())]
    return dict(_derived(secret, purpose) for secret in secrets)


def seal(plain: bytes, *, place: str, settings: Settings | None = None) -> str:
    """The value encrypted with AES-256-GCM as ``<key id>.<nonce and ciphertext>``.

    ``place`` is table/column/row id: bound to the value, it keeps it from being moved elsewhere.
    """
    name, key = newest("sealing", settings)
    nonce = os.urandom(_NONCE_BYTES)
    sealed = nonce + AESGCM(key).encrypt(nonce, plain, place.encode())
    return f"{name}.{base64.urlsafe_b64encode(sealed).decode()}"


def unseal(sealed: str, *, place: str, settings: Settings | None = None) -> bytes:
    """The value that was sealed in that place; Unreadable."""
    name, _, body = sealed.partition(".")
    key = known("sealing", settings).get(name)
    if key is None:
        raise Unreadable(f"There is no key {name}.")
    raw = base64.urlsafe_b64decode(body)
    try:
        return AESGCM(key).decrypt(raw[:_NONCE_BYTES], raw[_NONCE_BYTES:], place.encode())
    except InvalidTag:
        raise Unreadable(f"The value at {place} is not what was sealed there.") from None


def outdated(sealed: str, settings: Settings | None = None) -> bool:
    """Whether a value was sealed with a former key."""
    return not sealed.startswith(f"{newest('sealing', settings)[0]}.")
