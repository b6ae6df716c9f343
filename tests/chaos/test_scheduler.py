"""T12: reminders of three replicas that are killed, of clocks that jump, of days that lack an hour.

Each fires once. How late is measured from when it was due: for all of them, and for those that fell
due while all three replicas were up.
"""

import random
import threading
import uuid
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import psycopg
import pytest

from crmkit.dsn import dsn
from crmkit.local.stack import LocalStack
from crmkit.local.supervisor import StartFailed
from crmkit.testing import eventually
from services.notifications import rules
from tests.chaos import faults
from tests.chaos.checker import Databases
from tests.chaos.conftest import environment
from tests.chaos.faults import everything_ready
from tests.talking import Api

REPLICAS = ("notifications", "notifications-2", "notifications-3")
FIRED = "crm.notifications.reminder.fired.v1"
WITH_OWNER_PERCENT = 5
# What is in the hands of who is killed then, and what has piled up while a new one was started.
BEFORE_A_KILL, AFTER_A_START = timedelta(seconds=0.5), timedelta(seconds=1)


@dataclass(frozen=True, slots=True)
class Size:
    """Reminders, the seconds within which they fall due, kills, the pause between these.

    And how late nearly all may be of those due while all replicas are up, and the least kills:
    on a busy machine everything is later, and a replica takes most of the slice to start.
    """

    reminders: int
    seconds: float
    kills: int
    pause: tuple[float, float]
    latest_seconds: float
    least_kills: int


SLICE = Size(600, 12, 4, (1.0, 2.0), 5.0, 1)
FULL = Size(20_000, 300, 50, (2.5, 4.5), 1.0, 3)


@pytest.fixture(scope="module")
def trio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalStack]:
    """A Rapport with three replicas of notifications."""
    stack = LocalStack(
        tmp_path_factory.mktemp("trio"),
        seed_customers=1,
        scale={"notifications": len(REPLICAS)},
        inherited=environment(),
    )
    try:
        stack.start()
        yield stack
    finally:
        stack.stop(drain_seconds=5)


@pytest.fixture
def database(trio: LocalStack) -> Iterator[Databases]:
    """Its databases."""
    everything_ready(trio)
    databases = Databases(trio)
    yield databases
    databases.close()


