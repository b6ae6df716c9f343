"""T3: processes are told to end one after another under load, as in an upgrade; nobody notices.

There are two gateways; a client that is refused by the one that restarts goes to the other.
"""

import threading
from collections.abc import Callable

import pytest

from crmkit.local.stack import LocalStack
from crmkit.testing import eventually
from tests.chaos import faults
from tests.chaos.checker import Checker, Erp, converge
from tests.chaos.driving import Load, some_customers, token_of
from tests.chaos.faults import Ctl
from tests.talking import Api

ROLLED = (
    "customers",
    "sales",
    "service_desk",
    "marketing",
    "notifications",
    "relay",
    "sender",
    "gateway",
    "gateway-2",
)
ONE_OF_A_KIND = ("customers", "relay", "sender", "gateway", "gateway-2")
# 409 says that the first ask of the same key is still under way, after a 503 for its deadline.
HONEST = {200, 201, 409, 503}


@pytest.mark.parametrize(
    ("rounds", "rolled"),
    [(1, ONE_OF_A_KIND), pytest.param(20, ROLLED, marks=pytest.mark.chaos)],
    ids=["1", "20"],
)
def test_a_rolling_restart_fails_and_doubles_nothing(
    rounds: int,
    rolled: tuple[str, ...],
    rapport: LocalStack,
    client: Api,
    checker: Checker,
    ctl: Ctl,
    note: Callable[..., None],
) -> None:
    customers = some_customers(client, 20, checker.databases)
    load = Load(
        rapport.base_urls, token_of(client), customers, f"rolling {rounds}", seconds=0, pause=0.05
    )
    over = threading.Event()
    before = ctl.redelivered()
    worker = threading.Thread(
        target=load.run, kwargs={"clients": 4, "more": lambda: not over.is_set()}, daemon=True
    )
    with Erp(rapport.addresses()["amqp_url"]) as erp:
        worker.start()
        for _ in range(rounds):
            for name in rolled:
                restart(rapport, name)
        over.set()
        worker.join(120)
        findings = converge(
            lambda: checker.orders(load.marker, load.wins, erp, customers),
            seconds=120,
            since=load.last_answer_at,
        )
    note(
        "T3",
        orders=len(load.wins),
        restarts=rounds * len(rolled),
        **findings.numbers(),
        redelivered=ctl.redelivered() - before,
        slowest_ms=round(load.slowest * 1000),
        answers=load.answered,
    )
    assert not load.failures
    assert set(load.answers) <= HONEST, load.broken
    assert findings.clean, str(findings)


def restart(stack: LocalStack, name: str) -> None:
    """SIGTERM; returns when the successor is ready."""
    pid = stack.process(name).pid
    faults.term(stack, name)
    eventually(lambda: stack.process(name).pid not in (None, pid), seconds=120)
    stack.wait_ready(name, 120)
