"""Faults done to the processes of a running stack, in an order and rhythm that a seed replays."""

import contextlib
import os
import random
import re
import signal
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from crmkit.local.rabbitmq import RabbitNode, rabbit_node, server_script
from crmkit.local.stack import LocalStack
from crmkit.local.supervisor import StartFailed

SEED = "CHAOS_SEED"
BROKER, DATABASE = "rabbitmq", "postgres"
APPLICATION = (
    "customers",
    "sales",
    "service_desk",
    "marketing",
    "notifications",
    "relay",
    "sender",
    "gateway",
)
READY_SECONDS = 60.0
FREEZE_SECONDS = 3.0


def seed() -> int:
    """CHAOS_SEED where that is set, else a new one. Printed either way by whoever uses it."""
    given = os.environ.get(SEED)
    return int(given) if given else random.SystemRandom().randrange(10**6)


@dataclass(frozen=True, slots=True)
class Fault:
    """What is done to whom, after a pause. Two runs of one seed do the same in the same order."""

    pause: float
    what: str
    victim: str

    def __str__(self) -> str:
        return f"{self.what} {self.victim}"


def kill(stack: LocalStack, victim: str) -> None:
    """kill -9 of the process and all it started."""
    stack.kill(victim)


def worker(stack: LocalStack, victim: str) -> None:
    """kill -9 of one child of the process, as when only a worker of the gateway dies."""
    pid = stack.process(victim).pid
    found = subprocess.run(
        ["pgrep", "-P", str(pid)], capture_output=True, text=True, check=False
    ).stdout.split()
    with contextlib.suppress(ProcessLookupError):
        os.kill(int(found[0]) if found else pid or 0, signal.SIGKILL)


def term(stack: LocalStack, victim: str) -> None:
    """SIGTERM, to which a process answers by draining."""
    stack.supervisor.kill(victim, signal.SIGTERM)


def crash(stack: LocalStack, victim: str) -> None:
    """PostgreSQL's immediate stop: all sessions are cut, the next start recovers from the log."""
    stack.supervisor.kill(victim, signal.SIGQUIT)


def freeze(stack: LocalStack, victim: str) -> None:
    """SIGSTOP for three seconds: the process lives, holds all it holds, and does nothing."""
    pid = stack.supervisor.kill(victim, signal.SIGSTOP)
    time.sleep(FREEZE_SECONDS)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(pid, signal.SIGCONT)


FAULTS: dict[str, Callable[[LocalStack, str], None]] = {
    "kill": kill,
    "kill a worker of": worker,
    "terminate": term,
    "crash": crash,
    "freeze": freeze,
}
_OFTEN = [("kill", name) for name in APPLICATION] * 3
_SELDOM = [("terminate", name) for name in APPLICATION] + [
    ("freeze", "sales"),
    ("freeze", "notifications"),
    ("kill a worker of", "gateway"),
]


def plan(
    number: int,
    count: int,
    *,
    must: Sequence[tuple[str, str]] = (),
    pause: tuple[float, float] = (1.0, 3.0),
) -> list[Fault]:
    """That many faults for the seed: first what must be there, the rest at random, shuffled."""
    dice = random.Random(number)
    chosen = list(must) + dice.choices(_OFTEN + _SELDOM, k=max(0, count - len(must)))
    dice.shuffle(chosen)
    return [Fault(dice.uniform(*pause), what, victim) for what, victim in chosen]


class Injector:
    """Does the faults of a plan beside the load. Each waits until its victim is up again."""

    def __init__(self, stack: LocalStack, faults: Sequence[Fault]) -> None:
        self._stack = stack
        self._faults = faults
        self._thread = threading.Thread(target=self._run, name="faults", daemon=True)
        self.done: Counter[str] = Counter()
        self.skipped: list[str] = []

    def __enter__(self) -> "Injector":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.finish()

    @property
    def busy(self) -> bool:
        """Whether faults are still to come."""
        return self._thread.is_alive()

    @property
    def count(self) -> int:
        """How many faults were done."""
        return sum(self.done.values())

    def finish(self, timeout_seconds: float = 300) -> None:
        """Return when the last fault is done and everything is ready again."""
        self._thread.join(timeout_seconds)
        everything_ready(self._stack)

    def _run(self) -> None:
        for fault in self._faults:
            time.sleep(fault.pause)
            try:
                self._stack.wait_ready(fault.victim, READY_SECONDS)
                FAULTS[fault.what](self._stack, fault.victim)
                self.done[str(fault)] += 1
            except (StartFailed, ProcessLookupError) as missed:
                self.skipped.append(f"{fault}: {missed}")


def everything_ready(stack: LocalStack, timeout_seconds: float = READY_SECONDS) -> None:
    """Return when every process runs and answers that it is ready."""
    for name in stack.names():
        stack.wait_ready(name, timeout_seconds)


class Ctl:
    """``rabbitmqctl`` for the stack's own node; answers ports on loopback only."""

    def __init__(self, stack: LocalStack) -> None:
        script = server_script()
        assert script is not None
        self.node: RabbitNode = rabbit_node(stack.installation, script)
        self._program: Path = script.with_name("rabbitmqctl")

    def __call__(self, *words: str, seconds: float = 30) -> str:
        """What the command printed."""
        environment = self.node.environment() | {
            "RABBITMQ_CTL_ERL_ARGS": "-kernel inet_dist_use_interface {127,0,0,1}"
        }
        done = subprocess.run(
            [str(self._program), "-n", self.node.name, "-q", *words],
            env=environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=seconds,
        )
        assert done.returncode == 0, f"rabbitmqctl {words}: {done.stderr or done.stdout}"
        return done.stdout

    def queues(self) -> dict[str, tuple[int, int]]:
        """Per queue: how many messages are ready, and how many delivered but not acknowledged."""
        fields = ("name", "messages_ready", "messages_unacknowledged")
        out = self("list_queues", "-p", "crm", "--no-table-headers", *fields)
        rows = (line.split("\t") for line in out.splitlines() if line.count("\t") == 2)
        return {name: (int(ready), int(unacked)) for name, ready, unacked in rows}

    def redelivered(self) -> int:
        """How many deliveries since the broker's start were not the first of their message."""
        out = self("eval", "rabbit_global_counters:overview().")
        return sum(int(count) for count in re.findall(r"redelivered_total\s*=>\s*(\d+)", out))
