"""What nobody could do, as an operator meets it: over HTTP and on the command line."""

import json
import subprocess
import sys
import urllib.request
import uuid
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from crmkit import codec, topology
from crmkit.dsn import dsn
from crmkit.local.stack import LocalStack
from crmkit.testing import eventually
from tests.talking import Api, Json

ORDER_QUEUE = "evt-sales-order.submitted.v1--customers.on_order_submitted"
HANDLER = "customers.on_order_submitted"


@pytest.fixture
def database(stack: LocalStack) -> Iterator[Any]:
    """A connection to an owner's database."""
    opened: list[psycopg.Connection[Any]] = []

    def connect(owner: str) -> psycopg.Connection[Any]:
        address = dsn(stack.env()[f"{owner.upper()}_DATABASE_URL"])
        opened.append(psycopg.connect(address, autocommit=True))
        return opened[-1]

    yield connect
    for one in opened:
        one.close()


def parked(api: Api, **filters: str) -> list[Json]:
    query = {f"filter[{name}]": value for name, value in filters.items()}
    items: list[Json] = api.read("/v1/ops/parked", **query)["items"]
    return items


def the_one(api: Api, **filters: str) -> Json:
    def probe() -> Json:
        (item,) = parked(api, **filters) or [{}]
        return item

    return eventually(probe)


def act(api: Api, item: Json, verb: str, **more: str) -> Any:
    path = f"/v1/ops/parked/{item['id']}/actions/{verb}"
    return api.answer("POST", path, {"owner": item["owner"], **more})


def stage(api: Api, customer: Json) -> Any:
    return api.read(f"/v1/customers/{customer['id']}")["lifecycle_stage"]


def handled(database: Any, event_id: str) -> Any:
    return (
        database("customers")
        .execute("select status from inbox where event_id = %s", (event_id,))
        .fetchall()
    )


class TestMessages:
    def test_that_cannot_be_read_are_listed_refused_and_given_up(
        self, api: Api, acting: Any
    ) -> None:
        subject = f"order/{uuid.uuid4()}"
        body = codec.dumps({"subject": subject})
        for _ in range(3):  # As it comes again when the relay dies before it acknowledges.
            acting("sales").publish("sales.events", "order.submitted.v1", body)
        item = the_one(api, subject=subject, owner="customers")
        assert (item["kind"], item["handler"]) == ("message", HANDLER)
        assert "Not a CloudEvent of ours" in item["error"]
        assert act(api, item, "replay").json()["code"] == "not_replayable"
        assert act(api, item, "discard").status_code == 422
        assert act(api, item, "discard", reason="A test made it.").status_code == 200
        assert parked(api, subject=subject, owner="customers") == []
        audited = api.read("/v1/audit-entries", **{"filter[subject]": f"parked/{item['id']}"})
        assert [entry["action"] for entry in audited["items"]] == [
            "parked.discard",
            "parked.replay",
        ]
        assert audited["items"][0]["details"]["reason"] == "A test made it."

    def test_that_were_forged_have_no_effect_when_replayed(self, api: Api, acting: Any) -> None:
        customer = api.new_customer()
        event_id = str(uuid.uuid4())
        marketing = acting("marketing")
        marketing.publish("", ORDER_QUEUE, marketing.order(customer["id"], event_id=event_id))
        item = the_one(api, event_id=event_id)
        assert item["error"].endswith("Not sent by sales.")
        assert act(api, item, "replay").status_code == 409
        assert stage(api, customer) == "suspect"

    def test_that_the_handler_can_read_now_take_effect_once(
        self, api: Api, acting: Any, database: Any
    ) -> None:
        customer = api.new_customer()
        event_id = str(uuid.uuid4())
        sales = acting("sales")
        body = sales.order(customer["id"], event_id=event_id)
        # As the broker parks an event that was delivered too often.
        death = {"queue": ORDER_QUEUE, "reason": "delivery_limit", "exchange": "sales.events"}
        sales.publish("", topology.PARKING, body, headers={"x-death": [death]})
        item = the_one(api, event_id=event_id)
        assert act(api, item, "replay").status_code == 200
        eventually(lambda: stage(api, customer) == "first_buyer")
        assert act(api, item, "replay").status_code == 404
        sales.publish("sales.events", "order.submitted.v1", body)
        marker = api.new_customer()
        sales.publish("sales.events", "order.submitted.v1", sales.order(marker["id"]))
        eventually(lambda: stage(api, marker) == "first_buyer")
        assert stage(api, customer) == "first_buyer"
        assert handled(database, event_id) == [("done",)]

    def test_that_are_for_nobody_are_their_senders(self, api: Api, acting: Any) -> None:
        subject = f"order/{uuid.uuid4()}"
        acting("sales").publish("sales.events", "order.eaten.v1", codec.dumps({"subject": subject}))
        item = the_one(api, subject=subject)
        assert (item["kind"], item["owner"], item["handler"]) == ("unrouted", "sales", None)
        assert act(api, item, "discard", reason="A test made it.").status_code == 200


