"""T16: whatever is asked in whatever order, under faults, the answers are those of a plain dict."""

import sys
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from decimal import Decimal

import pytest
from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    get_state_machine_test,
    initialize,
    rule,
)

from crmkit.local.stack import LocalStack
from crmkit.local.supervisor import StartFailed
from crmkit.testing import eventually
from tests.chaos import faults
from tests.chaos.checker import Databases
from tests.chaos.driving import Answer, Driver, Json
from tests.talking import Api

STAGES = ("qualification", "proposal", "negotiation")
FAULTS = (
    ("kill", "customers"),
    ("kill", "sales"),
    ("kill", "service_desk"),
    ("kill", "relay"),
    ("terminate", "customers"),
    ("terminate", "sales"),
    ("terminate", "relay"),
    ("kill a worker of", "gateway"),
)
# A fault costs seconds, everything else milliseconds.
PEACE = (None,) * 40
PATIENCE_SECONDS = 60.0
# Not 500: no fault here excuses a bug.
NO_ANSWERS = (0, 429, 502, 503)


@dataclass
class Deal:
    """What the dict knows of an opportunity and of the order it became."""

    customer: str
    stage: str
    amount: int
    status: str = "open"
    order: str | None = None
    paid: int = 0


@dataclass
class World:
    """What a story is told to, what was done to it, and what it was answered, over all examples."""

    stack: LocalStack
    driver: Driver
    databases: Databases
    faults: Counter[str] = field(default_factory=Counter)
    answers: Counter[int] = field(default_factory=Counter)
    steps: int = 0
    stories: int = 0


