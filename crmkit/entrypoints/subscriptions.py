"""Events: taken in as they come, handled several to a transaction, kept when a handler fails."""

import logging
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import eventlet
from eventlet.semaphore import Semaphore
from kombu import Queue
from nameko.extensions import Entrypoint, ProviderCollector, SharedExtension
from sqlalchemy.orm import Session

from crmkit import db, inbox, logs, metrics, topology, tracing
from crmkit.attachment import BusConsumer
from crmkit.context import Context
from crmkit.entrypoints.looking import look_again_and_again
from crmkit.errors import CrmError, Invalid
from crmkit.inbox import Note
from crmkit.messages import Envelope, Event, open_envelope, open_received

log = logging.getLogger(__name__)

PREFETCH = 32
MOST_TOGETHER = 64
_QUICK_SECONDS, _SLOW_SECONDS = 0.05, 0.2
_FIRST_PAUSE_SECONDS, _LONGEST_PAUSE_SECONDS = 0.5, 2.0
_REST_SECONDS, _BREATH_SECONDS = 0.05, 0.005
_RETRIES_A_LOOK = 50


@dataclass(frozen=True, slots=True)
class Arrival:
    """An event that waits to be handled, with the message that brought it."""

    handler: "SubscriptionEntrypoint"
    envelope: Envelope
    body: dict[str, Any]
    message: Any

    @property
    def again(self) -> bool:
        """Whether the broker has delivered it before, and was not told of an end."""
        return bool(self.message.delivery_info.get("redelivered"))

    @property
    def note(self) -> Note:
        """Its place in the inbox."""
        return Note(self.handler.consumer_name, self.envelope.id)


