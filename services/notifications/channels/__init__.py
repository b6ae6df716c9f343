"""Ways to reach people: what every provider's channel offers, and what may become of a message."""

from dataclasses import dataclass
from typing import Literal, Protocol
from uuid import UUID

Kind = Literal["sent", "bounced", "failed", "deferred", "unclear", "not_begun"]


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A message ready to leave. ``id`` is the ledger's, the same for all attempts."""

    id: UUID
    address: str
    name: str
    language: str
    subject: str
    text: str
    headers: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one attempt; ``reason`` is the provider's own words.

    sent: the provider took it · bounced: there is no such address · failed: refused for good ·
    deferred: tried and refused for now, or cut off before its text left · unclear: it left and no
    answer came · not_begun: never tried, for no fault of its own.
    ``provider_ids`` name the parts under which the provider will speak of it.
    """

    kind: Kind
    reason: str | None = None
    provider_ids: tuple[str, ...] = ()


class Channel(Protocol):
    """One kept connection to a provider, used by one thread.

    ``open`` raises OSError when there is none to be had. ``send`` never raises OSError: after
    ``unclear`` or ``not_begun`` the connection is gone and ``open`` makes another; without one
    everything is ``not_begun``. ``idle`` waits
    up to so many seconds and takes in what the provider has to say meanwhile.
    """

    def open(self) -> None: ...

    def send(self, message: Outgoing) -> Outcome: ...

    def idle(self, seconds: float) -> None: ...

    def close(self) -> None: ...
