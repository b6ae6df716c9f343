"""Run processes in dependency order, restart what dies, end all of it together.

One thread owns all children, because the kernel ends a child when the *thread* that started it
ends (see tether.py); everybody else talks to it through a queue.
"""

import contextlib
import queue
import re
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from crmkit.local.installation import write_json
from crmkit.local.spawning import User, end_group, spawn

TICK_SECONDS = 0.05
FIRST_BACKOFF_SECONDS, LAST_BACKOFF_SECONDS = 0.2, 5.0
# Having lived this long a process starts again at the first backoff.
HEALTHY_SECONDS = 10.0
# Deaths before the first readiness after which the start is given up.
TRIES_AT_START = 4
DRAIN_SECONDS = 25.0


class StartFailed(Exception):
    """The stack did not come up; the message is one sentence for a person."""


@dataclass(frozen=True, slots=True)
class Plan:
    """A process to run, or (with `action`) a step to take in our own process.

    A one-shot counts as ready once it ended well.  `rank` orders the end: lower ranks end first.
    `before` runs in our process right before each start, `after` once a one-shot ended well.
    """

    name: str
    command: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    needs: tuple[str, ...] = ()
    ready: Callable[[], bool] = lambda: True
    action: Callable[[], None] | None = None
    before: Callable[[], None] | None = None
    after: Callable[[], None] | None = None
    one_shot: bool = False
    rank: int = 1
    stop_signal: int = signal.SIGTERM
    orphan_signal: int = signal.SIGKILL
    health_port: int | None = None
    user: User | None = None
    show: bool = True


@dataclass(slots=True)
class Child:
    """What the supervisor knows about a plan."""

    plan: Plan
    process: "subprocess.Popen[bytes] | None" = None
    started_at: float = 0.0
    is_ready: bool = False
    ever_ready: bool = False
    wanted: bool = True
    deaths: int = 0
    backoff_seconds: float = FIRST_BACKOFF_SECONDS
    retry_at: float = 0.0

    @property
    def running(self) -> bool:
        """Whether its process lives."""
        return self.process is not None and self.process.poll() is None


