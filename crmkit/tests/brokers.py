"""A broker of the tests' own, for what a real one does, but not just when a test would have it."""

import asyncio
import contextlib
import threading
from collections.abc import Iterator
from typing import Any

from pika import frame, spec

_GREETING = {
    spec.Connection.StartOk: spec.Connection.Tune(2047, 131072, 0),
    spec.Connection.Open: spec.Connection.OpenOk(),
    spec.Channel.Open: spec.Channel.OpenOk(),
}


class Broker:
    """Answers greetings and nothing else."""

    def __init__(self) -> None:
        self._connections = 0

    def answers(self, number: int, one: Any) -> Iterator[Any]:
        """What it says to a frame on its connection of that number; ConnectionError to hang up."""
        if isinstance(one, frame.Method) and type(one.method) in _GREETING:
            yield _GREETING[type(one.method)]

    async def connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """The life of one connection."""
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            await self._talk(reader, writer)
        writer.close()

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        number, waiting = self._connections, b""
        self._connections += 1
        await reader.readexactly(len(b"AMQP\0\0\x09\x01"))
        greeting = spec.Connection.Start(0, 9, {}, "PLAIN AMQPLAIN", "en_US")
        writer.write(frame.Method(0, greeting).marshal())
        while came := await reader.read(65536):
            waiting += came
            used, one = frame.decode_frame(waiting)
            while used:
                waiting = waiting[used:]
                for answer in self.answers(number, one):
                    writer.write(frame.Method(one.channel_number, answer).marshal())
                used, one = frame.decode_frame(waiting)


@contextlib.contextmanager
def listening(broker: Broker) -> Iterator[int]:
    """The port at which it can be reached."""
    loop = asyncio.new_event_loop()
    server = loop.run_until_complete(asyncio.start_server(broker.connected, "127.0.0.1", 0))
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.run_until_complete(_ended(server))
        loop.close()


async def _ended(server: asyncio.Server) -> None:
    server.close()
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)