class TestEvents:
    def park(self, database: Any, body: bytes, event_id: str) -> None:
        database("customers").execute(
            "insert into inbox (consumer, event_id, status, attempts, error, body)"
            " values (%s, %s, 'parked', 8, 'customer_not_found: No.', %s)",
            (HANDLER, event_id, body.decode()),
        )

    def test_are_done_once_under_the_same_key_and_under_another(
        self, api: Api, acting: Any, database: Any
    ) -> None:
        customer = api.new_customer()
        event_id = str(uuid.uuid4())
        self.park(database, acting("sales").order(customer["id"], event_id=event_id), event_id)
        item = the_one(api, event_id=event_id)
        path = f"/v1/ops/parked/{item['id']}/actions/replay"
        key = str(uuid.uuid4())
        first, again = (
            api.answer("POST", path, {"owner": "customers"}, Idempotency_Key=key) for _ in range(2)
        )
        assert (first.status_code, again.status_code) == (200, 200)
        assert again.headers["idempotent-replayed"] == "true"
        assert act(api, item, "replay").status_code == 404
        eventually(lambda: stage(api, customer) == "first_buyer")
        assert handled(database, event_id) == [("done",)]

    def test_are_replayed_on_the_command_line(
        self, api: Api, acting: Any, database: Any, stack: LocalStack
    ) -> None:
        def crm_parked(*words: str) -> str:
            command = [sys.executable, "-m", "crmkit", "parked", *words]
            return subprocess.run(
                command, env=stack.env(), capture_output=True, text=True, check=True
            ).stdout

        customer = api.new_customer()
        event_id = str(uuid.uuid4())
        self.park(database, acting("sales").order(customer["id"], event_id=event_id), event_id)
        listed = [json.loads(line) for line in crm_parked("list").splitlines()]
        assert event_id in [item["event_id"] for item in listed]
        shown = json.loads(crm_parked("show", "customers", event_id))
        assert shown["body"]["data"]["customer_id"] == customer["id"]
        assert crm_parked("replay", "customers", event_id) == "1 of customers: replay\n"
        eventually(lambda: stage(api, customer) == "first_buyer")
        assert crm_parked("replay", "customers", event_id) == "0 of customers: replay\n"


class TestTimers:
    def test_that_are_dead_begin_anew(self, api: Api, database: Any) -> None:
        key = str(uuid.uuid4())
        notifications = database("notifications")
        notifications.execute(
            "insert into timer (kind, key, due_at, attempts, error, failed_at)"
            " values ('no_such_kind', %s, now(), 10, 'ValueError: x', now())",
            (key,),
        )
        item = the_one(api, subject=key)
        assert (item["kind"], item["handler"]) == ("timer", "notifications.no_such_kind")
        assert act(api, item, "replay").status_code == 200
        left = notifications.execute("select attempts from timer where key = %s", (key,))
        assert left.fetchall() == [(0,)]
        assert parked(api, subject=key) == []
        notifications.execute("delete from timer where key = %s", (key,))


class TestTheList:
    def test_pages_over_all_owners(self, api: Api, database: Any) -> None:
        for owner in ("customers", "sales", "gateway"):
            database(owner).execute(
                "insert into inbox (consumer, event_id, status, error)"
                " select %s || '.paged', gen_random_uuid(), 'parked', 'x'"
                " from generate_series(1, 3)",
                (owner,),
            )
        found: list[tuple[str, str]] = []
        cursor: Json = {}
        while True:
            page = api.read(
                "/v1/ops/parked", limit=2, sort="at", **{"filter[kind]": "event"}, **cursor
            )
            found += [(i["id"], i["owner"]) for i in page["items"] if ".paged" in i["handler"]]
            if page["page"]["next"] is None:
                break
            cursor = {"cursor": page["page"]["next"]}
        assert len(found) == len(set(found)) == 9
        for owner in ("customers", "sales", "gateway"):
            database(owner).execute("delete from inbox where consumer like %s", ("%.paged",))

    def test_is_for_operators_only(self, stack: LocalStack, api: Api) -> None:
        with Api(stack.base_url) as anybody:
            anybody.log_in(*_somebody(api, "sales"))
            assert anybody.get("/v1/ops/parked").status_code == 403
        with Api(stack.base_url) as operator:
            operator.log_in(*_somebody(api, "operator"))
            assert operator.get("/v1/ops/parked").status_code == 200
            assert operator.get("/v1/ops/parked?filter[nonsense]=1").status_code == 400

    def test_is_in_the_metrics_of_the_relay(self, stack: LocalStack, api: Api) -> None:
        port = stack.installation.port("health.relay")
        url = f"http://127.0.0.1:{port}/metrics"

        def told() -> bool:
            page = urllib.request.urlopen(url).read().decode()
            return 'crm_parked{kind="message",owner="customers"}' in page

        eventually(told)  # It counts some time after its start.


def _somebody(api: Api, role: str) -> tuple[str, str]:
    email, password = f"{uuid.uuid4().hex[:8]}@staff.example", "mountain river 83 stones"
    team_id = api.read("/v1/teams")["items"][0]["id"]
    api.create(
        "/v1/staff", email=email, name=role, password=password, roles=[role], team_id=team_id
    )
    return email, password
