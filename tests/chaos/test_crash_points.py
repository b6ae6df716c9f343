"""T9: a process dies at each point where it makes something durable or lets something out.

Before and after every commit, publish, confirm, mark, reply, acknowledgement and sending, in every
role, once each. Not among them: the one-shots (migrate, seed) and the hourly deletion of old rows.
"""

import contextlib
import json
import sqlite3
import sys
import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pika
import pytest

from crmkit.local.stack import LocalStack
from crmkit.local.supervisor import StartFailed
from crmkit.testing import eventually
from tests.chaos import points
from tests.chaos.checker import ORDER_SUBMITTED, Checker, Databases, Erp, Findings, converge
from tests.chaos.conftest import environment
from tests.chaos.driving import PATIENCE_SECONDS, TO_BE_REPEATED, Answer, Driver, token_of
from tests.chaos.faults import Ctl, everything_ready
from tests.talking import Api, Json, email_of

SETTLE_SECONDS = 60.0
MOST_TIMES = 5
ORDER_QUEUE = "evt-sales-order.submitted.v1--customers.on_order_submitted"
SENT = ("sent", "delivered")


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
    ("reminder that fails", "notifications"): around("commit of postponed timer"),
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


@dataclass
class World:
    """The stack with its points, and what the stories need of it."""

    stack: LocalStack
    folder: Path
    driver: Driver
    databases: Databases
    checker: Checker
    erp: Erp
    ctl: Ctl
    team_id: str
    staff_id: str
    tag: str
    new_customer: Callable[[], Json]
    customers: list[Json] = field(default_factory=list)
    crashes: Counter[str] = field(default_factory=Counter)

    def insist(self, path: str, body: Json) -> Json:
        """The answer to a POST that is repeated under one key until it is had."""
        key, end = str(uuid.uuid4()), time.monotonic() + PATIENCE_SECONDS
        while True:
            answer: Answer = self.driver.ask("POST", path, body, Idempotency_Key=key)
            if answer.status in (200, 201):
                return answer.json
            again = answer.status == 0 or answer.status in TO_BE_REPEATED
            assert again, f"{path}: {answer.status} {answer.body!r}"
            assert time.monotonic() < end, f"{path}: {answer.status} {answer.body!r}"
            time.sleep(0.1)

    def caught(self, file: str, query: str, *values: str) -> list[Any]:
        """The first column of a query on what was caught of mails or texts."""
        path = self.stack.installation.path(file)
        with contextlib.closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as store:
            return [row[0] for row in store.execute(query, values)]

    def mails(self, address: str, about: str = "") -> Counter[str]:
        """How often each message came to an address, by its id in the ledger."""
        query = (
            "select json_extract(document, '$.message_id') from message where recipients like ?"
            " and json_extract(document, '$.subject') like ?"
        )
        found = self.caught("mails.sqlite", query, f"%{address}%", f"%{about}%")
        return Counter(str(one).strip("<>").split("@")[0] for one in found)


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


# What goes on meanwhile. Each returns how to look at what became of it.

Look = Callable[[], Findings]


def order(world: World) -> Look:
    customer = world.customers.pop()
    title = f"crash {uuid.uuid4()}"
    amount = {"amount": "7", "currency": "USD"}
    body = {"customer_id": customer["id"], "title": title, "amount": amount}
    opportunity = world.insist("/v1/opportunities", body)["id"]
    won = world.insist(f"/v1/opportunities/{opportunity}/actions/win", {})["order_id"]

    def look() -> Findings:
        findings = world.checker.orders(title, {opportunity: won}, world.erp, [customer["id"]])
        mails = world.mails(email_of(customer))
        findings.lost.update(mail=0 if mails else 1)
        findings.duplicated.update(
            mail=max(0, len(mails) - 1),
            # A sender that dies before its note repeats a confirmation, under the same id.
            repeated=max(0, mails.total() - len(mails) - world.crashes["sender"]),
        )
        return _plain(findings)

    return look


def order_of_a_dead_sender(world: World) -> Look:
    points.wish(world.folder, "sender", "after send of email")
    world.crashes["sender"] += 1
    return order(world)


def order_that_comes_again(world: World) -> Look:
    points.wish(world.folder, "customers", "before commit of events")
    return order(world)


def order_whose_handler_fails(world: World) -> Look:
    points.wish(world.folder, "customers", f"failure of {ORDER_SUBMITTED}")
    return order(world)


def order_that_fails_with_others(world: World) -> Look:
    points.wish(world.folder, "customers", f"failure together of {ORDER_SUBMITTED}")
    return order(world)


