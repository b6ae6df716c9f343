"""How a service is entered: ``@command``, ``@subscribe``, ``@on_timer`` and ``database()``.

These are nameko extensions with the faults of the stock ones mended: a malformed message is
refused and never stops the process, a failing event is kept and tried again, a stop waits for
running work, and a reply costs one write on a kept channel. Only this module and ``attachment``
know nameko.
"""

import logging
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, TypeVar

import eventlet
from kombu import Queue
from nameko.containers import ServiceContainer
from nameko.exceptions import ContainerBeingKilled
from nameko.extensions import DependencyProvider, Entrypoint, ProviderCollector, SharedExtension

from crmkit import codec, db, inbox, logs, metrics, timers, topology, tracing
from crmkit.attachment import BusConsumer, Replies
from crmkit.context import Context, from_headers
from crmkit.errors import CrmError, Invalid, NotFound, Unavailable, to_wire
from crmkit.messages import Command, Envelope, Event, load, open_envelope

log = logging.getLogger(__name__)

Method = TypeVar("Method", bound=Callable[..., Any])

EVENT_PREFETCH = 3
GATEWAY_USER = "gateway"


class Container(ServiceContainer):  # type: ignore[misc]
    """nameko's container without its log line at every step, which cost more than the steps."""

    def _run_worker(self, worker: Any, handle_result: Callable[..., Any]) -> None:
        logs.request_id.set(worker.data["context"].request_id)
        self._inject_dependencies(worker)
        result = exc_info = None
        try:
            method = getattr(worker.service, worker.entrypoint.method_name)
            result = method(*worker.args, **worker.kwargs)
        except Exception:  # noqa: BLE001 - whoever asked is told
            exc_info = sys.exc_info()
        handle_result(worker, result, exc_info)
        # Breaks the cycle of frame and traceback, so that memory goes back at once.
        del exc_info


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


class SubscriptionEntrypoint(Entrypoint):  # type: ignore[misc]
    """One handler of one kind of event."""

    consumer = BusConsumer()
    prefetch = EVENT_PREFETCH

    def __init__(self, event: type[Event], **kwargs: Any) -> None:
        self.event = event
        super().__init__(expected_exceptions=(CrmError,), **kwargs)

    @property
    def consumer_name(self) -> str:
        """How the inbox knows this handler."""
        return f"{self.container.service_name}.{self.method_name}"

    def setup(self) -> None:
        service = self.container.service_name
        name = topology.event_queue(self.event, service, self.method_name)
        self.queue = Queue(name, no_declare=True)
        self.consumer.register_provider(self)

    def stop(self) -> None:
        self.consumer.unregister_provider(self)

    def receive(self, message: Any) -> None:
        """Start the handler in a worker, or park what is no event of the owner; never raises."""
        try:
            if message.properties.get("user_id") != self.event.owner:
                raise Invalid("forged", f"Not sent by {self.event.owner}.")
            body = codec.loads(message.body)
            if not isinstance(body, dict):
                raise Invalid("malformed", "An event must be a JSON object.")
            envelope = open_envelope(self.event, body)
        except Exception as error:  # noqa: BLE001 - poison goes to parking, the process lives on
            log.warning("An event was refused.", extra={"cause": repr(error)})
            message.finish("reject")
            return
        try:
            self.begin(envelope, partial(self._settle, message, envelope, body))
        except ContainerBeingKilled:
            message.finish("requeue")

    def begin(
        self, envelope: Envelope, done: Callable[..., Any], *, retrying: bool = False
    ) -> None:
        """Have a worker handle the event."""
        span = tracing.begin(
            "consumer", self.consumer_name, envelope.context.traceparent, event_id=str(envelope.id)
        )
        context = tracing.under(span, envelope.context)
        data = {"context": context, "consumer": self.consumer_name, "retrying": retrying}

        def ended(worker: Any, result: Any, exc_info: Any) -> Any:
            span.end(metrics.outcome(exc_info[1] if exc_info else None))
            return done(worker, result, exc_info)

        traced = replace(envelope, context=context)
        self.container.spawn_worker(self, (traced,), {}, context_data=data, handle_result=ended)

    def _settle(
        self, message: Any, envelope: Envelope, body: Any, _worker: Any, result: Any, exc_info: Any
    ) -> tuple[Any, Any]:
        if exc_info is None:
            told = {"handler": self.consumer_name, "event_id": str(envelope.id)}
            log.info("Handled.", extra=told)
            message.finish()
        else:
            # Not in the worker: without its database a service would soon have no worker left.
            keep = partial(self._keep_and_finish, message, envelope, body, exc_info)
            self.container.spawn_managed_thread(keep, identifier="keep")
        return result, exc_info

    def _keep_and_finish(self, message: Any, envelope: Envelope, body: Any, exc_info: Any) -> None:
        logs.request_id.set(envelope.context.request_id)
        kept = self.keep(envelope, body, exc_info, attempts=1)
        message.finish("ack" if kept else "requeue")

    def keep(self, envelope: Envelope, body: Any, exc_info: Any, *, attempts: int) -> bool:
        """Note the failure in the inbox, waiting for the database as long as it takes.

        False only when the service stops first; the message then goes back to its queue.
        """
        error = exc_info[1]
        pause = 0.5
        while True:
            try:
                with self._database.transaction(envelope.context) as session:
                    status = inbox.note_failure(
                        session,
                        consumer=self.consumer_name,
                        event_id=envelope.id,
                        body=body,
                        error=error,
                        attempts=attempts,
                    )
                break
            except Exception as trouble:  # noqa: BLE001 - the event must not be lost
                log.warning("An event waits for the database.", extra={"cause": repr(trouble)})
                if not self.consumer._consumers:
                    return False
                eventlet.sleep(pause)
                pause = min(pause * 2, 5)
        log.warning(
            "An event handler failed.",
            exc_info=exc_info if metrics.outcome(error) == "bug" else None,
            extra={
                "handler": self.consumer_name,
                "event_id": str(envelope.id),
                "attempts": attempts,
                "status": status,
                "cause": inbox.describe(error),
            },
        )
        metrics.event_failed(self.consumer_name, status)
        return True

    @property
    def _database(self) -> db.Database:
        return next(d for d in self.container.dependencies if isinstance(d, DatabaseProvider)).value


