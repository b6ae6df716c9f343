"""How a service is attached to the broker: one consumer of raw messages, one writer of replies.

nameko's own lose messages, repeat work at every stop and die of odd input; these subclasses do not.
"""

import logging
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import eventlet
from eventlet.event import Event as Signal
from eventlet.queue import LightQueue
from kombu import Connection, Consumer
from nameko.extensions import SharedExtension
from nameko.messaging import QueueConsumer

from crmkit import topology

log = logging.getLogger(__name__)

HEARTBEAT_SECONDS = 10
REPLY_BACKLOG = 10_000
# A stream in place of a queue would deliver, but forget whatever came while nobody listened. The
# broker refuses this argument to a consumer of a stream; to one of a queue it changes nothing.
_NO_STREAM = {"x-priority": 0}


class BusConsumer(QueueConsumer):  # type: ignore[misc]
    """Consumes raw messages, one channel per queue so that each has its own prefetch.

    Bodies are decoded by the entrypoints, where a refusal is possible. Stopping ends the intake
    first and closes the connection only when the last worker is done, since an unacknowledged
    message would be delivered, and done, again.
    """

    def __init__(self) -> None:
        super().__init__()
        self.busy = 0
        self._live: Connection | None = None
        self._refusal = ""

    @property
    def attached(self) -> bool:
        """Whether the broker is delivering to us now."""
        return bool(self._live is not None and self._live.connected and self._consumers)

    @property
    def connection(self) -> Connection:
        uri = self.container.config["AMQP_URI"]
        return Connection(uri, heartbeat=HEARTBEAT_SECONDS, connect_timeout=3)

    @contextmanager
    def establish_connection(self) -> Iterator[Connection]:
        """A connection, asked for again every half second to two seconds until it is had."""
        with self.connection.clone() as connection:

            def refused(error: Exception, _interval: float) -> None:
                # kombu goes on to the next node of a cluster at once, and pauses after the last.
                extra = {"broker": _address(connection), "cause": repr(error)}
                log.warning("The broker cannot be reached.", extra=extra)

            connection.ensure_connection(
                refused, interval_start=0.5, interval_step=0.5, interval_max=2
            )
            yield connection

    def run(self) -> None:
        super().run(safety_interval=0.25)

    def get_consumers(self, _consumer_cls: Any, channel: Any) -> list[Consumer]:
        self._consumers = {}
        for provider in self._providers:
            provider.queue.consumer_arguments = _NO_STREAM
            own_channel = channel.connection.channel()
            consumer = Consumer(
                own_channel,
                queues=[provider.queue],
                on_message=partial(self.on_message, provider),
                auto_declare=False,
            )
            consumer.qos(prefetch_count=provider.prefetch)
            self._consumers[provider] = consumer
        return list(self._consumers.values())

    def consume(self, *arguments: Any, **options: Any) -> Iterator[Any]:
        """As kombu does, but say what ended it: kombu tries again, every second, without a word.

        What the broker refuses is said once.
        """
        try:
            yield from super().consume(*arguments, **options)
        except self.connection.channel_errors as refusal:
            if str(refusal) != self._refusal:
                self._refusal = str(refusal)
                log.error("The broker refuses what we need.", extra={"cause": self._refusal})
            raise
        except self.connection.connection_errors as loss:
            extra = {"broker": _address(self._live) if self._live else None, "cause": repr(loss)}
            log.warning("The link to the broker ended.", extra=extra)
            raise

    def on_consume_ready(self, connection: Any, channel: Any, consumers: Any, **_: Any) -> None:
        self._live = connection
        log.info("Attached to the broker.", extra={"broker": _address(connection)})
        super().on_consume_ready(connection, channel, consumers)

    def on_message(self, provider: Any, message: Any) -> None:
        """Hand a message to its entrypoint without ever blocking the reading of the socket."""
        self.busy += 1
        message.finish = partial(self._finish, message)
        if self.container._worker_pool.free() > 0:
            provider.receive(message)
        else:
            self.container.spawn_managed_thread(
                partial(provider.receive, message), identifier=str(provider)
            )

    def _finish(self, message: Any, verdict: str = "ack") -> None:
        """Tell the broker the outcome: ack, reject (to parking) or requeue."""
        self.busy -= 1
        if verdict == "ack":
            self._settle(message, message.ack)
        else:
            self._settle(message, message.reject, requeue=verdict == "requeue")

    @staticmethod
    def _settle(message: Any, tell: Callable[..., Any], **how: bool) -> None:
        if not message.channel.connection:
            return  # The broker took it back when the connection went; it will come again.
        try:
            tell(**how)
        except Exception as error:  # noqa: BLE001 - whatever broke, the broker redelivers
            log.info("A message could not be settled.", extra={"cause": repr(error)})

    def finish_all(self, messages: Iterable[Any]) -> None:
        """Tell the broker that these are done, and with them all that came before them.

        For who settles what came on a channel in its order: one frame a channel, not one a message.
        """
        last: dict[Any, Any] = {}
        for message in messages:
            self.busy -= 1
            last[message.channel] = message
        for message in last.values():
            self._settle(message, message.ack, multiple=True)

    def on_iteration(self) -> None:
        self._cancel_consumers_if_requested()
        if not self._consumers and self.busy == 0:
            self.should_stop = True


