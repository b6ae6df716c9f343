"""Reading the stream ``crm.feed`` for one request: from a position on, until enough or nothing."""

import asyncio
import logging
from dataclasses import dataclass, field
from typing import Any

from crmkit import codec
from crmkit.db import Encoded
from crmkit.errors import Unavailable
from crmkit.topology import FEED
from gateway.feed import cursor, events
from gateway.problems import Problem
from gateway.resources import Resources
from gateway.routes import Call

log = logging.getLogger(__name__)

ATTACH_SECONDS = 0.5
"""A stream takes some milliseconds to start delivering; without ``wait`` this is the patience."""
QUIET_SECONDS = 0.1
"""A stream does not say where it ends: so long without an event counts as the end."""
LONGEST_SCAN_SECONDS = 3.0
PREFETCH = 500
MOST_READERS = 50


@dataclass
class Batch:
    """What was read: events that fit, and the position after the last one looked at."""

    wanted: events.Wanted
    limit: int
    start: int
    position: int
    items: list[dict[str, Any]] = field(default_factory=list)
    arrived: asyncio.Event = field(default_factory=asyncio.Event)
    lost: int | None = None
    ended: str | None = None

    @property
    def full(self) -> bool:
        """Whether nothing more is to be taken."""
        return len(self.items) >= self.limit or self.lost is not None or self.ended is not None

    def take(self, position: int, body: bytes, sender: str | None) -> None:
        """Look at the event at that position; ``sender`` is whom the broker vouches for."""
        if self.full or position < self.position:
            return  # Deliveries begin with the chunk that holds the position, not at it.
        if position > self.position and self.position == self.start and self.start > 0:
            self.lost = position
            self.arrived.set()
            return
        self.position = position + 1
        self.arrived.set()
        event = _event(body)
        if event is None or event.get("source") != f"/crm/{sender}":
            # Services reach every queue through the default exchange, their way to reply: what is
            # nonsense or of another's making stays in the stream and is passed over.
            seen = {"position": position, "sender": sender}
            log.warning("No event, or a forged one, at a position of the feed.", extra=seen)
        elif self.wanted.fits(event):
            self.items.append(event)


def _event(body: bytes) -> dict[str, Any] | None:
    """The event in a message; None when it is none."""
    try:
        event = codec.loads(body)
    except ValueError:
        return None
    if not isinstance(event, dict):
        return None
    named = isinstance(event.get("type"), str) and isinstance(event.get("subject"), str)
    return event if named and isinstance(event.get("data"), dict) else None


async def read_events(resources: Resources, call: Call) -> Encoded:
    """A page of the feed; 410 when the events after the cursor are no longer kept."""
    asked, key = call.request, resources.settings.secret_key()
    start = cursor.unseal(asked["after"], key) if asked["after"] else 0
    batch = Batch(events.wanted(asked["types"], asked["subject"]), asked["limit"], start, start)
    if resources.readers >= MOST_READERS:
        raise Unavailable("feed_busy", "Too many readers of the feed.", {"retry_after": 1})
    resources.readers += 1
    try:
        await _read(resources, batch, asked["wait"])
    finally:
        resources.readers -= 1
    if batch.lost is not None:
        raise Problem(410, "cursor_expired")
    if batch.ended is not None:
        raise Unavailable("feed_unavailable", "The feed cannot be read now.", {"retry_after": 1})
    personal = call.principal is not None and call.principal.actor("events.personal") is not None
    items = batch.items if personal else [events.masked(one) for one in batch.items]
    page = {"next": cursor.seal(batch.position, key), "limit": asked["limit"]}
    return Encoded(codec.dumps({"items": items, "page": page}))


async def _read(resources: Resources, batch: Batch, wait: int) -> None:
    channel = await resources.client.channel()

    def on_message(_: Any, method: Any, properties: Any, body: bytes) -> None:
        batch.take(int(properties.headers["x-stream-offset"]), body, properties.user_id)
        # The acknowledgement is the credit for more; none is given when there is enough.
        if not batch.full:
            channel.basic_ack(method.delivery_tag)

    def on_end(_: Any, reason: Any = None) -> None:
        batch.ended = repr(reason)
        batch.arrived.set()

    channel.add_on_cancel_callback(on_end)
    channel.add_on_close_callback(on_end)
    channel.basic_qos(prefetch_count=PREFETCH)
    offset: int | str = batch.start or "first"
    channel.basic_consume(FEED, on_message, arguments={"x-stream-offset": offset})
    try:
        await _patiently(batch, wait)
    finally:
        ended = batch.ended
        if channel.is_open:
            channel.close()
        batch.ended = ended


async def _patiently(batch: Batch, wait: int) -> None:
    """Return when the batch is full, or when it is quiet after the first event that fits.

    Without ``wait`` any event, fitting or not, is followed until it is quiet.
    """
    clock = asyncio.get_running_loop().time
    first_by = clock() + max(wait, ATTACH_SECONDS)
    scanned_by = clock() + max(wait, LONGEST_SCAN_SECONDS)
    while not batch.full and clock() < scanned_by:
        settled = batch.items or (not wait and batch.position > batch.start)
        patience = QUIET_SECONDS if settled else first_by - clock()
        if patience <= 0:
            return
        batch.arrived.clear()
        try:
            await asyncio.wait_for(batch.arrived.wait(), patience)
        except TimeoutError:
            return