class TimerEntrypoint(Entrypoint):  # type: ignore[misc]
    """What is done when timers of one kind fall due."""

    def __init__(self, kind: str, **kwargs: Any) -> None:
        self.kind = kind
        super().__init__(expected_exceptions=(CrmError,), **kwargs)

    def fire(self, timer: timers.Timer, done: Callable[..., Any]) -> None:
        """Have a worker do it."""
        data = {"context": Context(), "consumer": self.method_name}
        self.container.spawn_worker(self, (timer,), {}, context_data=data, handle_result=done)


@dataclass(frozen=True, slots=True)
class _Pace:
    """Seconds between looks at the database."""

    busy: float = 0.05
    idle: float = 0.5


class DatabaseProvider(DependencyProvider):  # type: ignore[misc]
    """Gives each worker the service's database for its request; runs due timers and retries."""

    def __init__(self) -> None:
        self.value: db.Database
        self._stopping = False

    def setup(self) -> None:
        self.value = self.container.config["DATABASE"]

    def start(self) -> None:
        self.container.spawn_managed_thread(self._timers, identifier="timers")
        self.container.spawn_managed_thread(self._retries, identifier="retries")

    def stop(self) -> None:
        self._stopping = True

    def get_dependency(self, worker_ctx: Any) -> db.Work:
        data = worker_ctx.data
        return db.Work(
            self.value,
            data["context"],
            data.get("consumer", ""),
            retrying=data.get("retrying", False),
        )

    def _entrypoints(self, kind: type[Any]) -> list[Any]:
        return [e for e in self.container.entrypoints if isinstance(e, kind)]

    def _loop(self, step: Callable[[], int]) -> None:
        pace = _Pace()
        while not self._stopping:
            try:
                done = step()
            except Exception as error:  # noqa: BLE001 - the database may be away for a while
                log.warning("A background look failed.", extra={"cause": repr(error)})
                done = 0
            eventlet.sleep(pace.busy if done else pace.idle)

    def _timers(self) -> None:
        by_kind = {entrypoint.kind: entrypoint for entrypoint in self._entrypoints(TimerEntrypoint)}
        if not by_kind:
            return
        running: set[int] = set()

        def finished(timer: timers.Timer, _worker: Any, result: Any, exc_info: Any) -> Any:
            if exc_info:
                log.warning("A timer failed.", exc_info=exc_info, extra={"timer": timer.kind})
                self._postpone(timer, inbox.describe(exc_info[1]))
            running.discard(timer.id)
            return result, exc_info

        def step() -> int:
            with self.value.reading(Context()) as session:
                rows = session.execute(timers.DUE, {"kinds": list(by_kind)}).all()
            due = [timers.Timer(*row) for row in rows if row.id not in running]
            for timer in due:
                running.add(timer.id)
                by_kind[timer.kind].fire(timer, partial(finished, timer))
            return len(due)

        self._loop(step)

    def _postpone(self, timer: timers.Timer, error: str) -> None:
        try:
            with self.value.transaction(Context()) as session:
                session.execute(timers.POSTPONE, {"id": timer.id, "error": error[:2000]})
        except Exception as trouble:  # noqa: BLE001 - its row is still there and still due
            log.warning("A timer was not postponed.", extra={"cause": repr(trouble)})
            eventlet.sleep(1)

    def _retries(self) -> None:
        by_name: dict[tuple[str, str], SubscriptionEntrypoint] = {
            (entrypoint.consumer_name, entrypoint.event.type): entrypoint
            for entrypoint in self._entrypoints(SubscriptionEntrypoint)
        }
        if not by_name:
            return

        def step() -> int:
            with self.value.transaction(Context()) as session:
                rows = session.execute(inbox.CLAIM_FAILED).all()
            for row in rows:
                entrypoint = by_name.get((row.consumer, row.body.get("type")))
                if entrypoint is None:
                    log.error("Nobody handles a kept event.", extra={"handler": row.consumer})
                    continue
                self._retry(entrypoint, row)
            return len(rows)

        self._loop(step)

    def _retry(self, entrypoint: SubscriptionEntrypoint, row: Any) -> None:
        def settled(_worker: Any, result: Any, exc_info: Any) -> Any:
            if exc_info:
                keep = partial(
                    entrypoint.keep, envelope, row.body, exc_info, attempts=row.attempts + 1
                )
                self.container.spawn_managed_thread(keep, identifier="keep")
            return result, exc_info

        envelope = open_envelope(entrypoint.event, row.body)
        entrypoint.begin(envelope, settled, retrying=True)