def arm(databases: Databases, due: Sequence[datetime], owner_id: str) -> list[uuid.UUID]:
    """A reminder for each of these times, one in twenty with an owner who gets a mail."""
    ids = [uuid.uuid4() for _ in due]
    reminders, timers = [], []
    for number, (identity, at) in enumerate(zip(ids, due, strict=True)):
        owner = owner_id if number % (100 // WITH_OWNER_PERCENT) == 0 else None
        reminders.append((identity, owner, at, at))
        timers.append((str(identity), at))
    dsn = databases.dsn("notifications")
    with psycopg.connect(dsn) as connection, connection.cursor() as cursor:
        cursor.executemany(
            "insert into reminder (id, version, event_number, created_at, updated_at, owner_id,"
            " team_path, kind, title, due_at, first_at, time_zone, repeats, status)"
            " values (%s, 1, 0, now(), now(), %s, '/', 'follow_up', 'Call', %s, %s,"
            " 'Asia/Seoul', 'never', 'armed')",
            reminders,
        )
        cursor.executemany(
            "insert into timer (kind, key, due_at) values ('reminder', %s, %s)", timers
        )
    return ids


def fired(databases: Databases, ids: list[uuid.UUID]) -> int:
    """How many of them have."""
    query = "select count(*) from reminder where status = 'fired' and id = any(%s)"
    return databases.number("notifications", query, ids)


def effects(databases: Databases, ids: list[uuid.UUID]) -> Counter[str]:
    """What there is of each kind of effect of these reminders, and how much of it twice."""
    found: Counter[str] = Counter()
    for name, key, query in (
        ("events", "aggregate_id", f"outbox where type = '{FIRED}' and"),
        ("items", "reminder_id", "inbox_item where"),
        (
            "mails",
            "id",
            "(select split_part(dedupe_key, ':', 2)::uuid as id from message"
            " where dedupe_key like 'reminder:%%') m where",
        ),
    ):
        ((total, distinct),) = databases.rows(
            "notifications",
            f"select count(*), count(distinct {key}) from {query} {key} = any(%s)",
            ids,
        )
        found[name], found[f"{name} twice"] = total, total - distinct
    return found


@dataclass
class Killings:
    """kill -9 of one of three at random, each time for whoever is up; when, and until when."""

    stack: LocalStack
    dice: random.Random
    windows: list[tuple[datetime, datetime]]
    over: threading.Event

    def run(self, size: Size) -> None:
        """Kill so many, waiting for each to be ready again."""
        for _ in range(size.kills):
            if self.over.wait(self.dice.uniform(*size.pause)):
                return
            victim = self.dice.choice(REPLICAS)
            began = datetime.now(UTC)
            try:
                self.stack.wait_ready(victim)
                began = datetime.now(UTC)
                killed = self.stack.kill(victim)
                eventually(lambda v=victim, k=killed: self.stack.process(v).pid != k, pause=0.01)
                self.stack.start_process(victim)
            except (ProcessLookupError, StartFailed):
                continue
            finally:
                self.windows.append((began, datetime.now(UTC)))

    def apart(self, moment: datetime) -> bool:
        """Whether nobody was dead or starting then, nor a moment before or after."""
        return not any(
            began - BEFORE_A_KILL <= moment <= ended + AFTER_A_START
            for began, ended in self.windows
        )


def percentile(values: Sequence[float], share: float) -> float:
    """The value that this share of them does not exceed."""
    ordered = sorted(values) or [0.0]
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


@pytest.mark.parametrize(
    "size",
    [pytest.param(SLICE, id="slice"), pytest.param(FULL, id="full", marks=pytest.mark.chaos)],
)
def test_each_reminder_fires_once_and_in_time(
    size: Size, trio: LocalStack, database: Databases, note: Callable[..., None]
) -> None:
    seed = faults.seed()
    print(f"{faults.SEED}={seed}")  # noqa: T201 - shown when the test fails, to replay it
    dice = random.Random(seed)
    owner_id = _admin(trio)
    begin = datetime.now(UTC) + timedelta(seconds=3 + size.reminders / 4000)
    due = [begin + timedelta(seconds=dice.uniform(0, size.seconds)) for _ in range(size.reminders)]
    ids = arm(database, due, owner_id)
    killings = Killings(trio, dice, [], threading.Event())
    killer = threading.Thread(target=killings.run, args=(size,), daemon=True)
    eventually(lambda: datetime.now(UTC) >= begin, seconds=30)
    killer.start()
    eventually(
        lambda: fired(database, ids) == size.reminders, seconds=size.seconds + 180, pause=0.5
    )
    killings.over.set()
    killer.join(90)
    rows = database.rows(
        "notifications",
        "select due_at, extract(epoch from fired_at - due_at)::float from reminder"
        " where id = any(%s)",
        ids,
    )
    late = [seconds for _, seconds in rows]
    calm = [seconds for at, seconds in rows if killings.apart(at)]
    made = effects(database, ids)
    left = database.number("notifications", "select count(*) from timer where kind = 'reminder'")
    note(
        "T12",
        seed=seed,
        reminders=size.reminders,
        kills=len(killings.windows),
        fired=len(rows),
        lost=size.reminders - made["events"],
        duplicated=made["events twice"] + made["items twice"] + made["mails twice"],
        stuck=left,
        late_ms_mean=round(sum(late) / len(late) * 1000),
        late_ms_p99=round(percentile(late, 0.99) * 1000),
        late_ms_max=round(max(late) * 1000),
        late_ms_p99_with_all_three_up=round(percentile(calm, 0.99) * 1000),
        due_with_all_three_up=len(calm),
    )
    owned = len(range(0, size.reminders, 100 // WITH_OWNER_PERCENT))
    assert made == Counter(events=size.reminders, items=owned, mails=owned)
    assert left == 0
    assert min(late) >= 0
    assert percentile(calm, 0.99) <= size.latest_seconds
    assert len(killings.windows) >= size.least_kills


def _admin(stack: LocalStack) -> str:
    run = stack.addresses()
    with Api(stack.base_url) as api:
        return str(api.log_in(run["email"], run["password"])["staff"]["id"])


# Clocks that jump


@pytest.fixture
def clock(trio: LocalStack, database: Databases) -> Iterator[Callable[[float], None]]:
    """Sets the database's clock, by which timers are due, off by so many hours."""

    def execute(address: str, statement: str) -> None:
        with psycopg.connect(address, autocommit=True) as connection:
            connection.execute(statement)

    # What belongs to the schema is made by the role that owns it, what to the role by itself.
    service = database.dsn("notifications")
    owner = dsn(trio.env()["NOTIFICATIONS_MIGRATION_URL"])

    def set_off(hours: float) -> None:
        # An own now() in front of PostgreSQL's, for the sessions of the service alone.
        execute(
            owner,
            "create or replace function public.now() returns timestamptz language sql stable"
            f" as $$ select pg_catalog.now() + interval '{hours} hours' $$",
        )
        ours = "set search_path = public, pg_catalog" if hours else "reset search_path"
        execute(service, f"alter role notifications in database notifications {ours}")
        for replica in REPLICAS:
            killed = trio.kill(replica)
            eventually(lambda r=replica, k=killed: trio.process(r).pid != k, pause=0.01)
        for replica in REPLICAS:
            trio.start_process(replica)

    yield set_off
    set_off(0)
    execute(owner, "drop function if exists public.now()")


def test_a_clock_that_jumps_fires_none_twice_and_forgets_none(
    trio: LocalStack, database: Databases, clock: Callable[[float], None]
) -> None:
    owner = _admin(trio)
    at = datetime.now(UTC)
    soon = arm(database, [at + timedelta(minutes=30)] * 20, owner)
    later = arm(database, [at + timedelta(minutes=90)] * 20, owner)

    clock(1)
    eventually(lambda: fired(database, soon) == 20)
    assert fired(database, later) == 0

    clock(-1)
    overdue = arm(database, [datetime.now(UTC) - timedelta(minutes=30)] * 20, owner)
    long_overdue = arm(database, [datetime.now(UTC) - timedelta(minutes=90)] * 20, owner)
    eventually(lambda: fired(database, long_overdue) == 20)
    assert fired(database, overdue) == 0, "They are due in half an hour, by that clock."

    clock(0)
    eventually(lambda: fired(database, overdue) == 20)
    done = soon + long_overdue + overdue
    assert effects(database, done) == Counter(events=60, items=3, mails=3)
    assert fired(database, later) == 0


# Days that lack an hour or have one twice

ZONES = ("Asia/Seoul", "Asia/Tokyo", "Asia/Shanghai", "Europe/Berlin", "America/New_York")
# Seoul had summer time in 1987 and 1988, Shanghai from 1986 to 1991, Tokyo from 1948 to 1951.
YEARS = range(1948, 2040)


def odd_days(zone: ZoneInfo) -> list[datetime]:
    """The days, at midnight, in which the clocks of the zone change."""
    found = []
    for year in YEARS:
        day = datetime(year, 1, 1, tzinfo=zone)
        while day.year == year:
            following = day + timedelta(days=1)
            if day.utcoffset() != following.utcoffset():
                found.append(day)
            day = following
    return found


@pytest.mark.parametrize("name", ZONES)
def test_a_yearly_reminder_keeps_its_time_on_the_wall(name: str) -> None:
    zone = ZoneInfo(name)
    days = odd_days(zone)
    assert days, "There is nothing to see in this zone."
    for day in days:
        for minutes in range(0, 24 * 60, 30):
            first = day + timedelta(minutes=minutes)  # on the wall, as Python counts
            _follow_for_some_years(first, name, zone)


def _follow_for_some_years(first: datetime, name: str, zone: ZoneInfo) -> None:
    """It comes once in each of the following years, later than before, at its time on the wall."""
    stored = first.astimezone(UTC)  # as the database keeps it
    on_the_wall = stored.astimezone(zone)
    at = stored
    for year in range(on_the_wall.year + 1, on_the_wall.year + 4):
        following: Any = rules.next_year(stored, name, at).astimezone(UTC)
        assert following > at
        seen = following.astimezone(zone)
        assert seen.year == year
        wanted = on_the_wall.replace(year=year)
        # A time that is missing on that day comes as much later as the clocks are put forward.
        missing = wanted.astimezone(UTC).astimezone(zone).replace(tzinfo=None) != wanted.replace(
            tzinfo=None
        )
        assert missing or (seen.hour, seen.minute) == (on_the_wall.hour, on_the_wall.minute)
        at = following


@pytest.mark.parametrize("name", ZONES)
@pytest.mark.parametrize("jump", [timedelta(hours=1), timedelta(hours=-1)])
def test_a_yearly_reminder_is_not_bred_twice_by_a_clock_that_jumps(
    name: str, jump: timedelta
) -> None:
    first = datetime(2026, 3, 29, 0, 30, tzinfo=ZoneInfo(name)).astimezone(UTC)
    due = rules.next_year(first, name, first).astimezone(UTC)
    # What fires goes on from the later of its own time and the clock's.
    seen = max(due + jump, due)
    assert rules.next_year(first, name, seen) == rules.next_year(first, name, due)
    assert rules.next_year(first, name, seen) > due
