"""Where a process can be made to die: before and after whatever it makes durable or lets out.

A test asks for it by a file that is named after the point. Whoever comes by first takes the file
away and kills itself, so that each crash happens once and the restarted process goes on. A failing
attempt is asked for in the same way. Only what the application keeps stable is wrapped: its
transactions, its publishing, its acknowledgements, its channels.
"""

import functools
import inspect
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Any

FOLDER = "CHAOS_POINTS"

What = str | Callable[..., str]
_doing: ContextVar[str] = ContextVar("doing", default="")
_lane: ContextVar[str] = ContextVar("lane", default="")
_wrote: ContextVar[bool] = ContextVar("wrote", default=False)


class Points:
    """The test's wishes, as a process of one role finds them."""

    def __init__(self, folder: Path, role: str) -> None:
        self._folder = folder
        self._role = role

    def reached(self, moment: str) -> None:
        """Die here and now if that is wished for."""
        if self._granted(moment):
            os.kill(os.getpid(), signal.SIGKILL)

    def fail(self, kind: str, *, together: bool = False) -> None:
        """Raise here and now if that is wished for.

        Who handles several together fails for each that will fail alone, too, and does not use the
        wish up.
        """
        name_of_wish = f"failure of {kind}"
        alone = self._granted(name_of_wish) if not together else self._wished(name_of_wish)
        if alone or (together and self._granted(f"failure together of {kind}")):
            from crmkit.errors import Unavailable

            raise Unavailable("chaos", "A fault was asked for.")

    def deadly(self, what: str) -> None:
        """Die each time, as of an event that kills whoever handles it."""
        if (self._folder / f"deadly {what}").exists():
            with (self._folder / f"deaths by {what}").open("a") as deaths:
                deaths.write(f"{os.getpid()}\n")
            os.kill(os.getpid(), signal.SIGKILL)

    def _wished(self, moment: str) -> bool:
        return (self._folder / name(self._role, moment)).exists()

    def _granted(self, moment: str) -> bool:
        wish = self._folder / name(self._role, moment)
        granted = wish.with_name(f"{wish.name} granted")
        try:
            wish.rename(granted)
        except FileNotFoundError:
            return False
        granted.write_text(str(os.getpid()))
        return True


def name(role: str, moment: str) -> str:
    """The file by which a test wishes for it."""
    return f"{role} {moment}"


def wish(folder: Path, role: str, moment: str) -> None:
    """Ask for it, once."""
    granted = folder / f"{name(role, moment)} granted"
    granted.unlink(missing_ok=True)
    (folder / name(role, moment)).touch()


def granted_by(folder: Path, role: str, moment: str) -> int | None:
    """The id of the process that did it; None when none has."""
    granted = folder / f"{name(role, moment)} granted"
    pid = granted.read_text() if granted.exists() else ""
    return int(pid) if pid else None


def plant(words: list[str]) -> None:
    """Plant all points of the process that ``crm`` with these words is, where a folder is given."""
    if not os.environ.get(FOLDER) or not words:
        return
    role = words[1] if words[0] == "serve" else words[0]
    points = Points(Path(os.environ[FOLDER]), role)
    of_role = {"serve": _service, "relay": _relay, "sender": _sender, "gateway": _gateway}
    if words[0] in of_role:
        of_role[words[0]](points)


# Each role


def _service(points: Points) -> None:
    import importlib

    # Makes the standard library cooperative first, as `crm serve` needs it.
    importlib.import_module("crmkit.serve")
    from kombu.message import Message

    from crmkit.db import Together, Work
    from crmkit.entrypoints.subscriptions import Intake
    from crmkit.entrypoints.timers import DueTimers
    from crmkit.replies import Link

    _commits(points)
    _meanwhile(Work, "run", "command")
    _meanwhile(Work, "once", lambda work, *_: "retried event" if work.retrying else "event alone")
    _meanwhile(Work, "fire", "timer")
    _meanwhile(Intake, "_handle_together", "events")
    _meanwhile(Intake, "_handle_alone", "event alone")
    _meanwhile(Intake, "_set_aside", "event set aside")
    _meanwhile(Intake, "_keep", "failure")
    _meanwhile(Intake, "_retry_one", "claim of retry")
    _meanwhile(DueTimers, "_note", "postponed timer")
    _meanwhile(DueTimers, "_do_alone", "counted timer")
    _around(points, Message, "ack", lambda message, *_: f"ack of {_kind(message)}")
    _around(points, Message, "reject", lambda message, *_: f"reject of {_kind(message)}")
    _around(points, Link, "publish", "reply")
    for kind in (Work, Together):
        _spoil_events(points, kind)
    _spoil_timers(points, Work)


def _kind(message: Any) -> str:
    from crmkit.topology import RPC_EXCHANGE

    if message.delivery_info["exchange"] == RPC_EXCHANGE:
        return "command"
    return _doing.get() or "event"


def _relay(points: Points) -> None:
    import psycopg
    from pika.channel import Channel

    from crmkit import parker, relay

    statements = {
        relay._MARK: "mark",
        relay._POSTPONE: "postponement",
        parker._KEEP: "note of parked message",
    }
    _around(
        points,
        psycopg.AsyncConnection,
        "execute",
        lambda _, query, *__: statements.get(query, "other statement"),
    )
    _around(points, Channel, "basic_ack", "ack of parked message")
    _around(points, relay.Publisher, "publish", "batch")
    _around(points, relay.Publisher, "_on_confirm", "note of confirm")
    begin = relay.Publisher.__init__

    def watched(publisher: Any, link: Any, channel: Any) -> None:
        _around(points, channel, "basic_publish", "publish")
        begin(publisher, link, channel)

    relay.Publisher.__init__ = watched  # type: ignore[method-assign]


