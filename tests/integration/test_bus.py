"""The bus as processes meet it: poison, forgery, duplicates, events that come too early or late."""

import time
import uuid
from collections import Counter
from typing import Any

import pika
import psycopg
import pytest

from crmkit import catalog, codec, topology
from crmkit.dsn import dsn
from crmkit.local.stack import LocalStack
from crmkit.testing import eventually
from tests.talking import Api, Json

ORDER_QUEUE = "evt-sales-order.submitted.v1--customers.on_order_submitted"
# The broker ends the connection of whoever replies to this, as to a caller whose node has died.
GONE = "amq.rabbitmq.reply-to.g1h1AA==.x"
# A reply that is lost is waited for five seconds.
REPLY_WITHIN_SECONDS = 4.0
STRANGE_BODIES = [
    b"",
    b"\xff\xfe",
    b"nonsense",
    b"[]",
    b"null",
    b"5",
    b'"text"',
    b"{}",
    b'{"args": [], "kwargs": 5}',
    b'{"kwargs": {"customer_id": {}}}',
    b'{"id": 1, "type": null}',
    b"[" * 5000,
]
STRANGE_HEADERS: list[dict[str, Any]] = [
    {},
    {"nameko.call_id_stack": 5},
    {"nameko.actor": 5, "nameko.deadline": "soon"},
    {"nameko.actor": '{"id": 1}', "crm-raw": "x"},
]


PARKED = "select queue, count(*) from parked_message where status = 'parked' group by queue"


def parked(stack: LocalStack) -> Counter[str]:
    """How many messages of each queue nobody could read."""
    found: Counter[str] = Counter()
    for owner in catalog.services():
        with psycopg.connect(dsn(stack.env()[f"{owner.upper()}_DATABASE_URL"])) as database:
            found.update(dict(database.execute(PARKED).fetchall()))
    return found


def handling(stack: LocalStack, owner: str, event_id: str) -> str | None:
    """What the owner's inbox says of an event."""
    query = "select status from inbox where event_id = %s"
    with psycopg.connect(dsn(stack.env()[f"{owner.upper()}_DATABASE_URL"])) as database:
        row = database.execute(query, (event_id,)).fetchone()
    return row and str(row[0])


def stage(api: Api, customer: Json) -> Any:
    return api.read(f"/v1/customers/{customer['id']}")["lifecycle_stage"]


class TestPoison:
    def test_strange_commands_are_refused_and_stop_nothing(
        self, stack: LocalStack, api: Api, acting: Any
    ) -> None:
        pid = stack.process("customers").pid
        gateway = acting("gateway")
        for body in STRANGE_BODIES:
            for headers in STRANGE_HEADERS:
                for reply_to in (None, "amq.rabbitmq.reply-to.nobody", str(uuid.uuid4())):
                    gateway.publish(
                        topology.RPC_EXCHANGE,
                        "customers.get_customer",
                        body,
                        headers=headers,
                        reply_to=reply_to,
                    )
        gateway.publish(
            topology.RPC_EXCHANGE, "customers.get_customer", b"x", content_type="application/pickle"
        )
        gateway.publish(topology.RPC_EXCHANGE, "customers.no_such_thing", b"{}", reply_to="x")
        api.new_customer()
        assert stack.process("customers").pid == pid

    def test_a_caller_that_has_gone_costs_no_other_its_reply(
        self, stack: LocalStack, api: Api, acting: Any
    ) -> None:
        gateway, slowest = acting("gateway"), 0.0
        for _ in range(100):
            gateway.publish(topology.RPC_EXCHANGE, "customers.get_customer", b"{}", reply_to=GONE)
            began = time.monotonic()
            api.read("/v1/customers")
            slowest = max(slowest, time.monotonic() - began)
        assert slowest < REPLY_WITHIN_SECONDS

    def test_strange_events_are_parked_whoever_handles_them(
        self, stack: LocalStack, acting: Any
    ) -> None:
        handlers = [(s, h, e) for s in catalog.services() for h, e in topology.subscriptions_of(s)]
        before, pids = parked(stack), {s: stack.process(s).pid for s in catalog.services()}
        for owner in catalog.owners():
            announcing = acting(owner)
            for key in {e.routing_key for _, _, e in handlers if e.owner == owner}:
                for number, body in enumerate(STRANGE_BODIES):
                    headers = STRANGE_HEADERS[number % len(STRANGE_HEADERS)]
                    announcing.publish(topology.events_exchange(owner), key, body, headers=headers)
        strange = {topology.event_queue(e, s, h): len(STRANGE_BODIES) for s, h, e in handlers}

        def all_parked() -> bool:
            new = parked(stack) - before
            assert {queue: new[queue] for queue in strange} == strange
            return True

        eventually(all_parked, seconds=180, pause=0.5)
        assert {s: stack.process(s).pid for s in catalog.services()} == pids


