"""A TCP proxy on loopback that spoils what passes: delays, swallows, cuts, half-closes."""

import asyncio
import contextlib
import socket
import struct
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

LOOPBACK = "127.0.0.1"


@dataclass(frozen=True, slots=True)
class Weather:
    """How the line is. ``cut_after``: bytes of the next answer after which the line is reset."""

    delay_seconds: float = 0.0
    swallow: bool = False
    cut_after: int | None = None


class Side(asyncio.Protocol):
    """One end of a connection; what comes in here leaves at ``other``."""

    def __init__(self, proxy: "Proxy", *, answers: bool) -> None:
        self._proxy = proxy
        self._answers = answers
        self._due = 0.0
        self._held: list[bytes | None] = []
        self.transport: Any = None
        self.other: Side | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport
        transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._proxy.sides.add(self)
        if not self._answers:
            self._proxy.loop.create_task(self._reach())

    async def _reach(self) -> None:
        """Connect to the server; what the client says meanwhile is kept."""
        target = (LOOPBACK, self._proxy.target_port)
        try:
            _, other = await self._proxy.loop.create_connection(
                lambda: Side(self._proxy, answers=True), *target
            )
        except OSError:
            self.transport.close()
            return
        self.other, other.other = other, self
        self.flush()

    def data_received(self, data: bytes) -> None:
        weather = self._proxy.weather
        if self._answers and weather.cut_after is not None:
            self._pass_on(data[: weather.cut_after])
            self._proxy.loop.call_later(0.01, self.reset)
            return
        self._held.append(data)
        self.flush()

    def eof_received(self) -> bool:
        self._held.append(None)
        self.flush()
        return True

    def connection_lost(self, _: Exception | None) -> None:
        self._proxy.sides.discard(self)
        if self.other is not None:
            self.other.transport.close()

    def flush(self) -> None:
        """Send on what is held, unless it is being swallowed or there is nobody yet."""
        weather = self._proxy.weather
        if weather.swallow or self.other is None:
            return
        held, self._held = self._held, []
        for data in held:
            # Never before what came earlier, also when the weather has changed in between.
            self._due = max(self._due + 1e-6, self._proxy.loop.time() + weather.delay_seconds)
            if weather.delay_seconds or self._due > self._proxy.loop.time() + 1e-3:
                self._proxy.loop.call_at(self._due, self._pass_on, data)
            else:
                self._pass_on(data)

    def _pass_on(self, data: bytes | None) -> None:
        if self.other is None or self.other.transport.is_closing():
            return
        with contextlib.suppress(OSError, RuntimeError):
            if data is not None:
                self.other.transport.write(data)
            elif self.other.transport.can_write_eof():
                self.other.transport.write_eof()

    def reset(self) -> None:
        """End both ends with RST, as a firewall does that has forgotten the connection."""
        for side in (self, self.other):
            if side is None or side.transport.is_closing():
                continue
            # Linger of zero seconds makes the end a RST instead of a FIN.
            side.transport.get_extra_info("socket").setsockopt(
                socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0)
            )
            side.transport.abort()

    def half_close(self) -> None:
        """Tell the client that no more will come, and go on reading what it sends."""
        if not self._answers and self.transport.can_write_eof():
            with contextlib.suppress(OSError, RuntimeError):
                self.transport.write_eof()


class Proxy:
    """Passes connections on to a port of loopback, in a thread of its own."""

    def __init__(self, target_port: int) -> None:
        self.target_port = target_port
        self.weather = Weather()
        self.sides: set[Side] = set()
        self.loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self.loop.run_forever, name="proxy", daemon=True)
        self._thread.start()
        self._listener = self._within(self._listen())
        self.port: int = self._listener.sockets[0].getsockname()[1]

    async def _listen(self) -> asyncio.Server:
        return await self.loop.create_server(lambda: Side(self, answers=False), LOOPBACK, 0)

    def _within(self, work: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(5)

    def _on_each(self, act: Callable[[Side], None]) -> int:
        async def do() -> int:
            sides = list(self.sides)
            for side in sides:
                act(side)
            return len(sides) // 2

        return int(self._within(do()))

    def set(self, weather: Weather) -> None:
        """Have this weather from here on; what was swallowed comes out when it is over."""
        self.weather = weather
        self._on_each(Side.flush)

    def reset_all(self) -> int:
        """Reset every connection; how many there were."""
        return self._on_each(Side.reset)

    def half_close_all(self) -> int:
        """Half-close every connection towards its client; how many there were."""
        return self._on_each(Side.half_close)

    def close(self) -> None:
        """End the proxy and all its connections."""

        async def end() -> None:
            self._listener.close()

        self._within(end())
        self.reset_all()
        self._within(asyncio.sleep(0.05))
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join(5)
        self.loop.close()