def _sender(points: Points) -> None:
    from services.notifications import worker
    from services.notifications.channels.smpp import SmppChannel
    from services.notifications.channels.smtp import SmtpChannel
    from services.notifications.journal import Journal
    from services.notifications.sender import Sender
    from services.notifications.worker import Worker

    _commits(points)
    # A batch is sent within seconds here; its lease would never have to be renewed.
    worker._RENEW_AFTER_SECONDS = 0.0  # type: ignore[misc]
    _meanwhile(Worker, "run", lambda worker: worker.lane, _lane)
    _meanwhile(Worker, "_step", lambda _: f"claim of {_lane.get()}")
    _meanwhile(Worker, "_settle", lambda *_: f"outcome of {_lane.get()}")
    _meanwhile(Worker, "_still_ours", lambda *_: f"renewal of {_lane.get()}")
    _meanwhile(Sender, "_heal", "healed batch")
    _meanwhile(Sender, "_expire", "expired lease")
    _meanwhile(Sender, "_settle", "word of receipts")
    _meanwhile(Sender, "_dust", "forgotten receipts")
    _meanwhile(Sender, "_keep_receipt", "receipt")
    for step in ("begin", "end", "clear"):
        _around(points, Journal, step, lambda *_, step=step: f"journal's {step} of {_lane.get()}")
    for channel in (SmtpChannel, SmppChannel):
        _around(points, channel, "send", lambda *_: f"send of {_lane.get()}")


def _gateway(points: Points) -> None:
    from crmkit.client import Client
    from crmkit.db import Work

    _commits(points)
    _meanwhile(Work, "run", "command")
    _around(points, Client, "_publish", "request")
    _around(points, Client, "_on_reply", "reading of reply")


# What they share


def _commits(points: Points) -> None:
    """A point before and after each commit of a transaction that has changed anything."""
    from sqlalchemy import Engine, event
    from sqlalchemy.engine.default import DefaultDialect

    whole = DefaultDialect.do_commit

    def begun(_: Any) -> None:
        _wrote.set(False)

    def executed(_: Any, cursor: Any, statement: str, *__: Any) -> None:
        if cursor.rowcount > 0 and not statement.lstrip().lower().startswith("select"):
            _wrote.set(True)

    def do_commit(dialect: Any, connection: Any) -> None:
        doing = _doing.get() if _wrote.get() else ""
        _wrote.set(False)
        if doing:
            points.reached(f"before commit of {doing}")
        whole(dialect, connection)
        if doing:
            points.reached(f"after commit of {doing}")

    event.listen(Engine, "begin", begun)
    event.listen(Engine, "after_cursor_execute", executed)
    DefaultDialect.do_commit = do_commit  # type: ignore[method-assign]


def _spoil_events(points: Points, work: Any) -> None:
    """Attempts that fail late when that is wished for, and events that kill whoever has them."""
    from crmkit.db import Together

    whole = work.__dict__["once"]

    def once(self: Any, event: Any, use_case: Any) -> bool:
        def spoiled(session: Any, event: Any) -> None:
            use_case(session, event)
            points.deadly(str(event.id))
            points.fail(event.type, together=isinstance(self, Together))

        return bool(whole(self, event, spoiled))

    work.once = once


def _spoil_timers(points: Points, work: Any) -> None:
    """The same for timers, which are named by what they were set for."""
    whole = work.fire

    def fire(self: Any, timer: Any, use_case: Any) -> bool:
        def spoiled(session: Any, timer: Any) -> None:
            use_case(session, timer)
            points.deadly(f"timer {timer.key}")
            points.fail(f"timer {timer.kind}")

        return bool(whole(self, timer, spoiled))

    work.fire = fire


@contextmanager
def _set(variable: ContextVar[str], value: str) -> Iterator[None]:
    token = variable.set(value)
    try:
        yield
    finally:
        variable.reset(token)


def _meanwhile(owner: Any, method: str, what: What, variable: ContextVar[str] = _doing) -> None:
    """Have it known during that method what is being done."""
    whole = getattr(owner, method)

    @functools.wraps(whole)
    def known(*words: Any, **more: Any) -> Any:
        with _set(variable, what(*words) if callable(what) else what):
            return whole(*words, **more)

    setattr(owner, method, known)


def _around(points: Points, owner: Any, method: str, what: What) -> None:
    """A point before and after each call of that method, of whatever kind it is."""
    static = isinstance(inspect.getattr_static(owner, method), staticmethod)
    whole = getattr(owner, method)

    @functools.wraps(whole)
    def call(*words: Any, **more: Any) -> Any:
        moment = what(*words) if callable(what) else what
        points.reached(f"before {moment}")
        result = whole(*words, **more)
        points.reached(f"after {moment}")
        return result

    @functools.wraps(whole)
    async def awaited(*words: Any, **more: Any) -> Any:
        moment = what(*words) if callable(what) else what
        points.reached(f"before {moment}")
        result = await whole(*words, **more)
        points.reached(f"after {moment}")
        return result

    found: Any = awaited if inspect.iscoroutinefunction(whole) else call
    setattr(owner, method, staticmethod(found) if static else found)
