"""T1: orders are won while everything is killed at random; each is there once, everywhere."""

from collections.abc import Callable
from dataclasses import dataclass

import pytest

from crmkit.local.stack import LocalStack
from services.notifications.sender import THREADS
from tests.chaos import faults
from tests.chaos.checker import Checker, Erp, converge
from tests.chaos.driving import Load, some_customers, token_of
from tests.chaos.faults import BROKER, DATABASE, Ctl, Injector
from tests.talking import Api


@dataclass(frozen=True, slots=True)
class Size:
    """How much is done: orders or seconds of load, faults, the pause between them."""

    orders: int
    seconds: float
    faults: int
    pause: tuple[float, float]
    customers: int
    settle_seconds: float


SLICE = Size(10**9, 25, 8, (1.0, 2.2), 60, 60)
FULL = Size(10_000, 0, 56, (1.5, 3.5), 400, 120)
MUST = [("kill", BROKER), ("crash", DATABASE), ("kill", DATABASE)]


@pytest.mark.parametrize(
    "size",
    [pytest.param(SLICE, id="slice"), pytest.param(FULL, id="full", marks=pytest.mark.chaos)],
)
def test_every_order_is_there_once(
    size: Size,
    rapport: LocalStack,
    client: Api,
    checker: Checker,
    ctl: Ctl,
    note: Callable[..., None],
) -> None:
    seed = faults.seed()
    print(f"{faults.SEED}={seed}")  # noqa: T201 - shown when the test fails, to replay it
    customers = some_customers(client, size.customers, checker.databases)
    load = Load(
        rapport.base_url,
        token_of(client),
        customers,
        f"chaos {seed}",
        limit=size.orders,
        seconds=size.seconds or 10**9,
    )
    plan = faults.plan(seed, size.faults, must=MUST, pause=size.pause)
    with Erp(rapport.addresses()["amqp_url"]) as erp:
        injector = Injector(rapport, plan)
        with injector:
            load.run(clients=8, more=lambda: bool(size.seconds) and injector.busy)
        injector.finish()

        findings = converge(
            lambda: checker.orders(load.marker, load.wins, erp, customers),
            seconds=size.settle_seconds,
            since=load.last_answer_at,
        )
    arrived, repeated = checker.mails(set(load.wins.values()))
    unsettled = {name: counts for name, counts in ctl.queues().items() if _waiting(name, counts)}
    note(
        "T1",
        seed=seed,
        orders=len(load.wins),
        faults=injector.count,
        **findings.numbers(),
        mails=arrived,
        mails_repeated=repeated,
        events_repeated_on_the_wire=erp.repeated,
        p50_ms=load.percentile(0.5),
        p99_ms=load.percentile(0.99),
        answers=load.answered,
    )
    print(dict(injector.done), injector.skipped, load.failures[:5], findings)  # noqa: T201
    assert not load.failures
    assert not injector.skipped
    assert injector.count >= min(size.faults, 8)
    assert findings.clean, str(findings)
    assert arrived == len(load.wins)
    # Only a killed sender may repeat a mail: what each of its threads had in hand.
    assert repeated <= THREADS["email"] * injector.done["kill sender"]
    assert not unsettled


def _waiting(name: str, counts: tuple[int, int]) -> bool:
    return name.startswith(("evt-", "rpc-")) and any(counts)