def _address(connection: Connection) -> str:
    return f"{connection.hostname}:{connection.port}"


class Replies(SharedExtension):  # type: ignore[misc]
    """The one writer of replies: its own connection, a kept channel, no confirms.

    A worker never waits for it, so a broker that stops reading cannot stop the work. A reply that
    is lost is asked for again under the same command id.
    """

    def __init__(self) -> None:
        super().__init__()
        self._queue: Any = LightQueue(REPLY_BACKLOG)
        self._writing_since = 0.0

    def setup(self) -> None:
        self.container.spawn_managed_thread(self._write, identifier="replies")

    @property
    def blocked(self) -> bool:
        """Whether the broker has not taken a reply for two seconds."""
        return bool(self._writing_since) and time.monotonic() - self._writing_since > 2

    def send(self, message: Any, body: bytes, headers: dict[str, Any]) -> None:
        """Queue the reply to a message; dropped, with a line in the log, when 10,000 wait."""
        try:
            self._queue.put_nowait((message.properties, body, headers))
        except eventlet.queue.Full:
            log.error("A reply was dropped: the broker takes none.")

    def stop(self) -> None:
        done = Signal()
        self._queue.put(done)
        with eventlet.Timeout(2, False):
            done.wait()

    def _write(self) -> None:
        connection = channel = None
        while True:
            item = self._queue.get()
            if isinstance(item, Signal):
                item.send()
                return
            for _ in range(2):
                try:
                    if channel is None:
                        uri = self.container.config["AMQP_URI"]
                        connection = Connection(uri, heartbeat=0, connect_timeout=3)
                        channel = connection.channel()
                    self._writing_since = time.monotonic()
                    self._publish(channel, *item)
                    break
                except Exception as error:  # noqa: BLE001 - one reply is lost, never the service
                    log.warning("A reply could not be sent.", extra={"cause": repr(error)})
                    if connection is not None:
                        connection.release()
                    connection = channel = None
                finally:
                    self._writing_since = 0.0

    @staticmethod
    def _publish(
        channel: Any, request: dict[str, Any], body: bytes, headers: dict[str, Any]
    ) -> None:
        reply_to = request["reply_to"]
        direct = reply_to.startswith("amq.rabbitmq.reply-to")
        channel.basic_publish(
            channel.prepare_message(
                body,
                content_type="application/json",
                content_encoding="utf-8",
                headers=headers,
                properties={"correlation_id": request.get("correlation_id"), "delivery_mode": 1},
            ),
            exchange="" if direct else topology.RPC_EXCHANGE,
            routing_key=reply_to,
        )
