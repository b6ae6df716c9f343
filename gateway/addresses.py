"""Where a request came from, when proxies of ours stand in between."""

from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

_LONGEST = 1000
_HOUSEHOLD_BITS = 64

Network = IPv4Network | IPv6Network


def trusted(setting: str) -> tuple[Network, ...]:
    """The networks our proxies are in: FORWARDED_ALLOW_IPS, separated by commas.

    SystemExit for what is neither an address nor a network; ``*`` would let everybody choose where
    they come from.
    """
    try:
        return tuple(ip_network(one.strip()) for one in setting.split(",") if one.strip())
    except ValueError as error:
        raise SystemExit(f"FORWARDED_ALLOW_IPS takes addresses and networks: {error}.") from None


def parsed(text: str) -> IPv4Address | IPv6Address | None:
    """The address, that of IPv4 where one of IPv6 only wraps it; None when it is none."""
    try:
        place = ip_address(text)
    except ValueError:
        return None
    return getattr(place, "ipv4_mapped", None) or place


def lies_in(text: str, networks: tuple[Network, ...]) -> bool:
    """Whether it is an address in one of the networks."""
    place = parsed(text)
    return place is not None and any(place in network for network in networks)


def origin(peer: str, forwarded: bytes | None, proxies: tuple[Network, ...]) -> str:
    """The last address in X-Forwarded-For that is no proxy of ours; the peer, if that is none.

    From the right, since everything further left is what the client chose to send.
    """
    if forwarded is None or not lies_in(peer, proxies):
        return peer
    for one in reversed(forwarded[-_LONGEST:].decode("latin-1").split(",")):
        place = one.strip()
        if parsed(place) is None:
            return peer
        if not lies_in(place, proxies):
            return place
    return peer


@lru_cache(maxsize=4096)
def household(address: str) -> str:
    """What counts as one place to come from: an address of IPv4, 64 bits of one of IPv6.

    So much of IPv6 everybody has to themselves (RFC 6177), and could come from another each time.
    """
    place = parsed(address)
    if place is None or place.version == 4:
        return str(place or address)
    return str(ip_network((place, _HOUSEHOLD_BITS), strict=False))
