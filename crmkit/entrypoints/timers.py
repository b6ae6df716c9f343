"""Timers: what is done when one of a kind falls due, in whichever replica looks first."""

import logging
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from eventlet.event import Event
from nameko.extensions import Entrypoint, ProviderCollector, SharedExtension
from sqlalchemy import TextClause

from crmkit import inbox, timers
from crmkit.context import Context
from crmkit.entrypoints.looking import look_again_and_again
from crmkit.errors import CrmError

log = logging.getLogger(__name__)

_DIED = "The process ended while it did this."


class DueTimers(SharedExtension, ProviderCollector):  # type: ignore[misc]
    """Looks for timers of the service that are due and has workers do them.

    What has failed before, and whatever is due when the process starts, is counted as failed before
    it is tried, and done alone: so a timer that kills its process is told from those near it, and
    parked like others that fail.
    """

    def __init__(self) -> None:
        super().__init__()
        self._running: set[int] = set()
        self._stopping = False
        self._looked = False

    def start(self) -> None:
        self._by_kind = {entrypoint.kind: entrypoint for entrypoint in self._providers}
        self.container.spawn_managed_thread(self._run, identifier="timers")

    def stop(self) -> None:
        self._stopping = True

    def _run(self) -> None:
        look_again_and_again(self._look, until=lambda: self._stopping)

    def _look(self) -> int:
        with self.container.database.reading(Context()) as session:
            rows = session.execute(timers.DUE, {"kinds": list(self._by_kind)}).all()
        due = [timers.Timer(*row) for row in rows if row.id not in self._running]
        for timer in due:
            if self._stopping:
                break
            if self._looked and not timer.attempts:
                self._do(timer, timers.POSTPONE)
            else:
                self._do_alone(timer)
        self._looked = True
        return len(due)

    def _do_alone(self, timer: timers.Timer) -> None:
        with self.container.database.transaction(Context()) as session:
            due_at = session.execute(timers.POSTPONE, _named(timer, _DIED)).scalar()
        if due_at is not None:
            self._do(replace(timer, due_at=due_at), timers.EXPLAIN).wait()

    def _do(self, timer: timers.Timer, on_failure: TextClause) -> Event:
        over = Event()

        def done(_worker: Any, result: Any, exc_info: Any) -> Any:
            if exc_info:
                log.warning("A timer failed.", exc_info=exc_info, extra={"timer": timer.kind})
                self._note(on_failure, timer, inbox.describe(exc_info[1]))
            self._running.discard(timer.id)
            over.send()
            return result, exc_info

        self._running.add(timer.id)
        self._by_kind[timer.kind].fire(timer, done)
        return over

    def _note(self, statement: TextClause, timer: timers.Timer, error: str) -> None:
        try:
            with self.container.database.transaction(Context()) as session:
                session.execute(statement, _named(timer, error))
        except Exception as trouble:  # noqa: BLE001 - its row is still there and still due
            log.warning("A failed timer was not noted.", extra={"cause": repr(trouble)})


def _named(timer: timers.Timer, error: str) -> dict[str, Any]:
    return {"id": timer.id, "due_at": timer.due_at, "error": error[:2000]}


class TimerEntrypoint(Entrypoint):  # type: ignore[misc]
    """What is done when timers of one kind fall due."""

    due = DueTimers()

    def __init__(self, kind: str, **kwargs: Any) -> None:
        self.kind = kind
        super().__init__(expected_exceptions=(CrmError,), **kwargs)

    def setup(self) -> None:
        self.due.register_provider(self)

    def stop(self) -> None:
        self.due.stop()

    def fire(self, timer: timers.Timer, done: Callable[..., Any]) -> None:
        """Have a worker do it."""
        data = {"context": Context(), "consumer": self.method_name}
        self.container.spawn_worker(self, (timer,), {}, context_data=data, handle_result=done)