class Intake(SharedExtension, ProviderCollector):  # type: ignore[misc]
    """Handles what has come for all handlers of the service, one transaction after another.

    Many events share a transaction while many wait, since beginning, noting and committing cost
    more than most handlers. After each it rests for a moment, so that under load the next has more
    to do; an event that comes alone does not wait. When one of them fails, nothing of it was done
    and each is handled alone. There is one transaction at a time: two that change the same rows in
    another order would wait for each other.
    """

    consumer = BusConsumer()

    def __init__(self) -> None:
        super().__init__()
        self._waiting: deque[Arrival] = deque()
        self._arrived = Semaphore(0)
        self._together = 1
        self._stopping = False

    def start(self) -> None:
        self._handlers = {(p.consumer_name, p.event.type): p for p in self._providers}
        self.container.spawn_managed_thread(self._run, identifier="events")
        self.container.spawn_managed_thread(self._run_retries, identifier="retries")

    def stop(self) -> None:
        # What has arrived is still handled: the consumer waits for it before it ends.
        self._stopping = True

    def take(self, arrival: Arrival) -> None:
        """Have the event handled after those that came before."""
        self._waiting.append(arrival)
        self._arrived.release()

    def _run(self) -> None:
        while True:
            self._arrived.acquire()
            arrivals = [self._waiting.popleft()]
            while len(arrivals) < self._together and self._arrived.acquire(blocking=False):
                arrivals.append(self._waiting.popleft())
            self._handle(arrivals)
            if len(self._waiting) < self._together:
                # Of a backlog the broker sends as many anew, which takes it no time.
                eventlet.sleep(_REST_SECONDS if len(arrivals) < PREFETCH else _BREATH_SECONDS)

    def _handle(self, arrivals: list[Arrival]) -> None:
        """Handle them and settle their messages; never raises."""
        for one in arrivals:
            if one.again:
                self._set_aside(one)
        if first := [one for one in arrivals if not one.again]:
            self._handle_first(first)

    def _handle_first(self, arrivals: list[Arrival]) -> None:
        began = time.perf_counter()
        try:
            self._handle_together(arrivals)
        except Exception:  # noqa: BLE001 - which of them it was is found by handling each alone
            self._together = 1
            for one in arrivals:
                self._handle_alone(one)
            return
        for one in arrivals:
            self._tell(one)
        self.consumer.finish_all(one.message for one in arrivals)
        self._adapt(time.perf_counter() - began)

    def _adapt(self, seconds: float) -> None:
        """Take more at a time while that is quick: commands wait for the rows it has locked."""
        if seconds < _QUICK_SECONDS:
            self._together = min(self._together * 2, MOST_TOGETHER)
        elif seconds > _SLOW_SECONDS:
            self._together = max(self._together // 2, 1)

    def _handle_together(self, arrivals: list[Arrival]) -> None:
        work = db.Together(self.container.database)
        with work.transaction([one.note for one in arrivals]) as new:
            for one in arrivals:
                if one.note in new:
                    new.remove(one.note)
                    one.handler.handle(one.envelope, work)

    def _handle_alone(self, one: Arrival) -> None:
        work = db.Work(self.container.database, one.envelope.context, one.handler.consumer_name)
        try:
            one.handler.handle(one.envelope, work)
        except Exception as error:  # noqa: BLE001 - kept in the inbox
            one.message.finish(self._keep(one.note, one.body, error, attempts=1))
        else:
            self._tell(one)
            one.message.finish()

    @staticmethod
    def _tell(one: Arrival) -> None:
        logs.request_id.set(one.envelope.context.request_id)
        log.info("Handled.", extra=one.note.told())

    def _set_aside(self, one: Arrival) -> None:
        """Put an event that came before and was not settled into the inbox, to be handled alone.

        Nothing tells whether the process that had it died of it. Each is written alone, too, since
        one that cannot be written would take the others with it.
        """

        def write(session: Session) -> None:
            inbox.set_aside(session, one.note, one.body)

        one.message.finish(self._written(write))

    def _run_retries(self) -> None:
        look_again_and_again(self._retry_due, until=lambda: self._stopping)

    def _retry_due(self) -> int:
        done = 0
        while done < _RETRIES_A_LOOK and not self._stopping and self._retry_one():
            done += 1
        return done

    def _retry_one(self) -> bool:
        """Handle the kept event that is longest due; False when none is.

        One at a time, so that what ends the process is told from what was only near.
        """
        with self.container.database.transaction(Context()) as session:
            row = inbox.claim(session)
        if row is None:
            return False
        note = Note(row.consumer, row.event_id)
        if row.status == "parked":
            log.error("An event was parked: whoever handled it died.", extra=note.told())
            metrics.event_failed(note.consumer, row.status)
            return True
        try:
            self._retry(note, row.body)
        except Exception as error:  # noqa: BLE001 - kept in the inbox
            self._keep(note, row.body, error, attempts=row.attempts)
        return True

    def _retry(self, note: Note, body: dict[str, Any]) -> None:
        handler = self._handlers.get((note.consumer, str(body.get("type"))))
        if handler is None:
            raise Invalid("no_handler", "Nobody handles this kind of event any more.")
        envelope = open_envelope(handler.event, body)
        database = self.container.database
        handler.handle(envelope, db.Work(database, envelope.context, note.consumer, retrying=True))

    def _keep(self, note: Note, body: Any, error: Exception, *, attempts: int) -> str:
        """Note the failure in the inbox; what becomes of the event's message."""
        status = ""

        def write(session: Session) -> None:
            nonlocal status
            status = inbox.note_failure(session, note, body=body, error=error, attempts=attempts)

        verdict = self._written(write)
        log.warning(
            "An event handler failed.",
            exc_info=error if metrics.outcome(error) == "bug" else None,
            extra=note.told()
            | {"attempts": attempts, "status": status, "cause": inbox.describe(error)},
        )
        metrics.event_failed(note.consumer, status)
        return verdict

    def _written(self, write: Callable[[Session], None]) -> str:
        """Write to the inbox, waiting for the database if need be; the verdict on the message.

        ``requeue`` when the service stops first. ``reject``, which parks it at the broker, when
        no database would ever take what is to be written.
        """
        pause = _FIRST_PAUSE_SECONDS
        while True:
            try:
                with self.container.database.transaction(Context()) as session:
                    write(session)
                return "ack"
            except Exception as trouble:  # noqa: BLE001 - the event must not be lost
                log.warning("An event was not written.", extra={"cause": repr(trouble)})
                if inbox.unstorable(trouble):
                    return "reject"
            if self._stopping:
                return "requeue"
            eventlet.sleep(pause)
            pause = min(pause * 2, _LONGEST_PAUSE_SECONDS)


class SubscriptionEntrypoint(Entrypoint):  # type: ignore[misc]
    """One handler of one kind of event."""

    consumer = BusConsumer()
    intake = Intake()
    prefetch = PREFETCH

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
        self.intake.register_provider(self)

    def stop(self) -> None:
        self.intake.stop()
        self.consumer.unregister_provider(self)

    def receive(self, message: Any) -> None:
        """Take the event in, or park what is no event of the owner; never raises."""
        try:
            sender = message.properties.get("user_id")
            envelope, body = open_received(self.event, sender, message.body)
        except Exception as error:  # noqa: BLE001 - poison goes to parking, the process lives on
            log.warning("An event was refused.", extra={"cause": repr(error)})
            message.finish("reject")
            return
        self.intake.take(Arrival(self, envelope, body, message))

    def handle(self, envelope: Envelope, work: db.Work) -> None:
        """Have the service handle the event with this hold on its database."""
        logs.request_id.set(envelope.context.request_id)
        event_id = str(envelope.id)
        with tracing.span(
            "consumer", self.consumer_name, envelope.context, event_id=event_id
        ) as context:
            traced = replace(envelope, context=context) if tracing.on() else envelope
            getattr(self.container.service_with(work), self.method_name)(traced)
