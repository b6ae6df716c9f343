"""T9: a process dies at each point where it makes something durable or lets something out.

Before and after every commit, publish, confirm, mark, reply, acknowledgement and sending, in every
role, once each. Not among them: the one-shots (migrate, seed) and the hourly deletion of old rows.
"""

import contextlib
import sys
import threading
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from crmkit.local.stack import LocalStack
from crmkit.local.supervisor import StartFailed
from crmkit.testing import eventually
from tests.chaos import points
from tests.chaos.checker import Checker, Databases, Erp, Findings, converge
from tests.chaos.conftest import environment
from tests.chaos.driving import Driver, token_of
from tests.chaos.faults import Ctl, everything_ready
from tests.chaos.stories import SETTLE_SECONDS, STORIES, World
from tests.talking import Api, Json

MOST_TIMES = 5


def around(*steps: str) -> list[str]:
    """The moments before and after each step."""
    return [f"{when} {step}" for step in steps for when in ("before", "after")]


def sending(lane: str) -> list[str]:
    """The moments of the sender while it sends what waits in a lane."""
    return around(
        f"commit of claim of {lane}",
        f"commit of renewal of {lane}",
        f"journal's begin of {lane}",
        f"send of {lane}",
        f"journal's end of {lane}",
        f"commit of outcome of {lane}",
        f"journal's clear of {lane}",
    )


MOMENTS: dict[tuple[str, str], list[str]] = {
    ("order", "gateway"): around("request", "reading of reply"),
    ("order", "sales"): around("commit of command", "reply", "ack of command"),
    ("order", "relay"): around("batch", "publish", "note of confirm", "mark"),
    ("order", "customers"): around("commit of events", "ack of event"),
    ("order", "notifications"): around("commit of events", "ack of event"),
    ("order", "sender"): sending("email"),
    ("order of a dead sender", "sender"): around("commit of healed batch"),
    ("order that comes again", "customers"): around(
        "commit of event set aside",
        "ack of event set aside",
        "commit of claim of retry",
        "commit of retried event",
    ),
    ("order whose handler fails", "customers"): around("commit of failure"),
    ("order that fails with others", "customers"): around(
        "commit of event alone", "ack of event alone"
    ),
    ("reminder", "notifications"): around("commit of timer"),
    ("reminder that fails", "notifications"): around(
        "commit of postponed timer", "commit of counted timer"
    ),
    ("campaign by mail", "marketing"): around("commit of command", "commit of timer"),
    ("campaign by mail", "sender"): sending("marketing_email"),
    ("campaign by text", "sender"): [
        *sending("marketing_sms"),
        *around("commit of receipt", "commit of word of receipts"),
    ],
    ("login", "gateway"): around("commit of command"),
    ("new colleague", "gateway"): around("commit of command"),
    ("poison", "customers"): around("reject of event"),
    ("poison", "relay"): around("note of parked message", "ack of parked message"),
    ("event nobody knows", "relay"): around("postponement"),
    ("message of a lost machine", "sender"): around("commit of expired lease"),
    ("old receipts", "sender"): around("commit of forgotten receipts"),
}


SLICE = {
    ("gateway", "before reading of reply"),
    ("sales", "after commit of command"),
    ("relay", "before note of confirm"),
    ("relay", "before ack of parked message"),
    ("customers", "after commit of events"),
    ("customers", "after commit of claim of retry"),
    ("customers", "before commit of failure"),
    ("notifications", "before commit of events"),
    ("notifications", "after commit of timer"),
    ("sender", "after send of email"),
    ("sender", "after send of marketing_email"),
    ("sender", "after send of marketing_sms"),
    ("marketing", "before commit of timer"),
}


@dataclass(frozen=True, slots=True)
class Point:
    """Who dies when, and what goes on meanwhile."""

    story: str
    role: str
    moment: str

    def __str__(self) -> str:
        return f"{self.story}: {self.role} {self.moment}"

    def reached(self, folder: Path) -> bool:
        """Whether somebody has died there, and is gone."""
        pid = points.granted_by(folder, self.role, self.moment)
        return pid is not None and not Path(f"/proc/{pid}").exists()


POINTS = [
    Point(story, role, moment) for (story, role), moments in MOMENTS.items() for moment in moments
]