def reminder(world: World) -> Look:
    body = {"kind": "follow_up", "title": f"crash {uuid.uuid4()}", "owner_id": world.staff_id}
    made = world.insist("/v1/reminders", body | {"due_at": _in(0)})["id"]

    def look() -> Findings:
        findings = Findings(stuck=world.checker.stuck())
        ((status, timers, items, events),) = world.databases.rows(
            "notifications",
            "select status, (select count(*) from timer where key = r.id::text),"
            " (select count(*) from inbox_item i where i.reminder_id = r.id),"
            " (select count(*) from outbox o where o.aggregate_id = r.id"
            "  and o.type = 'crm.notifications.reminder.fired.v1') from reminder r where id = %s",
            made,
        )
        mails = world.mails(f"{world.stack.addresses()['email']}", body["title"])
        findings.lost.update(fired=int(status != "fired"), item=max(0, 1 - items))
        findings.lost.update(event=max(0, 1 - events), mail=int(not mails))
        findings.duplicated.update(item=max(0, items - 1), event=max(0, events - 1))
        findings.duplicated.update(mail=max(0, mails.total() - 1))
        findings.stuck.update(timers=timers)
        return _plain(findings)

    return look


def reminder_that_fails(world: World) -> Look:
    points.wish(world.folder, "notifications", "failure of timer reminder")
    return reminder(world)


def campaign_by(channel: str, lane: str) -> Callable[[World], Look]:
    """A campaign to the crowd."""

    def story(world: World) -> Look:
        title = f"Crash {uuid.uuid4()}"
        text = {"language": "en", "subject": title, "email_body": "Hi.", "sms_body": title}
        asked = {"name": title, "channels": [channel], "audience": {"tags": [world.tag]}}
        asked |= {"default_language": "en", "contents": [text]}
        campaign = world.insist("/v1/campaigns", asked)["id"]
        world.insist(f"/v1/campaigns/{campaign}/actions/launch", {})
        return lambda: _campaign(world, campaign, title, lane)

    return story


def _campaign(world: World, campaign: str, title: str, lane: str) -> Findings:
    findings = Findings(stuck=world.checker.stuck())
    ledger = world.databases.rows(
        "notifications",
        "select id::text, address, status from message where campaign_id = %s and lane = %s",
        campaign,
        lane,
    )
    ((status,),) = world.databases.rows(
        "marketing", "select status from campaign where id = %s", campaign
    )
    findings.lost.update(recipients=2 - len(ledger), completed=int(status != "completed"))
    for _, address, state in ledger:
        arrived = _arrived(world, lane, address, title)
        findings.duplicated.update(messages=max(0, arrived - 1))
        findings.lost.update(messages=int(state in SENT and not arrived))
        findings.stuck.update(messages=int(state not in (*SENT, "unknown")))
    unknown = sum(state == "unknown" for *_, state in ledger)
    findings.lost.update(known=max(0, unknown - world.crashes["sender"]))
    return _plain(findings)


def _arrived(world: World, lane: str, address: str, title: str) -> int:
    if lane.endswith("email"):
        return world.mails(address, title).total()
    query = (
        "select 1 from message where json_extract(document, '$.to') = ?"
        " and json_extract(document, '$.text') = ?"
    )
    return len(world.caught("sms.sqlite", query, address.lstrip("+"), title))


def login(world: World) -> Look:
    run = world.stack.addresses()
    began = _in(0)

    def log_in() -> bool:
        with contextlib.suppress(OSError, AssertionError), Api(world.stack.base_url) as api:
            try:
                return bool(api.log_in(run["email"], run["password"]))
            except Exception as broken:  # noqa: BLE001 - the connection of a process that died
                raise AssertionError(repr(broken)) from None
        return False

    eventually(log_in, seconds=30)

    def look() -> Findings:
        ((sessions, noted),) = world.databases.rows(
            "gateway",
            "select (select count(*) from login_session where created_at >= %s),"
            " (select count(*) from audit_entry where action = 'login.succeeded' and at >= %s)",
            began,
            began,
        )
        findings = Findings(stuck=world.checker.stuck())
        # One that was opened for an answer that never left is nobody's, and runs out.
        findings.unexpected.update(sessions=max(0, sessions - 1 - world.crashes["gateway"]))
        findings.lost.update(sessions=int(not sessions), notes=max(0, sessions - noted))
        return _plain(findings)

    return look


def new_colleague(world: World) -> Look:
    address = f"{uuid.uuid4().hex[:10]}@rapport.example"
    body = {"name": "Kim", "email": address, "team_id": world.team_id, "roles": ["sales"]}
    identity = world.insist("/v1/staff", body)["id"]

    def look() -> Findings:
        findings = Findings(stuck=world.checker.stuck())
        number = world.databases.number
        rows = number("gateway", "select count(*) from staff where email = %s", address)
        events = "select count(*) from outbox where aggregate_id = %s"
        announced = number("gateway", events, identity)
        heard = number("notifications", "select count(*) from colleague where id = %s", identity)
        findings.lost.update(row=int(not rows), event=int(not announced), copy=int(not heard))
        findings.duplicated.update(row=max(0, rows - 1), event=max(0, announced - 1))
        return _plain(findings)

    return look


