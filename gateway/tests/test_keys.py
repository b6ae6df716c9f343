"""Sealing with AES-256-GCM under keys derived from SECRET_KEY."""

import pytest

from crmkit.settings import Settings
from gateway import keys
from gateway.keys import Unreadable

ONE, TWO = "1" * 40, "2" * 40
SETTINGS = Settings({"SECRET_KEY": ONE})
PLACE = "second_factor/secret/1"


class TestSeal:
    def test_is_opened_where_it_was_sealed(self):
        sealed = keys.seal(b"secret", place=PLACE, settings=SETTINGS)
        assert b"secret" not in sealed.encode()
        assert keys.unseal(sealed, place=PLACE, settings=SETTINGS) == b"secret"

    def test_is_another_each_time(self):
        assert len({keys.seal(b"s", place=PLACE, settings=SETTINGS) for _ in range(3)}) == 3

    def test_is_not_opened_in_another_row(self):
        sealed = keys.seal(b"secret", place=PLACE, settings=SETTINGS)
        with pytest.raises(Unreadable, match="not what was sealed"):
            keys.unseal(sealed, place="second_factor/secret/2", settings=SETTINGS)

    def test_is_not_opened_once_touched(self):
        sealed = keys.seal(b"secret", place=PLACE, settings=SETTINGS)
        touched = sealed[:-6] + ("AAAA" if sealed[-6:-2] != "AAAA" else "BBBB") + sealed[-2:]
        with pytest.raises(Unreadable):
            keys.unseal(touched, place=PLACE, settings=SETTINGS)

    def test_is_opened_after_the_key_was_replaced_while_the_old_one_is_named(self):
        sealed = keys.seal(b"secret", place=PLACE, settings=SETTINGS)
        rotated = Settings({"SECRET_KEY": TWO, "SECRET_KEYS_OLD": f"{ONE}, "})
        assert keys.unseal(sealed, place=PLACE, settings=rotated) == b"secret"
        assert keys.outdated(sealed, rotated)
        assert not keys.outdated(sealed, SETTINGS)
        with pytest.raises(Unreadable, match="no key"):
            keys.unseal(sealed, place=PLACE, settings=Settings({"SECRET_KEY": TWO}))


def test_keys_of_different_purposes_differ():
    assert keys.newest("sealing", SETTINGS)[1] != keys.newest("audit chain", SETTINGS)[1]