class Story(RuleBasedStateMachine):
    """Customers, opportunities, orders, payments, tickets and tasks, as people ask for them."""

    customers = Bundle("customers")
    deals = Bundle("deals")
    tickets = Bundle("tickets")
    tasks = Bundle("tasks")

    def __init__(self, world: World) -> None:
        super().__init__()
        self.world = world
        self.deals_known: dict[str, Deal] = {}
        self.tickets_known: dict[str, str] = {}
        self.tasks_known: dict[str, str] = {}
        self.customers_known: list[str] = []
        self.last: tuple[str, Json, str, Json] | None = None
        world.stories += 1

    # What is asked

    @initialize(target=customers)
    def begin(self) -> str:
        return self.register()

    @rule(target=customers)
    def register(self) -> str:
        body = {
            "kind": "person",
            "name": {"family": "김", "given": "하늘"},
            "language": "ko",
            "country": "KR",
            "contact_points": [
                {"kind": "email", "value": f"{uuid.uuid4().hex[:12]}@customers.example"}
            ],
        }
        customer = self.done("/v1/customers", body)["id"]
        self.customers_known.append(customer)
        return str(customer)

    @rule(
        target=deals,
        customer=customers,
        stage=st.sampled_from(STAGES),
        amount=st.integers(1, 1_000_000),
    )
    def open(self, customer: str, stage: str, amount: int) -> str:
        body = {
            "customer_id": customer,
            "title": "As told",
            "amount": {"amount": str(amount), "currency": "USD"},
            "stage": stage,
        }
        deal = str(self.done("/v1/opportunities", body)["id"])
        self.deals_known[deal] = Deal(customer, stage, amount)
        return deal

    @rule(deal=deals, stage=st.sampled_from(STAGES))
    def move(self, deal: str, stage: str) -> None:
        known, path = self.deals_known[deal], f"/v1/opportunities/{deal}/actions/move"
        if known.status != "open":
            return self.refused(path, {"stage": stage}, "stage_not_allowed")
        known.stage = stage
        assert self.done(path, {"stage": stage})["stage"] == stage
        return None

    @rule(deal=deals)
    def win(self, deal: str) -> None:
        known, path = self.deals_known[deal], f"/v1/opportunities/{deal}/actions/win"
        if known.status == "lost":
            return self.refused(path, {}, "stage_not_allowed")
        won = self.done(path, {})
        assert won["status"] == "won"
        assert known.order in (None, won["order_id"])
        known.status, known.order = "won", won["order_id"]
        return None

    @rule(deal=deals)
    def lose(self, deal: str) -> None:
        known, path = self.deals_known[deal], f"/v1/opportunities/{deal}/actions/lose"
        if known.status == "won":
            return self.refused(path, {"reason": "Price"}, "stage_not_allowed")
        known.status = "lost"
        assert self.done(path, {"reason": "Price"})["status"] == "lost"
        return None

    @rule(deal=deals, share=st.sampled_from((1, 2, 3)))
    def pay(self, deal: str, share: int) -> None:
        known = self.deals_known[deal]
        if known.order is None:
            return None
        amount = max(1, known.amount // share)
        body = {"amount": {"amount": str(amount), "currency": "USD"}, "received_on": "2026-05-04"}
        path = f"/v1/orders/{known.order}/actions/record-payment"
        if known.paid + amount > known.amount:
            return self.refused(path, body, "overpaid")
        known.paid += amount
        assert Decimal(self.done(path, body)["paid"]["amount"]) == known.paid
        return None

    @rule(target=tickets, customer=customers)
    def complain(self, customer: str) -> str:
        said = {"kind": "complaint", "subject": "Late", "body": "It has not come yet."}
        ticket = str(self.done("/v1/feedback", {"customer_id": customer, **said})["ticket_id"])
        self.tickets_known[ticket] = self.read(f"/v1/tickets/{ticket}")["status"]
        assert self.tickets_known[ticket] in ("new", "assigned")
        return ticket

    @rule(ticket=tickets, verb=st.sampled_from(("start", "resolve", "reopen")))
    def work(self, ticket: str, verb: str) -> None:
        body = {"start": {}, "resolve": {"outcome": "Sent again."}, "reopen": {"reason": "No."}}
        status, path = self._status_of(ticket), f"/v1/tickets/{ticket}/actions/{verb}"
        becomes = {
            ("start", "assigned"): "in_progress",
            ("start", "in_progress"): "in_progress",
            ("resolve", "assigned"): "survey_pending",
            ("resolve", "in_progress"): "survey_pending",
            ("resolve", "survey_pending"): "survey_pending",
            ("reopen", "in_progress"): "in_progress",
            ("reopen", "survey_pending"): "in_progress",
        }.get((verb, status))
        if becomes is None:
            code = "ticket_not_done" if verb == "reopen" else "ticket_status_not_allowed"
            return self.refused(path, body[verb], code)
        self.tickets_known[ticket] = becomes
        assert self.done(path, body[verb])["status"] == becomes
        return None

    def _status_of(self, ticket: str) -> str:
        """Room that becomes free elsewhere may have given a waiting ticket to an agent."""
        if self.tickets_known[ticket] == "new":
            self.tickets_known[ticket] = self.read(f"/v1/tickets/{ticket}")["status"]
        return self.tickets_known[ticket]

    @rule(target=tasks, customer=customers)
    def give_task(self, customer: str) -> str:
        task = str(self.done("/v1/tasks", {"title": "Call", "customer_id": customer})["id"])
        self.tasks_known[task] = "open"
        return task

    @rule(task=tasks)
    def complete(self, task: str) -> None:
        self.tasks_known[task] = "done"
        assert self.done(f"/v1/tasks/{task}/actions/complete", {})["status"] == "done"

    @rule()
    def ask_again(self) -> None:
        """The last request once more under its own key: the same answer, and nothing done."""
        if self.last is None:
            return
        path, body, key, before = self.last
        answer = self.had("POST", path, body, key)
        assert answer.json == before
        assert answer.headers["idempotent-replayed"] == "true"

    @rule(fault=st.sampled_from((*PEACE, *FAULTS)))
    def break_something(self, fault: tuple[str, str] | None) -> None:
        if fault is None or not self.world.stack.supervisor.is_ready(fault[1]):
            return
        try:
            faults.FAULTS[fault[0]](self.world.stack, fault[1])
        except (StartFailed, ProcessLookupError):
            return
        self.world.faults[" ".join(fault)] += 1

    # How it is asked

    def had(self, method: str, path: str, body: Json | None, key: str = "") -> Answer:
        """The answer, asked for under one key until it is one."""
        key = key or str(uuid.uuid4())
        self.world.steps += 1

        def probe() -> Answer | None:
            headers = {"Idempotency_Key": key} if method == "POST" else {}
            answer = self.world.driver.ask(method, path, body, **headers)
            self.world.answers[answer.status] += 1
            return None if _to_be_asked_again(answer) else answer

        answer = eventually(probe, seconds=PATIENCE_SECONDS, pause=0.1)
        assert answer is not None
        return answer

    def done(self, path: str, body: Json) -> Json:
        """What a POST that must succeed made."""
        key = str(uuid.uuid4())
        answer = self.had("POST", path, body, key)
        assert answer.status in (200, 201), f"{path} {body}: {answer.status} {answer.body!r}"
        self.last = (path, body, key, answer.json)
        return answer.json

    def refused(self, path: str, body: Json, code: str) -> None:
        """A POST that the state of things forbids."""
        answer = self.had("POST", path, body)
        assert (answer.status, answer.json.get("code")) == (409, code), f"{path}: {answer.body!r}"

    def read(self, path: str) -> Json:
        """What a GET shows."""
        answer = self.had("GET", path, None)
        assert answer.status == 200, f"{path}: {answer.status} {answer.body!r}"
        return answer.json

    # What must be true in the end

    def teardown(self) -> None:
        # A story that has gone wrong already says enough.
        if sys.exc_info()[0] is None:
            self._look_back()

    def _look_back(self) -> None:
        for deal, known in self.deals_known.items():
            shown = self.read(f"/v1/opportunities/{deal}")
            assert (shown["stage"], shown["status"]) == (known.stage, known.status)
            assert shown["order_id"] == known.order
        for task, status in self.tasks_known.items():
            assert self.read(f"/v1/tasks/{task}")["status"] == status
        for ticket in self.tickets_known:
            shown = self.read(f"/v1/tickets/{ticket}")
            assert shown["status"] == self._status_of(ticket), shown["history"]
        for customer in self.customers_known:
            self._check_orders_of(customer)

    def _check_orders_of(self, customer: str) -> None:
        ours = {d.order: d for d in self.deals_known.values() if d.customer == customer and d.order}
        listed = self.read(f"/v1/orders?filter[customer_id]={customer}&limit=100")["items"]
        assert sorted(order["id"] for order in listed) == sorted(ours)
        for order in listed:
            assert Decimal(order["paid"]["amount"]) == ours[order["id"]].paid
        number, keys = self.world.databases.number, [f"order:{order}" for order in ours]
        counted = "select orders_count from customer where id = %s"
        written = "select count(*) from message where dedupe_key = any(%s)"
        eventually(
            lambda: number("customers", counted, uuid.UUID(customer)) == len(ours), seconds=60
        )
        eventually(lambda: number("notifications", written, keys) == len(ours), seconds=60)


def _to_be_asked_again(answer: Answer) -> bool:
    if answer.status == 409:
        return bool(answer.json["code"] == "idempotency_key_in_use")
    if answer.status == 404:
        # The service has not heard of so new a customer yet.
        return bool(answer.json["code"] == "customer_not_found")
    return answer.status in NO_ANSWERS


@pytest.fixture
def world(
    rapport: LocalStack, client: Api, driver: Driver, databases: Databases
) -> Iterator[World]:
    yield World(rapport, driver, databases)
    faults.everything_ready(rapport)


@pytest.mark.parametrize("examples", [15, pytest.param(500, marks=pytest.mark.chaos)])
def test_any_story_ends_as_told(examples: int, world: World, note: Callable[..., None]) -> None:
    number = faults.seed()
    print(f"{faults.SEED}={number}")  # noqa: T201 - shown when the test fails, to replay it
    told = settings(
        max_examples=examples,
        stateful_step_count=15,
        deadline=None,
        database=None,
        # What failed once under a fault need not fail again, so nothing is gained by shrinking.
        phases=(Phase.generate,),
        suppress_health_check=list(HealthCheck),
    )
    seed(number)(get_state_machine_test(lambda: Story(world), settings=told))()
    note(
        "T16",
        seed=number,
        examples=world.stories,
        requests=world.steps,
        faults=sum(world.faults.values()),
        answers=" ".join(f"{status}:{count}" for status, count in sorted(world.answers.items())),
    )
    assert world.faults or examples < 100
