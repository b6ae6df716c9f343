"""Commands: one queue a service, the method found by the routing key, one reply each."""

import logging
import time
from functools import partial
from typing import Any

from kombu import Queue
from nameko.exceptions import ContainerBeingKilled
from nameko.extensions import Entrypoint, ProviderCollector, SharedExtension

from crmkit import codec, db, metrics, topology, tracing
from crmkit.attachment import BusConsumer
from crmkit.context import from_headers
from crmkit.errors import CrmError, Invalid, NotFound, Unavailable, to_wire
from crmkit.messages import Command, load
from crmkit.replies import Replies

log = logging.getLogger(__name__)

GATEWAY_USER = "gateway"


class CommandQueue(SharedExtension, ProviderCollector):  # type: ignore[misc]
    """The queue of all commands of a service; finds the method by the routing key."""

    consumer = BusConsumer()
    replies = Replies()

    def __init__(self) -> None:
        super().__init__()
        self._methods: dict[str, CommandEntrypoint] = {}
        self._stopped = False

    @property
    def prefetch(self) -> int:
        """As many as there are workers; more would wait here, out of reach of other replicas."""
        return int(self.container.max_workers)

    def setup(self) -> None:
        name = self.container.service_name
        self.queue = Queue(topology.rpc_queue(name), no_declare=True)
        self.consumer.register_provider(self)

    def start(self) -> None:
        # Every entrypoint has registered by now; they are set up at the same time as this.
        name = self.container.service_name
        self._methods = {f"{name}.{p.method_name}": p for p in self._providers}

    def stop(self) -> None:
        if not self._stopped:
            self._stopped = True
            self.consumer.unregister_provider(self)

    def receive(self, message: Any) -> None:
        """Start the command in a worker, or refuse it; never raises."""
        if not message.properties.get("reply_to"):
            log.warning("A command without reply_to was refused.")
            message.finish("reject")
            return
        try:
            key = message.delivery_info["routing_key"]
            entrypoint = self._methods.get(key)
            if entrypoint is None:
                raise NotFound("unknown_command", f"There is no command {key}.")
            entrypoint.begin(message)
        except ContainerBeingKilled:
            message.finish("requeue")
        except Exception as error:  # noqa: BLE001 - the caller is told, the process lives on
            self.answer(message, None, error)

    def answer(self, message: Any, result: Any, error: BaseException | None) -> None:
        """Reply to a command and settle its message."""
        raw = topology.RAW_HEADER in message.headers
        try:
            body, headers = self._raw(result, error) if raw else self._enveloped(result, error)
        except TypeError as unserialisable:
            log.exception("An answer cannot be written as JSON.")
            make = self._raw if raw else self._enveloped
            body, headers = make(None, unserialisable)
        self.replies.send(message, body, headers)
        message.finish()

    @staticmethod
    def _raw(result: Any, error: BaseException | None) -> tuple[bytes, dict[str, Any]]:
        if error is not None:
            return codec.dumps(to_wire(error)), {"crm-error": 1}
        encoded = result if isinstance(result, db.Encoded) else db.encode(result)
        headers: dict[str, Any] = {}
        if encoded.version is not None:
            headers["crm-version"] = encoded.version
        if encoded.replayed:
            headers["crm-replayed"] = 1
        return encoded.body, headers

    @staticmethod
    def _enveloped(result: Any, error: BaseException | None) -> tuple[bytes, dict[str, Any]]:
        """Nameko's own reply, so that ``nameko shell`` and ClusterRpcProxy can call us."""
        if error is not None:
            wire = to_wire(error)
            problem = {
                "exc_type": wire["kind"],
                "exc_path": f"crmkit.errors.{wire['kind']}",
                "exc_args": [wire["code"], wire["message"], wire["details"]],
                "value": wire["message"],
            }
            return codec.dumps({"result": None, "error": problem}), {}
        if isinstance(result, db.Encoded):
            result = codec.loads(result.body)
        return codec.dumps({"result": result, "error": None}), {}


class CommandEntrypoint(Entrypoint):  # type: ignore[misc]
    """One command of a service."""

    commands = CommandQueue()

    def __init__(self, contract: type[Command], **kwargs: Any) -> None:
        self.contract = contract
        super().__init__(expected_exceptions=(CrmError,), **kwargs)

    def setup(self) -> None:
        if self.contract.name != self.method_name:
            raise SystemExit(f"{self.method_name} must be named {self.contract.name}.")
        self.commands.register_provider(self)

    def stop(self) -> None:
        self.commands.stop()

    def begin(self, message: Any) -> None:
        """Check the request and have a worker do it."""
        trusted = message.properties.get("user_id") == GATEWAY_USER
        context = from_headers(message.headers, trusted=trusted)
        if context.expired:
            raise Unavailable("deadline_passed", "Nobody waits for this answer any more.")
        request = load(self.contract, self._arguments(message))
        began = time.perf_counter()
        span = tracing.begin("server", self.method_name, context.traceparent)
        self.container.spawn_worker(
            self,
            (),
            request,
            context_data={"context": tracing.under(span, context)},
            handle_result=partial(self._done, message, began, span),
        )

    @staticmethod
    def _arguments(message: Any) -> dict[str, Any]:
        if message.content_type != "application/json":
            raise Invalid("not_json", "A command must be application/json.")
        try:
            arguments = codec.loads(message.body)["kwargs"]
        except (ValueError, TypeError, KeyError):
            raise Invalid("malformed", "A command must be a JSON object with kwargs.") from None
        if not isinstance(arguments, dict):
            raise Invalid("malformed", "kwargs must be an object.")
        return arguments

    def _done(
        self,
        message: Any,
        began: float,
        span: tracing.Span,
        _worker: Any,
        result: Any,
        exc_info: Any,
    ) -> tuple[Any, Any]:
        error = exc_info[1] if exc_info else None
        outcome = metrics.outcome(error)
        seconds = time.perf_counter() - began
        metrics.command_seconds(self.method_name, outcome, seconds)
        told = {"command": self.method_name, "outcome": outcome, "seconds": round(seconds, 4)}
        if outcome == "bug":
            log.error("A command failed.", exc_info=exc_info, extra=told)
        elif self.contract.changes:
            # Reads would be ten lines for each line that matters; the gateway has one for both.
            log.info("Done.", extra=told)
        span.end(outcome)
        self.commands.answer(message, result, error)
        return result, exc_info
