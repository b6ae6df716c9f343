"""T10: the relay is killed again and again over a backlog; each event leaves, in order."""

import random
import time
import uuid
from collections.abc import Callable

import pytest

from crmkit import topology
from crmkit.local.stack import LocalStack
from crmkit.local.supervisor import StartFailed
from crmkit.testing import eventually
from tests.chaos import faults
from tests.chaos.checker import Databases, Erp
from tests.chaos.outbox import HANDLER, TASK_DONE, Announced, announce
from tests.talking import Api

EVENTS_OF_ONE = 20


def backlog(dsn: str, size: int) -> dict[str, tuple[str, int]]:
    """Fill the outbox with events of many tasks in turn; subject and version of each, by its id."""
    tasks = [uuid.uuid4() for _ in range(size // EVENTS_OF_ONE)]
    made: dict[str, tuple[str, int]] = {}
    events: list[Announced] = []
    for version in range(1, EVENTS_OF_ONE + 1):
        for task in tasks:
            event = uuid.uuid4()
            made[str(event)] = (f"task/{task}", version)
            events.append((event, TASK_DONE, task, version))
    announce(dsn, events)
    return made


@pytest.mark.parametrize("size", [1_000, pytest.param(100_000, marks=pytest.mark.chaos)])
def test_a_killed_relay_loses_nothing_and_keeps_the_order(
    size: int, rapport: LocalStack, client: Api, databases: Databases, note: Callable[..., None]
) -> None:
    dice = random.Random(faults.seed())
    rapport.stop_process("relay")
    made = backlog(databases.dsn("sales"), size)
    began, kills = time.monotonic(), 0

    def waiting() -> int:
        return databases.number("sales", "select count(*) from outbox where published_at is null")

    with Erp(rapport.addresses()["amqp_url"], topology.FEED) as feed:
        rapport.start_process("relay")
        while waiting():
            # Longer and longer, so that it comes to an end also where the relay is slow.
            short = dice.uniform(0.05, 0.6) * (1 + kills / 20)
            time.sleep(short if size < 50_000 else dice.uniform(0.5, 2))
            try:
                killed = rapport.kill("relay")
                kills += 1
                eventually(lambda k=killed: rapport.process("relay").pid != k, pause=0.01)
                rapport.start_process("relay")
            except (ProcessLookupError, StartFailed):
                continue
        sent_seconds = time.monotonic() - began
        eventually(lambda: set(made) <= set(feed.seen), seconds=180)
        eventually(lambda: _handled(databases, made) == size, seconds=max(120, size / 50))
    rapport.wait_ready("relay")
    handled_seconds = time.monotonic() - began
    note(
        "T10",
        events=size,
        kills=kills,
        on_the_wire=len(set(made) & set(feed.seen)),
        repeated_on_the_wire=sum(feed.seen[key].deliveries - 1 for key in made),
        handled=_handled(databases, made),
        order_violations=len(feed.violations),
        sent_seconds=round(sent_seconds, 1),
        handled_seconds=round(handled_seconds, 1),
    )
    assert all((feed.seen[k].subject, feed.seen[k].version) == v for k, v in made.items())
    assert not feed.violations
    assert kills > 0


def _handled(databases: Databases, made: dict[str, tuple[str, int]]) -> int:
    return databases.number(
        "notifications",
        "select count(*) from inbox where consumer = %s and status = 'done' and event_id = any(%s)",
        HANDLER,
        [uuid.UUID(key) for key in made],
    )
