"""The broker for asyncio processes (gateway, relay): pika's callbacks as coroutines."""

import asyncio
import logging
from typing import Any

import pika
from pika.adapters.asyncio_connection import AsyncioConnection

log = logging.getLogger(__name__)

CONNECT_SECONDS = 5.0


async def connect(uri: str) -> "Link":
    """A link to the first broker of ``uri`` (several are parted by ``;``) that answers.

    ConnectionError when none does within five seconds.
    """
    loop = asyncio.get_running_loop()
    opened: asyncio.Future[Any] = loop.create_future()

    def done(result: Any) -> None:
        if not opened.done():
            opened.set_result(result)

    parameters = [_parameters(one) for one in uri.split(";")]
    workflow = AsyncioConnection.create_connection(parameters, done, custom_ioloop=loop)
    try:
        result = await asyncio.wait_for(opened, CONNECT_SECONDS)
    except TimeoutError:
        workflow.abort()
        raise ConnectionError("The broker did not answer in time.") from None
    if isinstance(result, BaseException):
        raise ConnectionError(f"The broker refused: {result!r}.")
    return Link(result)


def _parameters(uri: str) -> pika.URLParameters:
    parameters = pika.URLParameters(uri)
    parameters.heartbeat = parameters.heartbeat or 10
    parameters.blocked_connection_timeout = None
    parameters.socket_timeout = 3
    return parameters


class Link:
    """One open connection. ``closed`` is done when it ends; ``blocked``: the broker is full."""

    def __init__(self, connection: AsyncioConnection) -> None:
        self._connection = connection
        self.blocked = False
        self.closed: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        connection.add_on_close_callback(self._on_close)
        connection.add_on_connection_blocked_callback(self._on_blocked)
        connection.add_on_connection_unblocked_callback(self._on_unblocked)

    @property
    def user(self) -> str:
        """Under which name we logged in; the broker checks it on every message that bears it."""
        name: str = self._connection.params.credentials.username
        return name

    def _on_close(self, _: Any, reason: Any) -> None:
        self.end(repr(reason))

    def _on_blocked(self, *_: Any) -> None:
        self.blocked = True

    def _on_unblocked(self, *_: Any) -> None:
        self.blocked = False

    def end(self, reason: str) -> None:
        """Consider the connection gone."""
        if not self.closed.done():
            self.closed.set_result(reason)

    async def channel(self, *, essential: bool = True) -> Any:
        """A new pika channel.

        When the broker closes an essential one, the whole link ends, since whoever relies on it
        must start afresh.
        """
        opened: asyncio.Future[Any] = asyncio.get_running_loop().create_future()

        def on_close(_: Any, reason: Any) -> None:
            if not opened.done():
                opened.set_exception(ConnectionError(repr(reason)))
            elif essential:
                self.close(repr(reason))

        def on_open(channel: Any) -> None:
            channel.add_on_close_callback(on_close)
            opened.set_result(channel)

        self._connection.channel(on_open_callback=on_open)
        return await asyncio.wait_for(opened, CONNECT_SECONDS)

    def close(self, reason: str = "closed by us") -> None:
        """Close politely if it still can be."""
        if self._connection.is_open:
            self._connection.close()
        self.end(reason)
