"""Replies to a broker that ends connections and falls silent: a server of the tests' own.

A real one does so when a node dies or memory is short, but not just when a test would have it.
"""

import asyncio
import subprocess
import sys
import threading
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import eventlet
import pytest
from pika import frame, spec

from crmkit import replies

_GREETING = {
    spec.Connection.StartOk: spec.Connection.Tune(2047, 131072, 0),
    spec.Connection.Open: spec.Connection.OpenOk(),
    spec.Channel.Open: spec.Channel.OpenOk(),
}
# With a cooperative standard library, as in `crm serve`. Two of the three nodes are not there.
_WRITER = """
import os, sys, warnings; warnings.simplefilter("ignore")
os.environ["EVENTLET_NO_GREENDNS"] = "yes"
import eventlet; eventlet.monkey_patch()
from types import SimpleNamespace
from crmkit import replies
from crmkit.testing import eventually

replies.PATIENCE_SECONDS, replies.AGAIN_SECONDS = 0.1, 0.3
writer = replies.Replies()
writer.container = SimpleNamespace(
    config={"AMQP_URI": ";".join(f"amqp://x:x@127.0.0.1:{port}/" for port in (1, 1, sys.argv[1]))},
    spawn_managed_thread=lambda run, identifier: eventlet.spawn(run),
)
writer.setup()
for word in (b"first", b"second", b"end"):
    writer.send(SimpleNamespace(properties={"reply_to": "amq.rabbitmq.reply-to.x"}), word, {})
eventually(lambda: writer.blocked, seconds=5)
eventually(lambda: not writer.blocked, seconds=5)
writer.send(SimpleNamespace(properties={"reply_to": "amq.rabbitmq.reply-to.x"}), b"later", {})
writer.stop()
"""


class Broker:
    """Ends its first connection when it is told to, and answers nothing but greetings."""

    def __init__(self) -> None:
        self.taken: list[tuple[int, str]] = []
        self._connections = 0

    async def connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """The life of one connection."""
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
                for answer in self._answers(number, one):
                    writer.write(frame.Method(one.channel_number, answer).marshal())
                used, one = frame.decode_frame(waiting)
        writer.close()

    def _answers(self, number: int, one: Any) -> Iterator[Any]:
        if isinstance(one, frame.Method) and type(one.method) in _GREETING:
            yield _GREETING[type(one.method)]
        if isinstance(one, frame.Body):
            word = one.fragment.decode()
            self.taken.append((number, word))
            if word == "end" and number == 0:
                one.channel_number = 0
                yield spec.Connection.Close(541, "INTERNAL_ERROR", 0, 0)


@pytest.fixture
def broker() -> Iterator[tuple[Broker, int]]:
    """One that listens, and where."""
    ours, loop = Broker(), asyncio.new_event_loop()
    server = loop.run_until_complete(asyncio.start_server(ours.connected, "127.0.0.1", 0))
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    yield ours, server.sockets[0].getsockname()[1]
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


class TestReplies:
    @pytest.mark.server
    def test_go_on_after_a_broker_was_silent(self, broker: tuple[Broker, int]) -> None:
        ours, port = broker
        subprocess.run([sys.executable, "-c", _WRITER, str(port)], check=True, timeout=30)
        before = [word for number, word in ours.taken if number == 0]
        after = [word for number, word in ours.taken if number > 0]
        assert before == ["first", "second", "end"]
        assert after[0] == "first"
        assert after[-1] == "later"

    def test_that_nobody_takes_hold_up_no_end(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(replies, "BACKLOG", 1)
        monkeypatch.setattr(replies, "PATIENCE_SECONDS", 0.1)
        waiting = replies.Replies()
        waiting.send(SimpleNamespace(properties={}), b"x", {})
        with eventlet.Timeout(5):
            waiting.stop()
