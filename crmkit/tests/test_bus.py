"""What a connection to the broker says when there is none; servers of the test's own."""

import asyncio
import re
import time
from collections.abc import Awaitable, Callable

import pytest

from crmkit import bus
from crmkit.settings import Settings


@pytest.fixture
def short_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """For brokers that are silent; others may take their time on a busy machine."""
    monkeypatch.setattr(bus, "HANDSHAKE_SECONDS", 0.3)


Server = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


async def told(*servers: Server | None) -> str:
    """What is said when these are the brokers; None is a port at which nobody listens."""
    started = [await asyncio.start_server(one or hang_up, "127.0.0.1", 0) for one in servers]
    ports = [server.sockets[0].getsockname()[1] for server in started]
    for server, behaviour in zip(started, servers, strict=True):
        if behaviour is None:
            server.close()
    addresses = ";".join(f"amqp://guest:guest@127.0.0.1:{port}/" for port in ports)
    try:
        with pytest.raises(ConnectionError) as refusal:
            await bus.connect(addresses)
    finally:
        for server in started:
            server.close()
    return str(refusal.value)


async def say_nothing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """As a frozen broker does: the kernel takes the connection, nobody answers."""
    await reader.read()
    writer.close()


async def hang_up(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.close()


class TestConnect:
    @pytest.mark.usefixtures("short_patience")
    def test_says_plainly_that_a_broker_is_silent(self) -> None:
        began = time.monotonic()
        said = asyncio.run(told(say_nothing))
        assert re.search(r": The broker took the connection and said nothing for \d+ s\.$", said)
        assert time.monotonic() - began < 10

    def test_names_the_cause_without_the_layers_it_came_through(self) -> None:
        assert "ConnectionRefusedError" in asyncio.run(told(None))
        assert "AMQPConnect" not in asyncio.run(told(None))

    @pytest.mark.usefixtures("short_patience")
    def test_asks_the_next_broker_after_one_that_hangs_up(self) -> None:
        assert "said nothing" in asyncio.run(told(hang_up, say_nothing))

    def test_says_of_each_broker_why_it_was_not_had_and_no_password(self) -> None:
        said = asyncio.run(told(None, hang_up))
        assert said.count("127.0.0.1:") == said.count("The broker refused: ") == 2
        assert "guest" not in said

    @pytest.mark.usefixtures("short_patience")
    def test_a_start_that_is_given_up_leaves_no_connection_behind(self) -> None:
        async def give_up() -> None:
            came, gone = asyncio.Event(), asyncio.Event()

            async def note(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
                came.set()
                await reader.read()
                gone.set()
                writer.close()

            server = await asyncio.start_server(note, "127.0.0.1", 0)
            port = server.sockets[0].getsockname()[1]
            task = asyncio.create_task(bus.connect(f"amqp://x:x@127.0.0.1:{port}/"))
            await came.wait()
            task.cancel()
            await asyncio.wait_for(gone.wait(), 30)
            server.close()

        asyncio.run(give_up())


class TestSettings:
    def test_every_process_begins_with_another_node(self) -> None:
        nodes = [f"amqp://sales:x@mq-{number}/crm" for number in range(3)]
        settings = Settings({"SALES_AMQP_URI": ";".join(nodes)})
        orders = [settings.amqp_uri("sales").split(";") for _ in range(100)]
        assert all(sorted(order) == nodes for order in orders)
        assert {order[0] for order in orders} == set(nodes)
