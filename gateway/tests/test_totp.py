"""Time-based one-time passwords, with the vectors of the RFCs."""

from datetime import UTC, datetime

import pytest

from gateway.identity import totp

SECRET = b"12345678901234567890"


def at(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


class TestCode:
    @pytest.mark.parametrize(
        ("counter", "expected"),
        [(0, "755224"), (1, "287082"), (2, "359152"), (8, "399871"), (9, "520489")],
    )
    def test_fits_the_vectors_of_rfc_4226(self, counter: int, expected: str):
        assert totp.code(SECRET, counter) == expected

    @pytest.mark.parametrize(
        ("seconds", "expected"),
        [
            (59, "287082"),
            (1_111_111_109, "081804"),
            (1_234_567_890, "005924"),
            (20_000_000_000, "353130"),
        ],
    )
    def test_fits_the_vectors_of_rfc_6238(self, seconds: int, expected: str):
        assert totp.code(SECRET, totp.step_at(at(seconds))) == expected


class TestTakenStep:
    now = at(1_000_000_000)
    step = totp.step_at(now)

    @pytest.mark.parametrize(
        ("drift", "taken"), [(-2, False), (-1, True), (0, True), (1, True), (2, False)]
    )
    def test_allows_a_clock_to_be_one_step_off(self, drift: int, taken: bool):
        given = totp.code(SECRET, self.step + drift)
        found = totp.taken_step(SECRET, given, moment=self.now, last_step=0)
        assert (found == self.step + drift) is taken

    def test_takes_no_code_twice_nor_one_before_it(self):
        for drift in (-1, 0):
            given = totp.code(SECRET, self.step + drift)
            found = totp.taken_step(SECRET, given, moment=self.now, last_step=self.step)
            assert found is None

    @pytest.mark.parametrize("given", ["", "000000", "12345", "１２３４５６"])
    def test_takes_no_other(self, given: str):
        assert totp.taken_step(SECRET, given, moment=self.now, last_step=0) is None


def test_an_address_is_what_apps_read():
    assert totp.address(SECRET, account="kim@x.example") == (
        "otpauth://totp/Rapport%3Akim%40x.example"
        "?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&issuer=Rapport"
    )