class Supervisor:
    """The processes of one stack."""

    def __init__(
        self, plans: list[Plan], *, folder: Path, work_folder: Path, say: Callable[[str], None]
    ) -> None:
        self._children = {plan.name: Child(plan) for plan in plans}
        self._folder = folder
        self._work_folder = work_folder
        self._say = say
        self._orders: queue.SimpleQueue[tuple[Callable[[], None], threading.Event]] = (
            queue.SimpleQueue()
        )
        self._up = threading.Event()
        self._ending = threading.Event()
        self._hurry = threading.Event()
        self._failure: str | None = None
        self._written: dict[str, object] = {}
        self._thread = threading.Thread(target=self._run, name="supervisor", daemon=True)
        self._began = time.monotonic()

    def start(self, timeout_seconds: float = 180.0) -> None:
        """Return when everything is ready; StartFailed, with everything ended, when not."""
        self._began = time.monotonic()
        self._thread.start()
        if not self._up.wait(timeout_seconds):
            waiting = ", ".join(n for n, child in self._children.items() if not child.is_ready)
            self._failure = f"Not ready after {timeout_seconds:.0f} s: {waiting}. See {self._logs}."
        if self._failure:
            self.stop(drain_seconds=3)
            raise StartFailed(self._failure)

    def stop(self, drain_seconds: float = DRAIN_SECONDS) -> None:
        """End everything, rank by rank, and kill what is left after the drain; safe to repeat."""
        self._drain_seconds = drain_seconds
        self._ending.set()
        if self._thread.is_alive() and threading.current_thread() is not self._thread:
            self._thread.join(drain_seconds + 10)

    def hurry(self) -> None:
        """Do not wait for the drain any longer."""
        self._hurry.set()

    def wait(self, timeout_seconds: float | None = None) -> bool:
        """Sleep until somebody calls for the end; whether somebody did."""
        return self._ending.wait(timeout_seconds)

    def pid(self, name: str) -> int | None:
        """The process id, or None while it is not running."""
        child = self._children[name]
        return child.process.pid if child.process and child.running else None

    def names(self) -> tuple[str, ...]:
        """All processes that stay (not the one-shots)."""
        return tuple(n for n, c in self._children.items() if c.plan.command and not c.plan.one_shot)

    def is_ready(self, name: str) -> bool:
        """Whether its own probe answered since its last start."""
        return self._children[name].is_ready

    def kill(self, name: str, number: int = signal.SIGKILL) -> int:
        """Signal the process and all it started; the id it had.  It will be restarted."""
        # The thread that owns it may note its end, and forget it, before we return.
        process = self._children[name].process
        if process is None or process.poll() is not None:
            raise ProcessLookupError(f"{name} is not running.")
        end_group(process, number)
        return process.pid

    def stop_process(self, name: str, *, number: int | None = None) -> None:
        """End the process and leave it ended; returns when it is gone."""
        child = self._children[name]

        def stop() -> None:
            child.wanted = False

        self._order(stop)
        process = child.process
        if process is not None and process.poll() is None:
            end_group(process, child.plan.stop_signal if number is None else number)
            try:
                process.wait(DRAIN_SECONDS)
            except subprocess.TimeoutExpired:
                end_group(process)
                process.wait(5)
        while child.process is not None and not self._ending.is_set():
            time.sleep(TICK_SECONDS)

    def start_process(self, name: str, *, timeout_seconds: float = 30.0) -> None:
        """Start what `stop_process` ended (or what waits for its backoff); returns when ready."""
        child = self._children[name]

        def go() -> None:
            child.wanted = True
            child.retry_at = 0.0

        self._order(go)
        self.wait_ready(name, timeout_seconds=timeout_seconds)

    def wait_ready(self, name: str, *, timeout_seconds: float = 30.0) -> None:
        """Return when the process is running and ready; StartFailed when that takes too long."""
        deadline = time.monotonic() + timeout_seconds
        while not (self._children[name].running and self._children[name].is_ready):
            if time.monotonic() > deadline:
                raise StartFailed(f"{name} was not ready in {timeout_seconds:.0f} s.")
            time.sleep(TICK_SECONDS)

    # From here on: in the thread that owns the children.

    @property
    def _logs(self) -> Path:
        return self._folder / "log"

    def _order(self, action: Callable[[], None]) -> None:
        done = threading.Event()
        self._orders.put((action, done))
        done.wait(5)

    def _run(self) -> None:
        try:
            while not self._ending.is_set():
                self._obey()
                for child in self._children.values():
                    self._look_after(child)
                if not self._up.is_set() and (
                    self._failure or all(child.is_ready for child in self._children.values())
                ):
                    self._up.set()
                self._publish()
                self._ending.wait(TICK_SECONDS)
        except Exception as error:  # noqa: BLE001 - a bug here must not leave processes behind
            self._failure = f"The supervisor failed: {error!r}."
        finally:
            self._end()
            self._up.set()
            self._ending.set()

    def _obey(self) -> None:
        with contextlib.suppress(queue.Empty):
            while True:
                action, done = self._orders.get_nowait()
                action()
                done.set()

    def _look_after(self, child: Child) -> None:
        if self._failure:
            return
        if child.running:
            self._probe(child)
        elif child.process is not None:
            self._bury(child)
        elif self._due(child):
            self._launch(child)

    def _due(self, child: Child) -> bool:
        done = child.plan.one_shot and child.is_ready
        return (
            child.wanted
            and not done
            and time.monotonic() >= child.retry_at
            and all(self._children[name].is_ready for name in child.plan.needs)
        )

    def _launch(self, child: Child) -> None:
        plan = child.plan
        child.started_at = time.monotonic()
        try:
            if plan.before is not None:
                plan.before()
            if plan.action is not None:
                plan.action()
                self._now_ready(child)
                return
            child.process = spawn(
                plan.command,
                environment=plan.environment,
                log=self._logs / f"{plan.name}.log",
                folder=self._work_folder,
                user=plan.user,
                orphan_signal=plan.orphan_signal,
            )
        except Exception as error:  # noqa: BLE001 - whatever it is, the start is over and says why
            self._failure = f"{plan.name} could not be started: {error}"

    def _probe(self, child: Child) -> None:
        if not child.is_ready and not child.plan.one_shot and child.plan.ready():
            self._now_ready(child)

    def _now_ready(self, child: Child) -> None:
        now = time.monotonic()
        if child.plan.show and not child.ever_ready:
            took, total = now - child.started_at, now - self._began
            what = "done" if child.plan.one_shot else "ready"
            self._say(f"  {child.plan.name:<16} {what:<5} {took:5.1f} s   (at {total:4.1f} s)")
        elif child.plan.show:
            self._say(f"  {child.plan.name:<16} ready again after {now - child.started_at:.1f} s")
        child.is_ready = child.ever_ready = True

    def _bury(self, child: Child) -> None:
        """The process ended: note a one-shot's result, or plan the restart."""
        plan, process = child.plan, child.process
        if process is None:
            return
        code = process.returncode
        end_group(process)
        child.process = None
        if plan.one_shot:
            if code == 0:
                if plan.after is not None:
                    plan.after()
                self._now_ready(child)
            else:
                self._failure = self._obituary(child, code)
            return
        child.is_ready = False
        if not child.wanted:
            return
        child.deaths += 1
        if not child.ever_ready and child.deaths >= TRIES_AT_START:
            self._failure = self._obituary(child, code)
            return
        if time.monotonic() - child.started_at > HEALTHY_SECONDS:
            child.backoff_seconds = FIRST_BACKOFF_SECONDS
        child.retry_at = time.monotonic() + child.backoff_seconds
        self._say(
            f"  {plan.name:<16} ended ({_how(code)}); restart in {child.backoff_seconds:.1f} s"
        )
        child.backoff_seconds = min(child.backoff_seconds * 2, LAST_BACKOFF_SECONDS)

    def _obituary(self, child: Child, code: int) -> str:
        path = self._logs / f"{child.plan.name}.log"
        cause = _cause(path)
        return (
            f"{child.plan.name} ended ({_how(code)}){f': {cause}' if cause else ''} (log: {path})"
        )

    def _publish(self) -> None:
        """Tell ``processes.json`` who runs where."""
        now: dict[str, object] = {
            name: {"pid": child.process.pid, "health_port": child.plan.health_port}
            for name, child in self._children.items()
            if child.process is not None and not child.plan.one_shot
        }
        if now != self._written:
            self._written = now
            write_json(self._folder / "processes.json", now)

    _drain_seconds = DRAIN_SECONDS

    def _end(self) -> None:
        deadline = time.monotonic() + self._drain_seconds
        for rank in sorted({child.plan.rank for child in self._children.values()}):
            living = [
                child.process
                for child in self._children.values()
                if child.plan.rank == rank and child.process is not None
            ]
            for child in self._children.values():
                if child.plan.rank == rank and child.running and child.process is not None:
                    child.process.send_signal(child.plan.stop_signal)
            while any(process.poll() is None for process in living):
                if time.monotonic() > deadline or self._hurry.is_set():
                    break
                time.sleep(TICK_SECONDS)
            for process in living:
                end_group(process)
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(5)
        (self._folder / "processes.json").unlink(missing_ok=True)


def _cause(log: Path) -> str:
    """The line of a log that says why: the last that names an error, else the last of all."""
    try:
        text = log.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
    lines = [line.strip() for line in text.splitlines()[-60:] if line.strip()]
    # A database error goes on after its first line: the statement, a caret below it.
    named = [line for line in lines if re.match(r"(\w+\.)*[A-Z]\w*[a-z]\w*: \S", line)]
    return (named or lines or [""])[-1][:200]


def _how(code: int) -> str:
    """An exit code in words."""
    return f"signal {-code}" if code < 0 else f"code {code}"
