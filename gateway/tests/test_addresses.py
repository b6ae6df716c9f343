"""Where a request came from, by values."""

import pytest

from gateway import addresses

PROXIES = addresses.trusted("127.0.0.1, 10.0.0.2, 10.42.0.0/16, fd00::/8,")


class TestOrigin:
    @pytest.mark.parametrize(
        ("peer", "forwarded", "expected"),
        [
            ("127.0.0.1", None, "127.0.0.1"),
            ("127.0.0.1", b"203.0.113.9", "203.0.113.9"),
            ("127.0.0.1", b"198.51.100.1, 203.0.113.9", "203.0.113.9"),
            ("127.0.0.1", b"203.0.113.9, 10.0.0.2", "203.0.113.9"),
            ("127.0.0.1", b"2001:db8::1", "2001:db8::1"),
            ("127.0.0.1", b"10.0.0.2", "127.0.0.1"),
            ("127.0.0.1", b"203.0.113.9, nonsense", "127.0.0.1"),
            ("127.0.0.1", b"", "127.0.0.1"),
            ("10.42.3.4", b"203.0.113.9, 10.42.200.1", "203.0.113.9"),
            ("::ffff:10.42.3.4", b"203.0.113.9", "203.0.113.9"),
            ("fd00::7", b"203.0.113.9", "203.0.113.9"),
            ("10.43.3.4", b"203.0.113.9", "10.43.3.4"),
            ("unix", b"203.0.113.9", "unix"),
            ("203.0.113.7", b"198.51.100.1", "203.0.113.7"),
        ],
    )
    def test_is_what_our_own_proxies_say(self, peer: str, forwarded, expected: str):
        assert addresses.origin(peer, forwarded, PROXIES) == expected


class TestTrusted:
    @pytest.mark.parametrize("setting", ["*", "proxy.internal", "10.0.0.1/8"])
    def test_takes_no_name_and_not_everybody(self, setting: str):
        with pytest.raises(SystemExit, match="FORWARDED_ALLOW_IPS"):
            addresses.trusted(setting)


class TestHousehold:
    @pytest.mark.parametrize(
        ("address", "expected"),
        [
            ("203.0.113.9", "203.0.113.9"),
            ("::ffff:203.0.113.9", "203.0.113.9"),
            ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
            ("2001:db8:1:2::", "2001:db8:1:2::/64"),
            ("unknown", "unknown"),
        ],
    )
    def test_is_what_one_can_choose_from_at_will(self, address: str, expected: str):
        assert addresses.household(address) == expected


class TestOverHttp:
    def test_is_believed_of_proxies_only(self, http, bus):
        for peer, expected in (("127.0.0.1", "203.0.113.9"), ("192.0.2.7", "192.0.2.7")):
            http.address = peer
            http("GET", "/v1/customers", headers={"x-forwarded-for": "203.0.113.9"})
            assert bus.context.address == expected
