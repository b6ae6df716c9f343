"""Where a request came from, when proxies of ours stand in between."""

from ipaddress import ip_address

_LONGEST = 1000


def trusted(setting: str) -> frozenset[str]:
    """The addresses of our proxies: FORWARDED_ALLOW_IPS, separated by commas."""
    return frozenset(one.strip() for one in setting.split(",") if one.strip())


def origin(peer: str, forwarded: bytes | None, proxies: frozenset[str]) -> str:
    """The last address in X-Forwarded-For that is no proxy of ours; the peer, if that is none.

    From the right, since everything further left is what the client chose to send.
    """
    if forwarded is None or peer not in proxies:
        return peer
    for one in reversed(forwarded[-_LONGEST:].decode("latin-1").split(",")):
        place = one.strip()
        try:
            ip_address(place)
        except ValueError:
            return peer
        if place not in proxies:
            return place
    return peer
