"""Timers: what is done when one of a kind falls due, in whichever replica looks first."""

import logging
from collections.abc import Callable
from functools import partial
from typing import Any

from nameko.extensions import Entrypoint, ProviderCollector, SharedExtension

from crmkit import inbox, timers
from crmkit.context import Context
from crmkit.entrypoints.looking import look_again_and_again
from crmkit.errors import CrmError

log = logging.getLogger(__name__)


class DueTimers(SharedExtension, ProviderCollector):  # type: ignore[misc]
    """Looks for timers of the service that are due and has workers do them."""

    def __init__(self) -> None:
        super().__init__()
        self._running: set[int] = set()
        self._stopping = False

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
            self._running.add(timer.id)
            self._by_kind[timer.kind].fire(timer, partial(self._done, timer))
        return len(due)

    def _done(self, timer: timers.Timer, _worker: Any, result: Any, exc_info: Any) -> Any:
        if exc_info:
            log.warning("A timer failed.", exc_info=exc_info, extra={"timer": timer.kind})
            self._postpone(timer, inbox.describe(exc_info[1]))
        self._running.discard(timer.id)
        return result, exc_info

    def _postpone(self, timer: timers.Timer, error: str) -> None:
        try:
            with self.container.database.transaction(Context()) as session:
                taken = {"id": timer.id, "due_at": timer.due_at}
                session.execute(timers.POSTPONE, taken | {"error": error[:2000]})
        except Exception as trouble:  # noqa: BLE001 - its row is still there and still due
            log.warning("A timer was not postponed.", extra={"cause": repr(trouble)})


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
