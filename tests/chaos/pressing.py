"""Load that does not wait for answers: requests come at a rate, whatever became of those before.

The clients are bounded: a request that finds none of their connections free is not made, and
counted. The requests are written by hand, since the load must cost less than what it loads.
"""

import asyncio
import itertools
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from urllib.parse import urlsplit

WAITING_SECONDS = 20.0
# Less than a server keeps an idle connection: it may end it just when the next request is sent.
IDLE_SECONDS = 2.0
Post = Callable[[], bytes]


@dataclass
class Pressed:
    """What came of a time of load: the seconds to each answer, by its status."""

    seconds: float
    times: dict[int, list[float]] = field(default_factory=dict)
    not_made: int = 0

    @property
    def answers(self) -> Counter[int]:
        """How often each status was answered; 0 is a connection that broke."""
        return Counter({status: len(times) for status, times in self.times.items()})

    def per_second(self, *statuses: int) -> float:
        """Answers of these statuses a second; of all when none is named."""
        wanted = statuses or tuple(self.times)
        return sum(len(self.times.get(status, ())) for status in wanted) / self.seconds

    def __add__(self, other: "Pressed") -> "Pressed":
        every = {*self.times, *other.times}
        times = {one: self.times.get(one, []) + other.times.get(one, []) for one in every}
        return Pressed(self.seconds + other.seconds, times, self.not_made + other.not_made)

    def quantile(self, share: float, *statuses: int) -> float:
        """The seconds within which that share of the answers of these statuses came."""
        ordered = sorted(itertools.chain(*(self.times.get(status, ()) for status in statuses)))
        return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else 0.0


def posts(base_url: str, path: str, token: str, bodies: Iterator[bytes]) -> Post:
    """Makes the bytes of a POST with the next body, under a new key each time."""
    host = urlsplit(base_url).netloc
    head = (
        f"POST {path} HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {token}\r\n"
        "Content-Type: application/json\r\nIdempotency-Key: "
    ).encode()

    def make() -> bytes:
        body = next(bodies)
        key = str(uuid.uuid4()).encode()
        return b"%b%b\r\nContent-Length: %d\r\n\r\n%b" % (head, key, len(body), body)

    return make


class _Line(asyncio.Protocol):
    """One connection, with one request under way at most."""

    def __init__(self) -> None:
        self._transport: asyncio.Transport | None = None
        self._got = bytearray()
        self._used_at = 0.0
        self._answer: asyncio.Future[tuple[int, bool]] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        if self._answer is not None and not self._answer.done():
            self._answer.set_result((0, True))

    def data_received(self, data: bytes) -> None:
        self._got += data
        head, end, rest = bytes(self._got).partition(b"\r\n\r\n")
        if not end:
            return
        lowered = head.lower()
        _, _, length = lowered.partition(b"content-length:")
        if len(rest) < int(length.split(b"\r\n", 1)[0]):
            return
        self._got.clear()
        if self._answer is not None and not self._answer.done():
            self._answer.set_result((int(head[9:12]), b"connection: close" in lowered))

    async def ask(self, address: tuple[str, int], request: bytes) -> int:
        """The status; 0 when there is none."""
        loop = asyncio.get_running_loop()
        if loop.time() - self._used_at > IDLE_SECONDS:
            self.end()
        if self._transport is None or self._transport.is_closing():
            try:
                await loop.create_connection(lambda: self, *address)
            except OSError:
                return 0
        assert self._transport is not None
        self._answer = loop.create_future()
        self._transport.write(request)
        try:
            status, ends = await asyncio.wait_for(self._answer, WAITING_SECONDS)
        except TimeoutError:
            status, ends = 0, True
        self._used_at = loop.time()
        if ends:
            self.end()
        return status

    def end(self) -> None:
        """Close the connection; the next request opens another."""
        if self._transport is not None:
            self._transport.abort()
            self._transport = None
        self._got.clear()


def press(
    base_url: str, make: Post, *, seconds: float, connections: int, per_second: float = 0
) -> Pressed:
    """Load for that long; at no rate given, each connection asks again once it is answered."""
    return asyncio.run(_press(base_url, make, seconds, connections, per_second))


async def _press(
    base_url: str, make: Post, seconds: float, connections: int, per_second: float
) -> Pressed:
    split = urlsplit(base_url)
    address = (str(split.hostname), int(split.port or 80))
    found = Pressed(seconds)
    free = [_Line() for _ in range(connections)]
    lines = list(free)
    end = time.perf_counter() + seconds

    async def ask(line: _Line) -> None:
        began = time.perf_counter()
        status = await line.ask(address, make())
        found.times.setdefault(status, []).append(time.perf_counter() - began)
        free.append(line)

    async def ask_on(line: _Line) -> None:
        while time.perf_counter() < end:
            await ask(line)

    if per_second:
        await _at_rate(ask, free, found, end, per_second)
    else:
        await asyncio.gather(*(ask_on(line) for line in lines))
    for line in lines:
        line.end()
    return found


async def _at_rate(
    ask: Callable[[_Line], "asyncio.Future[None]"],
    free: list[_Line],
    found: Pressed,
    end: float,
    per_second: float,
) -> None:
    under_way: set[asyncio.Task[None]] = set()
    due = time.perf_counter()
    while (moment := time.perf_counter()) < end:
        while due <= moment:
            due += 1 / per_second
            if free:
                task = asyncio.create_task(ask(free.pop()))
                under_way.add(task)
                task.add_done_callback(under_way.discard)
            else:
                found.not_made += 1
        await asyncio.sleep(max(0.0, due - time.perf_counter()))
    if under_way:
        await asyncio.wait(under_way)
