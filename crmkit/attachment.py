"""How a service is attached to the broker: by one consumer of raw messages.

nameko's own loses messages, repeats work at every stop and dies of odd input; this one does not.
"""

import logging
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import eventlet
from kombu import Connection, Consumer
from nameko.messaging import QueueConsumer

log = logging.getLogger(__name__)

HEARTBEAT_SECONDS = 10
_LOOK_SECONDS, _PATIENCE_SECONDS = 0.05, 2.0
# A stream in place of a queue would deliver, but forget whatever came while nobody listened. The
# broker refuses this argument to a consumer of a stream; to one of a queue it changes nothing.
_NO_STREAM = {"x-priority": 0}


class BusConsumer(QueueConsumer):  # type: ignore[misc]
    """Consumes raw messages, one channel per queue so that each has its own prefetch.

    Bodies are decoded by the entrypoints, where a refusal is possible. Stopping ends the intake
    first and closes the connection only when the last worker is done, since an unacknowledged
    message would be delivered, and done, again. It does not wait for a broker that is away.
    """

    def __init__(self) -> None:
        super().__init__()
        self.busy = 0
        self._consumers: dict[Any, Consumer] = {}
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
            try:
                yield connection
            finally:
                # Before the link is closed, for which a silent broker lets us wait.
                self._consumers = {}

    def run(self) -> None:
        super().run(safety_interval=0.25)

    def get_consumers(self, _consumer_cls: Any, channel: Any) -> list[Consumer]:
        consumers = {}
        for provider in list(self._providers):
            provider.queue.consumer_arguments = _NO_STREAM
            own_channel = channel.connection.channel()
            consumer = Consumer(
                own_channel,
                queues=[provider.queue],
                on_message=partial(self.on_message, provider),
                auto_declare=False,
            )
            consumer.qos(prefetch_count=provider.prefetch)
            consumers[provider] = consumer
        # Some may have left while the channels were opened.
        self._consumers = {one: consumers[one] for one in consumers if one in self._providers}
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
        # Not free(): a place that somebody waits for is as good as taken.
        if self.container._worker_pool.sem.balance > 0:
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

    def unregister_provider(self, provider: Any) -> None:
        """Ask the broker for nothing more on its behalf; returns when nothing more will come."""
        self._providers.discard(provider)
        # The reader cancels its consumer. When the link ends instead, the next has none for it.
        while provider in self._consumers:
            eventlet.sleep(_LOOK_SECONDS)

    def on_iteration(self) -> None:
        for provider in self._consumers.keys() - self._providers:
            with eventlet.Timeout(_PATIENCE_SECONDS, ConnectionError("The broker is silent.")):
                self._consumers[provider].cancel()
            del self._consumers[provider]

    def stop(self) -> None:
        """Return when all that was delivered is settled and the link is closed.

        Where there is no link, or it is not closed within two seconds, the container ends the
        reader.
        """
        while self.busy:
            eventlet.sleep(_LOOK_SECONDS)
        self.should_stop = True
        if not self._consumers_ready.ready():
            self._consumers_ready.send(None)  # Whoever starts us waits for it.
        if self._gt is not None:
            with eventlet.Timeout(_PATIENCE_SECONDS, False):
                self._gt.wait()


def _address(connection: Connection) -> str:
    return f"{connection.hostname}:{connection.port}"
