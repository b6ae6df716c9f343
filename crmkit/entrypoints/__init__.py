"""How a service is entered: ``@command``, ``@subscribe``, ``@on_timer`` and ``database()``.

These are nameko extensions with the faults of the stock ones mended: a malformed message is
refused and never stops the process, a failing event is kept and tried again, a stop waits for
running work, and a reply costs one write on a kept channel. Only this package, ``attachment`` and
``replies`` know nameko.
"""

from collections.abc import Callable
from typing import Any, TypeVar

from crmkit.attachment import BusConsumer
from crmkit.entrypoints.commands import CommandEntrypoint
from crmkit.entrypoints.container import DatabaseProvider
from crmkit.entrypoints.subscriptions import SubscriptionEntrypoint
from crmkit.entrypoints.timers import TimerEntrypoint
from crmkit.errors import CrmError
from crmkit.messages import Command, Event
from crmkit.replies import Replies

Method = TypeVar("Method", bound=Callable[..., Any])


def database() -> Any:
    """The service's own database: ``self.db.run(…)``, ``.read(…)``, ``.once(…)``, ``.fire(…)``."""
    return DatabaseProvider()


def command(contract: type[Command]) -> Callable[[Method], Method]:
    """Answer a command. The method bears its name, gets its typed fields, returns its reply."""
    decorate: Callable[[Method], Method] = CommandEntrypoint.decorator(contract)
    return decorate


def subscribe(event: type[Event]) -> Callable[[Method], Method]:
    """Handle an event, at least once; ``self.db.once`` makes that exactly once.

    The method does nothing else: what it asks of ``self.db.once`` may share its transaction with
    other events, and be done again alone when one of those fails.
    """

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
        container.database.ping()
    except CrmError:
        return "the database does not answer"
    return None
