"""T9's stories: what goes on while a process dies, and how to look at what became of it.

Each story returns how to look: a function that counts what was lost, doubled or is stuck by now.
"""

import contextlib
import json
import sqlite3
import time
import uuid
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pika

from crmkit.local.stack import LocalStack
from crmkit.testing import eventually
from tests.chaos import points
from tests.chaos.checker import ORDER_SUBMITTED, Checker, Databases, Erp, Findings, converge
from tests.chaos.driving import PATIENCE_SECONDS, TO_BE_REPEATED, Answer, Driver
from tests.chaos.faults import Ctl
from tests.talking import Api, Json, email_of

SETTLE_SECONDS = 60.0
ORDER_QUEUE = "evt-sales-order.submitted.v1--customers.on_order_submitted"
SENT = ("sent", "delivered")


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
