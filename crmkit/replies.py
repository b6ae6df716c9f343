"""The replies of a service: one green thread writes them, and again what a link may have lost."""

import logging
import socket
import time
from collections import deque
from contextlib import suppress
from typing import Any

import eventlet
from eventlet.event import Event as Signal
from eventlet.hubs import get_hub
from eventlet.queue import LightQueue
from kombu import Connection
from nameko.extensions import SharedExtension

from crmkit import topology

log = logging.getLogger(__name__)

BACKLOG = 10_000
# py-amqp has the kernel give up a host that acknowledges nothing for a second (TCP_USER_TIMEOUT);
# what was written since must not be forgotten by then.
FRESH_SECONDS, MOST_FRESH = 2.0, 200
LOOK_SECONDS = 0.1
PATIENCE_SECONDS = 2.0
# The gateway waits as long for a reply; later nobody does.
AGAIN_SECONDS = 5.0

Reply = tuple[dict[str, Any], bytes, dict[str, Any]]
"""The properties of the request, the body of the answer, its headers."""

_LOOK = object()


class Link:
    """A connection that carries replies, without confirms; made when it is needed."""

    def __init__(self, uri: str) -> None:
        self._uri = uri
        self._connection: Any = None
        self._channel: Any = None

    def open(self) -> None:
        """Connect, unless that was done."""
        if self._channel is None:
            self._connection = Connection(self._uri, heartbeat=0, connect_timeout=3)
            # `connect` would ask the first two nodes of a cluster and no other.
            self._connection.ensure_connection(max_retries=len(self._uri.split(";")))
            with _patience():
                self._channel = self._connection.channel()

    def close(self) -> None:
        """Give the connection up; the next use makes another."""
        if self._connection is not None:
            # Not released: that waits for the broker to agree, and a silent one never does.
            self._connection.collect()
        self._connection = self._channel = None

    def publish(self, request: dict[str, Any], body: bytes, headers: dict[str, Any]) -> None:
        """Write a reply. The broker may still refuse it, and end the connection for that."""
        self.open()
        reply_to = request["reply_to"]
        direct = reply_to.startswith("amq.rabbitmq.reply-to")
        self._channel.basic_publish(
            self._channel.prepare_message(
                body,
                content_type="application/json",
                content_encoding="utf-8",
                headers=headers,
                properties={"correlation_id": request.get("correlation_id"), "delivery_mode": 1},
            ),
            exchange="" if direct else topology.RPC_EXCHANGE,
            routing_key=reply_to,
        )

    def check(self) -> None:
        """Raise when the connection has ended; who has nothing to write would not notice."""
        if self._channel is not None:
            with suppress(socket.timeout):
                self._channel.connection.drain_events(timeout=0)

    def settle(self) -> None:
        """Return when the broker has dealt with what was written; raise when it ended over it."""
        with _patience():
            # It does what a channel asks in turn, and answers this.
            self._channel.basic_qos(0, 1, False)


def _patience() -> eventlet.Timeout:
    """Within it a broker that is silent for two seconds is a ConnectionError."""
    return eventlet.Timeout(PATIENCE_SECONDS, ConnectionError("The broker is silent."))


class Replies(SharedExtension):  # type: ignore[misc]
    """The one writer of replies, with a connection of its own.

    A worker never waits for it, so a broker that stops reading cannot stop the work. What left in
    the last two seconds before the connection ended, 200 replies at most, is sent again over the
    next one; a caller takes the first answer to its question. A reply that is lost all the same is
    asked for again under the same command id.
    """

    def __init__(self) -> None:
        super().__init__()
        self._queue: Any = LightQueue(BACKLOG)
        self._writing_since = 0.0
        self._fresh: deque[tuple[float, Reply]] = deque(maxlen=MOST_FRESH)
        self._will_look = False

    def setup(self) -> None:
        self._link = Link(self.container.config["AMQP_URI"])
        self.container.spawn_managed_thread(self._write, identifier="replies")

    @property
    def blocked(self) -> bool:
        """Whether the broker has not taken a reply for two seconds."""
        since = self._writing_since
        return bool(since) and time.monotonic() - since > PATIENCE_SECONDS

    def send(self, message: Any, body: bytes, headers: dict[str, Any]) -> None:
        """Queue the reply to a message; dropped, with a line in the log, when 10,000 wait."""
        try:
            self._queue.put_nowait((message.properties, body, headers))
        except eventlet.queue.Full:
            log.error("A reply was dropped: the broker takes none.")

    def stop(self) -> None:
        done = Signal()
        with eventlet.Timeout(PATIENCE_SECONDS, False):
            self._queue.put(done)  # It waits when the queue is full.
            done.wait()

    def _write(self) -> None:
        while True:
            item = self._queue.get()
            if isinstance(item, Signal):
                item.send()
                return
            self._writing_since = time.monotonic()
            if item is _LOOK:
                self._look()
            else:
                self._send(item)
            self._writing_since = 0.0

    def _send(self, reply: Reply) -> None:
        try:
            self._link.publish(*reply)
        except Exception as error:  # noqa: BLE001 - another connection may do
            self._send_again(error, reply)
            return
        self._fresh.append((time.monotonic(), reply))
        if not self._will_look:
            self._look_soon()

    def _look_soon(self) -> None:
        self._will_look = True
        get_hub().schedule_call_global(LOOK_SECONDS, self._ask_to_look)

    def _ask_to_look(self) -> None:
        self._will_look = False
        if not self._queue.full():
            self._queue.put_nowait(_LOOK)

    def _look(self) -> None:
        """See after replies that left a moment ago, and forget those that have arrived by now."""
        try:
            self._link.check()
        except Exception as error:  # noqa: BLE001 - another connection may do
            self._send_again(error)
        since = time.monotonic() - FRESH_SECONDS
        while self._fresh and self._fresh[0][0] < since:
            self._fresh.popleft()
        if self._fresh and not self._will_look:
            self._look_soon()

    def _send_again(self, trouble: Exception, *more: Reply) -> None:
        """Send what may be lost and these over a new connection, each when the last was taken.

        The broker ends a connection over a reply to a caller whose node has died, and takes nothing
        that was written after it. Which reply that is shows when they come one by one. All of
        it ends after five seconds, since nobody waits longer, and other replies wait behind these.
        """
        log.warning("The link for replies ended.", extra={"cause": repr(trouble)})
        since = time.monotonic() - FRESH_SECONDS
        replies = [*(reply for left, reply in self._fresh if left > since), *more]
        self._fresh.clear()
        self._link.close()
        until = time.monotonic() + AGAIN_SECONDS
        for position, reply in enumerate(replies):
            try:
                if time.monotonic() > until:
                    raise TimeoutError("Nobody waits for them any more.")
                self._link.open()
            except Exception as error:  # noqa: BLE001 - replies are lost, never the service
                extra = {"cause": repr(error), "count": len(replies) - position}
                log.warning("Replies could not be sent.", extra=extra)
                self._link.close()
                return
            self._try_again(reply)

    def _try_again(self, reply: Reply) -> None:
        try:
            self._link.publish(*reply)
            self._link.settle()
        except Exception as error:  # noqa: BLE001 - one reply is lost, never the service
            log.warning("A reply could not be sent.", extra={"cause": repr(error)})
            self._link.close()
