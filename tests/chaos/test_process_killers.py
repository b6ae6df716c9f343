"""T8: an event or a timer that kills every process which handles it, among harmless others."""

import random
import time
import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from crmkit.clock import now
from crmkit.local.stack import LocalStack
from crmkit.testing import eventually
from crmkit.timers import MOST_ATTEMPTS
from tests.chaos import faults, points
from tests.chaos.checker import Databases
from tests.chaos.faults import Ctl, everything_ready
from tests.chaos.outbox import HANDLER, TASK_DONE, announce
from tests.talking import Api

LONGEST_SECONDS = 120.0
OWNER = "notifications"
QUEUE = "evt-sales-task.done.v1--notifications.on_task_done"


def statuses(databases: Databases, events: list[uuid.UUID]) -> dict[uuid.UUID, str]:
    """What the inbox says of them."""
    query = "select event_id, status from inbox where consumer = %s and event_id = any(%s)"
    return dict(databases.rows(OWNER, query, HANDLER, events))


@pytest.mark.parametrize(
    ("killers", "innocents"),
    [(1, 100), pytest.param(3, 300, marks=pytest.mark.chaos)],
)
def test_what_kills_its_process_is_parked_and_nothing_else_is(
    killers: int,
    innocents: int,
    rapport: LocalStack,
    client: Api,
    databases: Databases,
    ctl: Ctl,
    note: Callable[..., None],
) -> None:
    folder = Path(rapport.env()[points.FOLDER])
    dice = random.Random(faults.seed())
    rapport.stop_process("relay")
    events = [uuid.uuid4() for _ in range(killers + innocents)]
    announce(databases.dsn("sales"), ((event, TASK_DONE, uuid.uuid4(), 1) for event in events))
    deadly = dice.sample(events, killers)
    good = [event for event in events if event not in deadly]
    for event in deadly:
        (folder / f"deadly {event}").touch()
    began = time.monotonic()
    rapport.start_process("relay")

    def parked() -> bool:
        found = statuses(databases, deadly)
        return len(found) == killers and set(found.values()) == {"parked"}

    eventually(parked, seconds=killers * LONGEST_SECONDS, pause=0.2)
    parked_seconds = time.monotonic() - began
    eventually(lambda: set(statuses(databases, good).values()) == {"done"}, seconds=180)
    everything_ready(rapport)
    last = statuses(databases, good)
    at_the_broker = databases.number(
        OWNER, "select count(*) from parked_message where event_id = any(%s)", events
    )
    deaths = sum(_deaths(folder / f"deaths by {event}") for event in deadly)
    note(
        "T8",
        killers=killers,
        innocents=innocents,
        deaths=deaths,
        parked_seconds=round(parked_seconds, 1),
        innocents_handled=sum(status == "done" for status in last.values()),
        innocents_parked=sum(status == "parked" for status in last.values()) + at_the_broker,
    )
    assert deaths > killers, "Nobody died of it again: it did not kill."
    assert parked_seconds <= killers * LONGEST_SECONDS
    assert list(last.values()) == ["done"] * innocents
    assert at_the_broker == 0
    assert sum(ctl.queues()[QUEUE]) == 0

    # Mended, it is done like any other when somebody replays it.
    for event in deadly:
        (folder / f"deadly {event}").unlink()
    replay = (
        "update inbox set status = 'failed', attempts = 0, next_at = now()"
        " where status = 'parked' and event_id = any(%s) returning 1"
    )
    assert len(databases.rows(OWNER, replay, deadly)) == killers
    eventually(lambda: set(statuses(databases, deadly).values()) == {"done"}, seconds=90)


@pytest.mark.parametrize("failures", [MOST_ATTEMPTS - 2, pytest.param(0, marks=pytest.mark.chaos)])
def test_a_timer_that_kills_its_process_is_parked_and_no_other_is(
    failures: int, rapport: LocalStack, client: Api, databases: Databases
) -> None:
    next_week = (now() + timedelta(days=7)).isoformat()
    deadly, *good = [
        client.create("/v1/reminders", kind="follow_up", title=str(number), due_at=next_week)["id"]
        for number in range(12)
    ]
    folder = Path(rapport.env()[points.FOLDER])
    wish, book = folder / f"deadly timer {deadly}", folder / f"deaths by timer {deadly}"
    wish.touch()
    before = "update timer set attempts = %s where key = %s returning 1"
    databases.rows(OWNER, before, failures, deadly)
    at_once = "update timer set due_at = now() where key = any(%s) and {} returning 1"
    databases.rows(OWNER, at_once.format("true"), [deadly, *good])

    def attempts() -> int:
        """How often the deadly one was counted; it is due at once when somebody died of that."""
        if book.exists():
            died_at = datetime.fromtimestamp(book.stat().st_mtime, UTC)
            databases.rows(OWNER, at_once.format("failed_at < %s"), [deadly], died_at)
        return databases.number(OWNER, "select attempts from timer where key = %s", deadly)

    fired = "select count(*) from reminder where id = any(%s::uuid[]) and status = 'fired'"
    eventually(lambda: databases.number(OWNER, fired, good) == len(good), seconds=120)
    eventually(lambda: attempts() == MOST_ATTEMPTS, seconds=300, pause=0.5)
    least = MOST_ATTEMPTS - failures
    eventually(lambda: _deaths(book) >= least, seconds=30)
    everything_ready(rapport)
    # One that has not failed before may kill once before it is suspected.
    assert _deaths(book) in ((least,) if failures else (least, least + 1))

    # Mended, it is done when somebody replays it.
    wish.unlink()
    found = client.read("/v1/ops/parked", **{"filter[owner]": OWNER, "filter[kind]": "timer"})
    (parked,) = [item for item in found["items"] if item["subject"] == deadly]
    assert parked["error"] == "The process ended while it did this."
    client.act(f"/v1/ops/parked/{parked['id']}", "replay", owner=OWNER)
    eventually(lambda: databases.number(OWNER, fired, [deadly]) == 1, seconds=60)


def _deaths(book: Path) -> int:
    return len(book.read_text().splitlines()) if book.exists() else 0