def database() -> Any:
    """The service's own database: ``self.db.run(…)``, ``.read(…)``, ``.once(…)``, ``.fire(…)``."""
    return DatabaseProvider()


def command(contract: type[Command]) -> Callable[[Method], Method]:
    """Answer a command. The method bears its name, gets its typed fields, returns its reply."""
    decorate: Callable[[Method], Method] = CommandEntrypoint.decorator(contract)
    return decorate


def subscribe(event: type[Event]) -> Callable[[Method], Method]:
    """Handle an event, at least once; ``self.db.once`` makes that exactly once."""

    def mark(method: Method) -> Method:
        known = getattr(method, "subscribed_events", ())
        method.subscribed_events = (*known, event)  # type: ignore[attr-defined]
        decorated: Method = SubscriptionEntrypoint.decorator(event)(method)
        return decorated

    return mark


def on_timer(kind: str) -> Callable[[Method], Method]:
    """Do what is due; ``self.db.fire`` takes the timer and writes its effect together."""
    decorate: Callable[[Method], Method] = TimerEntrypoint.decorator(kind)
    return decorate


def container_trouble(container: Any) -> str | None:
    """Why a running service is not ready, in a few words; None when it is."""
    for extension in container.extensions:
        if isinstance(extension, BusConsumer) and not extension.attached:
            return "not attached to the broker"
        if isinstance(extension, Replies) and extension.blocked:
            return "the broker takes no messages"
    try:
        container.config["DATABASE"].ping()
    except CrmError:
        return "the database does not answer"
    return None
