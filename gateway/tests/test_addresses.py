"""Where a request came from, by values."""

import pytest

from gateway import addresses

PROXIES = addresses.trusted("127.0.0.1, 10.0.0.2,")


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
            ("203.0.113.7", b"198.51.100.1", "203.0.113.7"),
        ],
    )
    def test_is_what_our_own_proxies_say(self, peer: str, forwarded, expected: str):
        assert addresses.origin(peer, forwarded, PROXIES) == expected


class TestOverHttp:
    def test_is_believed_of_proxies_only(self, http, bus):
        for peer, expected in (("127.0.0.1", "203.0.113.9"), ("192.0.2.7", "192.0.2.7")):
            http.address = peer
            http("GET", "/v1/customers", headers={"x-forwarded-for": "203.0.113.9"})
            assert bus.context.address == expected