class TestForgery:
    def test_a_service_cannot_call_another(self, acting: Any) -> None:
        marketing = acting("marketing")
        marketing.channel.confirm_delivery()
        with pytest.raises(pika.exceptions.ChannelClosedByBroker, match="ACCESS_REFUSED"):
            marketing.publish(topology.RPC_EXCHANGE, "customers.get_customer", b"{}", reply_to="x")

    def test_a_service_cannot_bear_anothers_name(self, acting: Any, api: Api) -> None:
        marketing = acting("marketing")
        body = marketing.order(api.new_customer()["id"])
        marketing.channel.confirm_delivery()
        with pytest.raises(pika.exceptions.ChannelClosedByBroker, match="user_id"):
            marketing.publish("", ORDER_QUEUE, body, user_id="sales")

    def test_an_event_from_anybody_but_its_owner_has_no_effect(self, acting: Any, api: Api) -> None:
        customer = api.new_customer()
        marketing, sales = acting("marketing"), acting("sales")
        marketing.publish("", ORDER_QUEUE, marketing.order(customer["id"]))
        other = api.new_customer()
        sales.publish("sales.events", "order.submitted.v1", sales.order(other["id"]))
        eventually(lambda: stage(api, other) == "first_buyer")
        assert stage(api, customer) == "suspect"


class TestDelivery:
    def test_an_event_that_comes_twice_has_one_effect(self, acting: Any, api: Api) -> None:
        customer = api.new_customer()
        sales = acting("sales")
        body = sales.order(customer["id"], event_id=str(uuid.uuid4()))
        for _ in range(5):
            sales.publish("sales.events", "order.submitted.v1", body)
        eventually(lambda: stage(api, customer) == "first_buyer")
        marker = api.new_customer()
        sales.publish("sales.events", "order.submitted.v1", sales.order(marker["id"]))
        eventually(lambda: stage(api, marker) == "first_buyer")
        assert stage(api, customer) == "first_buyer"

    def test_an_event_that_comes_before_what_it_is_about_waits_for_it(
        self, acting: Any, api: Api, stack: LocalStack
    ) -> None:
        identity, event_id = str(uuid.uuid4()), str(uuid.uuid4())
        sales = acting("sales")
        body = sales.order(identity, event_id=event_id)
        sales.publish("sales.events", "order.submitted.v1", body)
        eventually(lambda: handling(stack, "customers", event_id) == "failed")
        customer = api.new_customer(id=identity)
        eventually(lambda: stage(api, customer) == "first_buyer", seconds=90)


class TestRelay:
    def test_a_row_that_commits_late_is_not_passed_over(self, stack: LocalStack) -> None:
        address = dsn(stack.env()["CUSTOMERS_DATABASE_URL"])
        insert = (
            "insert into outbox (event_id, type, aggregate_id, aggregate_version, payload, context,"
            " created_at) values (gen_random_uuid(), 'crm.customers.customer.lifecycle_changed.v1',"
            " gen_random_uuid(), 1, %s, '{}', now()) returning id"
        )
        facts = codec.dumps(
            {"customer_id": uuid.uuid4(), "from_stage": "a", "to_stage": "b", "cause": "test"}
        ).decode()

        def published(database: "psycopg.Connection[Any]", identity: int) -> bool:
            query = "select published_at is not null from outbox where id = %s"
            row = database.execute(query, (identity,)).fetchone()
            return bool(row and row[0])

        with (
            psycopg.connect(address) as late,
            psycopg.connect(address) as early,
            psycopg.connect(address, autocommit=True) as watch,
        ):
            late.execute("set idle_in_transaction_session_timeout = 0")
            lower = late.execute(insert, (facts,)).fetchone()
            higher = early.execute(insert, (facts,)).fetchone()
            assert lower
            assert higher
            assert lower[0] < higher[0]
            early.commit()
            eventually(lambda: published(watch, higher[0]))
            late.commit()
            eventually(lambda: published(watch, lower[0]))