def poison(world: World) -> Look:
    uri, body = world.stack.env()["SALES_AMQP_URI"], f"nonsense {uuid.uuid4()}".encode()
    with pika.BlockingConnection(pika.URLParameters(uri)) as connection:
        properties = pika.BasicProperties(user_id="sales", delivery_mode=2)
        connection.channel().basic_publish("", ORDER_QUEUE, body, properties)

    def look() -> Findings:
        queues = world.ctl.queues()
        query = "select count(*) from parked_message where status = 'parked' and body = %s"
        parked = world.databases.number("customers", query, body)
        findings = Findings(stuck=world.checker.stuck())
        findings.stuck.update(queue=sum(queues[ORDER_QUEUE]), parking=sum(queues["crm.parking"]))
        findings.lost.update(parked=max(0, 1 - parked))
        findings.duplicated.update(parked=max(0, parked - 1))
        return _plain(findings)

    return look


def event_nobody_knows(world: World) -> Look:
    ((row,),) = world.databases.rows(
        "sales",
        "insert into outbox (event_id, type, aggregate_id, aggregate_version, payload, context,"
        " created_at) values (%s, 'crm.sales.thing.unheard_of.v1', %s, 1, '{}', '{}', now())"
        " returning id",
        uuid.uuid4(),
        uuid.uuid4(),
    )
    look_at_order = order(world)
    put_off = "select attempts from outbox where id = %s and published_at is null"
    eventually(lambda: world.databases.number("sales", put_off, row), seconds=30)
    world.databases.rows("sales", "delete from outbox where id = %s returning 1", row)
    return look_at_order


def message_of_a_lost_machine(world: World) -> Look:
    look_at_order = order(world)
    findings = converge(look_at_order, seconds=SETTLE_SECONDS)
    assert findings.clean, str(findings)
    identity = uuid.uuid4()
    changes = {
        "id": str(identity),
        "dedupe_key": f"lost:{identity}",
        "status": "sending",
        "lease_until": _in(-1),
        "claimed_by": str(uuid.uuid4()),
        "event_number": 0,
        "sent_at": None,
    }
    ((address,),) = world.databases.rows(
        "notifications",
        "insert into message select (jsonb_populate_record(null::message,"
        " to_jsonb(m) || %s::jsonb)).* from message m where status = 'sent' and lane = 'email'"
        " order by created_at desc limit 1 returning address",
        json.dumps(changes),
    )

    def look() -> Findings:
        found = Findings(stuck=world.checker.stuck())
        arrived = world.mails(address)[str(identity)]
        found.lost.update(mail=max(0, 1 - arrived))
        found.duplicated.update(mail=max(0, arrived - 1 - world.crashes["sender"]))
        return _plain(found)

    return look


def old_receipts(world: World) -> Look:
    world.databases.rows(
        "notifications",
        "insert into receipt (id, provider_id, state, received_at)"
        " values (%s, 'gone', 'delivered', now() - interval '9 days') returning 1",
        uuid.uuid4(),
    )
    with contextlib.suppress(ProcessLookupError):
        world.stack.kill("sender")

    def look() -> Findings:
        findings = Findings(stuck=world.checker.stuck())
        findings.stuck.update(
            receipts=world.databases.number(
                "notifications", "select count(*) from receipt where provider_id = 'gone'"
            )
        )
        return _plain(findings)

    return look


STORIES: dict[str, Callable[[World], Look]] = {
    "order": order,
    "order of a dead sender": order_of_a_dead_sender,
    "order that comes again": order_that_comes_again,
    "order whose handler fails": order_whose_handler_fails,
    "order that fails with others": order_that_fails_with_others,
    "reminder": reminder,
    "reminder that fails": reminder_that_fails,
    "campaign by mail": campaign_by("email", "marketing_email"),
    "campaign by text": campaign_by("sms", "marketing_sms"),
    "login": login,
    "new colleague": new_colleague,
    "poison": poison,
    "event nobody knows": event_nobody_knows,
    "message of a lost machine": message_of_a_lost_machine,
    "old receipts": old_receipts,
}


def _plain(findings: Findings) -> Findings:
    """Without the counters that are zero."""
    for name in ("lost", "duplicated", "unexpected", "stuck"):
        setattr(findings, name, +getattr(findings, name))
    return findings


def _in(seconds: float) -> str:
    return (datetime.now(UTC) + timedelta(seconds=seconds)).isoformat()


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