def slice_of_each_story() -> list[list[Point]]:
    """Where most could be lost or doubled: what was done is not noted yet. A story's at once."""
    of_story = {story: [point for point in POINTS if point.story == story] for story in STORIES}
    return [
        chosen
        for found in of_story.values()
        if (chosen := [point for point in found if (point.role, point.moment) in SLICE])
    ]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A Rapport whose processes die at the wished points."""
    folder = tmp_path_factory.mktemp("points")
    stack = LocalStack(
        tmp_path_factory.mktemp("crashing"),
        seed_customers=1,
        inherited=environment(**{points.FOLDER: str(folder)}),
        crm=(sys.executable, "-m", "tests.chaos.faulty"),
    )
    try:
        stack.start()
        yield from _inhabited(stack, folder)
    finally:
        stack.stop(drain_seconds=5)


def _inhabited(stack: LocalStack, folder: Path) -> Iterator[World]:
    run = stack.addresses()
    with (
        contextlib.closing(Databases(stack)) as databases,
        contextlib.closing(Checker(stack)) as checker,
        Api(stack.base_url) as api,
        Erp(run["amqp_url"]) as erp,
    ):
        staff_id = api.log_in(run["email"], run["password"])["staff"]["id"]
        tag = f"crowd-{uuid.uuid4().hex[:8]}"
        for number in range(2):
            _one_of_the_crowd(api, tag, number)
        eventually(lambda: _known(databases, "marketing", 3) and erp.attached.is_set(), seconds=30)
        with Driver(stack.base_url, token_of(api), timeout_seconds=8) as driver:
            yield World(
                stack,
                folder,
                driver,
                databases,
                checker,
                erp,
                Ctl(stack),
                api.read("/v1/teams")["items"][0]["id"],
                staff_id,
                tag,
                lambda: _fresh(api, databases),
            )


def _one_of_the_crowd(api: Api, tag: str, number: int) -> None:
    consent = {"source": "test", "proof": "Said so.", "granted": True}
    api.new_customer(
        tags=[tag],
        language="en",
        contact_points=[
            {"kind": "email", "value": f"{tag}-{number}@customers.example"},
            {"kind": "phone", "value": f"010-9876-54{10 + number}"},
        ],
        consents=[{"channel": "email", **consent}, {"channel": "sms", **consent}],
    )


def _known(databases: Databases, owner: str, least: int) -> bool:
    return databases.number(owner, "select count(*) from customer") >= least


def _fresh(api: Api, databases: Databases) -> Json:
    """A customer of whom sales and notifications have heard."""
    customer = api.new_customer()
    count = "select count(*) from customer where id = %s"
    for owner in ("sales", "notifications"):
        eventually(lambda o=owner: databases.number(o, count, customer["id"]), seconds=90)
    return customer


@contextlib.contextmanager
def revived(stack: LocalStack, roles: set[str]) -> Iterator[None]:
    """Start who died at once: the pauses of the supervisor are for processes that cannot start."""
    over = threading.Event()

    def look_after() -> None:
        while not over.wait(0.05):
            for role in roles:
                if stack.process(role).pid is None:
                    with contextlib.suppress(StartFailed):
                        stack.supervisor.start_process(role, timeout_seconds=0.1)

    thread = threading.Thread(target=look_after, name="reviver", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def die_at(world: World, wished: list[Point]) -> Findings:
    """What came of the story in which processes died at these points, all of which were reached.

    The story is told again when it ended before all of them were: who dies before a note may find
    at its restart that nothing is left to be noted.
    """
    everything_ready(world.stack)
    world.customers += [world.new_customer() for _ in range(MOST_TIMES - len(world.customers))]
    world.crashes.clear()
    for point in wished:
        points.wish(world.folder, point.role, point.moment)
        world.crashes[point.role] += 1
    with revived(world.stack, set(world.stack.names())):
        for _ in range(MOST_TIMES):
            look = STORIES[wished[0].story](world)
            findings = converge(look, seconds=SETTLE_SECONDS)
            missed = [point for point in wished if not point.reached(world.folder)]
            if not (findings.clean and missed):
                break
        everything_ready(world.stack)
    assert not missed, f"Nobody came by {[str(point) for point in missed]}. {findings}"
    return converge(look, seconds=SETTLE_SECONDS)


@pytest.mark.parametrize("wished", slice_of_each_story(), ids=lambda wished: wished[0].story)
def test_dying_before_it_is_noted_loses_and_doubles_nothing(
    wished: list[Point], world: World
) -> None:
    findings = die_at(world, wished)
    assert findings.clean, str(findings)


@pytest.fixture(scope="module")
def tried() -> dict[str, Findings]:
    """What came of each point that was tried alone."""
    return {}


@pytest.mark.chaos
@pytest.mark.parametrize("point", POINTS, ids=str)
def test_dying_at_it_loses_and_doubles_nothing(
    point: Point, world: World, tried: dict[str, Findings]
) -> None:
    findings = die_at(world, [point])
    tried[str(point)] = findings
    assert findings.clean, str(findings)


@pytest.mark.chaos
def test_every_point_was_tried(tried: dict[str, Findings], note: Callable[..., None]) -> None:
    if not tried:
        pytest.skip("Counts what the others did.")
    sums: Counter[str] = Counter()
    for findings in tried.values():
        sums.update(findings.numbers())
    slowest = max(findings.converged_seconds for findings in tried.values())
    numbers = {**sums, "converged_seconds": round(slowest, 1)}
    note("T9", points=len(POINTS), crashed_at=len(tried), **numbers)
    assert len(tried) == len(POINTS)
    assert all(findings.clean for findings in tried.values())
