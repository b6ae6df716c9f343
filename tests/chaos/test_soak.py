"""T21: hours of moderate load with a kill a minute; nothing grows that should not."""

import itertools
import os
import random
import statistics
import subprocess
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import pytest

from crmkit.local.stack import LocalStack
from crmkit.testing import eventually
from tests.chaos import faults
from tests.chaos.checker import Checker, Databases, Erp, converge
from tests.chaos.driving import Load, some_customers, token_of
from tests.chaos.faults import APPLICATION, Ctl, Fault, Injector, everything_ready
from tests.talking import Api

SECONDS = "CHAOS_SOAK_SECONDS"
SHARE_OF_CAPACITY = 0.3
CLIENTS = 4
SLICE_SECONDS = 300.0
SAMPLE_SECONDS = 5.0
# Caches fill and allocators find their size early in the life of a process.
WARM_UP_SECONDS = 45.0
LEAST_WATCHED_SECONDS = 60.0
MOST_GROWTH = 0.10
# Five services with 13 each, two gateways with 10, relay and sender with one for each owner or
# thread, and the checker's own.
MOST_SESSIONS = 5 * 13 + 2 * 10 + 6 + 6 + 6


@dataclass
class Memory:
    """The resident memory of the application's processes over their lives, with all they started.

    A process that was killed begins a new life with another id.
    """

    stack: LocalStack
    samples: dict[tuple[str, int], list[tuple[float, int]]] = field(
        default_factory=lambda: defaultdict(list)
    )
    _over: threading.Event = field(default_factory=threading.Event)

    def __enter__(self) -> "Memory":
        self._thread = threading.Thread(target=self._watch, name="memory", daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join(10)

    def _watch(self) -> None:
        while not self._over.wait(SAMPLE_SECONDS):
            groups = _resident()
            for name in APPLICATION:
                pid = self.stack.process(name).pid
                if pid in groups:
                    self.samples[name, pid].append((time.monotonic(), groups[pid]))

    def growth(self) -> dict[str, float]:
        """How much more each took at the end of a life than after its warm-up: 0.1 is a tenth."""
        found: dict[str, float] = {}
        for (name, _), samples in self.samples.items():
            warm = [(at, size) for at, size in samples if at >= samples[0][0] + WARM_UP_SECONDS]
            if not warm or warm[-1][0] - warm[0][0] < LEAST_WATCHED_SECONDS:
                continue
            sizes = [size for _, size in warm]
            few = max(1, len(sizes) // 4)
            grown = statistics.median(sizes[-few:]) / statistics.median(sizes[:few]) - 1
            found[name] = max(grown, found.get(name, -1.0))
        return found


def _resident() -> dict[int, int]:
    """Kilobytes by process group."""
    found: dict[int, int] = defaultdict(int)
    listed = subprocess.run(
        ["ps", "-A", "-o", "pgid=,rss="], capture_output=True, text=True, check=True
    )
    for line in listed.stdout.splitlines():
        group, size = line.split()
        found[int(group)] += int(size)
    return found


def held(ctl: Ctl, databases: Databases) -> dict[str, int]:
    """What broker and database hold for their clients."""
    # Of others' sessions a role sees that they are, and in which database, not what they do.
    sessions = "select count(*) from pg_stat_activity where datname is not null"
    queues = ctl.queues()
    return {
        "connections": _lines(ctl("list_connections", "pid", "--no-table-headers")),
        "channels": _lines(ctl("list_channels", "pid", "--no-table-headers")),
        "consumers": _lines(ctl("list_consumers", "-p", "crm", "--no-table-headers")),
        "queues": len(queues),
        "messages": sum(sum(n) for name, n in queues.items() if name.startswith(("evt-", "rpc-"))),
        "database_sessions": databases.number("gateway", sessions),
    }


def at_rest(ctl: Ctl, databases: Databases, before: dict[str, int]) -> dict[str, int]:
    """What is held once that is no more than before, or after a minute of waiting for it."""
    end = time.monotonic() + 60
    while True:
        after = held(ctl, databases)
        if not _more(after, before) or time.monotonic() > end:
            return after
        time.sleep(1)


def _more(after: dict[str, int], before: dict[str, int]) -> dict[str, int]:
    """What has grown. Sessions may up to what the pools are made for, however few there were."""
    most = before | {"database_sessions": max(MOST_SESSIONS, before["database_sessions"])}
    return {name: count for name, count in after.items() if count > most[name]}


def _lines(text: str) -> int:
    return len(text.split("\n")) - 1


def capacity(stack: LocalStack, token: str, customers: Sequence[str]) -> float:
    """Opportunities opened and won a second when nobody holds back. It warms everything, too."""
    load = Load(stack.base_url, token, customers, "capacity", seconds=15)
    load.run(8)
    return len(load.wins) / load.seconds


def minutely(seconds: float) -> list[Fault]:
    """A kill a minute, of all in turn, in an order that the seed says."""
    dice = random.Random(faults.seed())
    names = [*APPLICATION]
    dice.shuffle(names)
    turns = itertools.islice(itertools.cycle(names), max(1, int(seconds // 60)))
    return [Fault(dice.uniform(50, 58), "kill", name) for name in turns]


@pytest.mark.chaos
def test_nothing_grows(
    rapport: LocalStack, client: Api, checker: Checker, ctl: Ctl, note: Callable[..., None]
) -> None:
    seconds = float(os.environ.get(SECONDS, "300"))
    customers = some_customers(client, 20, checker.databases)
    most = capacity(rapport, token_of(client), customers)
    eventually(lambda: not checker.stuck(), seconds=60)
    before = held(ctl, checker.databases)
    wins: dict[str, str] = {}
    answers: list[str] = []
    end = time.monotonic() + seconds
    injector = Injector(rapport, minutely(seconds))
    with Erp(rapport.addresses()["amqp_url"]) as erp, Memory(rapport) as memory, injector:
        while (left := end - time.monotonic()) > 0:
            # A new login for each slice: an access token does not live for hours.
            run = rapport.addresses()
            client.log_in(run["email"], run["password"])
            load = Load(
                rapport.base_url,
                token_of(client),
                customers,
                "soak",
                seconds=min(left, SLICE_SECONDS),
                pause=CLIENTS / (SHARE_OF_CAPACITY * most),
            )
            load.run(CLIENTS)
            assert not load.failures
            wins |= load.wins
            answers.append(load.answered)
        injector.finish()
        findings = converge(lambda: checker.orders("soak", wins, erp, customers), seconds=60)
    everything_ready(rapport)
    after = at_rest(ctl, checker.databases, before)
    growth = memory.growth()
    note(
        "T21",
        seconds=round(seconds),
        orders=len(wins),
        orders_per_second=round(len(wins) / seconds, 1),
        capacity_per_second=round(most, 1),
        kills=injector.count,
        **findings.numbers(),
        growth=" ".join(f"{name}:{grown:+.1%}" for name, grown in sorted(growth.items())),
        held=" ".join(f"{name}:{before[name]}→{after[name]}" for name in before),
        answers=answers[-1],
    )
    assert findings.clean, str(findings)
    assert injector.count
    assert not _more(after, before)
    assert set(growth) == set(APPLICATION)
    assert all(grown < MOST_GROWTH for grown in growth.values()), growth
