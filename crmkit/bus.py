"""The broker for asyncio processes (gateway, relay): pika's callbacks as coroutines."""

import asyncio
import logging
from collections.abc import Callable
from typing import Any

import pika
from pika.adapters.asyncio_connection import AsyncioConnection
from pika.adapters.utils.connection_workflow import AMQPConnectorStackTimeout

log = logging.getLogger(__name__)

CONNECT_SECONDS = 3.0
# The handshake is four rounds, each of them a second on a line half a second long.
HANDSHAKE_SECONDS = 6.0
CHANNEL_SECONDS = 5.0


async def connect(uri: str) -> "Link":
    """A link to the first broker of ``uri`` (several are parted by ``;``) that answers.

    ConnectionError when none does, saying why of each; each has three seconds to take the
    connection and as many to greet.
    """
    # One after another by ourselves: pika passes over those that follow a name it cannot resolve.
    refusals = []
    for parameters in map(_parameters, uri.split(";")):
        broker = f"{parameters.host}:{parameters.port}"
        result = await _attempt(parameters)
        if not isinstance(result, BaseException):
            log.info("Connected to the broker.", extra={"broker": broker})
            return Link(result)
        refusals.append(f"{broker}: {_told(result)}")
    raise ConnectionError(" ".join(refusals))


async def _attempt(parameters: pika.URLParameters) -> Any:
    """The open connection, or the exception that tells why there is none."""
    loop = asyncio.get_running_loop()
    opened: asyncio.Future[Any] = loop.create_future()

    def done(result: Any) -> None:
        if not opened.done():
            opened.set_result(result)
        elif isinstance(result, AsyncioConnection):
            result.close()

    # No timeout of ours around it: to abort pika in the middle of a handshake fails an assertion of
    # its own (1.4.4) and leaves the connection behind. It ends each attempt in time by itself.
    AsyncioConnection.create_connection([parameters], done, custom_ioloop=loop)
    return await opened


def _told(failure: BaseException) -> str:
    """Why a broker could not be had. pika wraps the cause once for each of its layers."""
    inner: BaseException | None = failure
    while inner is not None:
        cause, inner = inner, _wrapped(inner)
    if isinstance(cause, AMQPConnectorStackTimeout):
        return f"The broker took the connection and said nothing for {HANDSHAKE_SECONDS:.0f} s."
    return f"The broker refused: {cause!r}."


def _wrapped(failure: BaseException) -> BaseException | None:
    last: BaseException | None = (getattr(failure, "exceptions", None) or [None])[-1]
    inner: BaseException | None = getattr(failure, "exception", None)
    return last or inner


def _parameters(uri: str) -> pika.URLParameters:
    parameters = pika.URLParameters(uri)
    parameters.heartbeat = parameters.heartbeat or 10
    parameters.blocked_connection_timeout = None
    parameters.socket_timeout = CONNECT_SECONDS
    parameters.stack_timeout = HANDSHAKE_SECONDS
    return parameters


class Link:
    """One open connection. ``closed`` is done when it ends; ``blocked``: the broker is full.

    The broker says that it is full only to whoever publishes, and only with the first message that
    it does not take; ``when_blocked`` is called then.
    """

    def __init__(self, connection: AsyncioConnection) -> None:
        self._connection = connection
        self.blocked = False
        self.when_blocked: Callable[[], None] = lambda: None
        self.closed: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        connection.add_on_close_callback(self._on_close)
        connection.add_on_connection_blocked_callback(self._on_blocked)
        connection.add_on_connection_unblocked_callback(self._on_unblocked)

    @property
    def broker(self) -> str:
        """Which one it leads to, as host:port."""
        return f"{self._connection.params.host}:{self._connection.params.port}"

    @property
    def user(self) -> str:
        """Under which name we logged in; the broker checks it on every message that bears it."""
        name: str = self._connection.params.credentials.username
        return name

    def _on_close(self, _: Any, reason: Any) -> None:
        self.end(f"{self.broker}: {reason!r}")

    def _on_blocked(self, *_: Any) -> None:
        self.blocked = True
        self.when_blocked()

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
            if opened.done():
                channel.close()  # It came too late; nobody waits any more.
                return
            channel.add_on_close_callback(on_close)
            opened.set_result(channel)

        self._connection.channel(on_open_callback=on_open)
        try:
            return await asyncio.wait_for(opened, CHANNEL_SECONDS)
        except TimeoutError:
            silent = f"The broker opened no channel in {CHANNEL_SECONDS:.0f} s."
            raise ConnectionError(silent) from None

    def close(self, reason: str = "closed by us") -> None:
        """Close politely if it still can be."""
        if self._connection.is_open:
            self._connection.close()
        self.end(reason)
