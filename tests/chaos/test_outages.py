"""T5, T6, T19: a full or frozen broker, a dead database, a service away; what clients see of it."""

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from crmkit.local.stack import LocalStack
from crmkit.testing import eventually
from tests.chaos.checker import Checker, Databases, Erp, converge
from tests.chaos.driving import Answer, Driver, Load, some_customers, token_of
from tests.chaos.faults import BROKER, DATABASE, Ctl, everything_ready
from tests.talking import Api

QUICK_SECONDS = 1.0
LONGEST_RECOVERY_SECONDS = 5.0
# Longer than it takes to notice: two missed heartbeats, then a handshake without answer.
FROZEN_SECONDS = 45.0
PARTS = {
    "customers": {"customer"},
    "sales": {"opportunities", "orders"},
    "service_desk": {"tickets"},
    "marketing": {"campaigns"},
    "notifications": {"messages"},
}


@contextmanager
def alarm(ctl: Ctl, what: str) -> Iterator[None]:
    """The broker believes that its memory or its disk is full and takes no more messages."""
    if what == "memory":
        command, full, well = "set_vm_memory_high_watermark", "0.000001", "0.4"
    else:
        command, full, well = "set_disk_free_limit", "1000000GB", "50MB"
    ctl(command, full)
    try:
        yield
    finally:
        ctl(command, well)


@contextmanager
def frozen(stack: LocalStack, name: str) -> Iterator[None]:
    """The process holds all it holds and does nothing; the kernel still takes connections."""
    pid = stack.supervisor.kill(name, signal.SIGSTOP)
    try:
        yield
    finally:
        os.killpg(pid, signal.SIGCONT)


class Asking:
    """Asks for new opportunities, one after another, each with a key of its own."""

    def __init__(self, driver: Driver, customer: str) -> None:
        self._driver = driver
        self._body = {
            "customer_id": customer,
            "title": "asked meanwhile",
            "amount": {"amount": "7", "currency": "USD"},
        }

    def once(self) -> Answer:
        """One answer."""
        return self._driver.ask("POST", "/v1/opportunities", self._body)

    def during(self, seconds: float) -> list[Answer]:
        """All answers of that time."""
        end, found = time.monotonic() + seconds, []
        while time.monotonic() < end:
            found.append(self.once())
            time.sleep(0.05)
        return found

    def until_served(self) -> float:
        """Seconds until the next is created."""
        began = time.monotonic()
        while self.once().status != 201:
            assert time.monotonic() - began < 60
            time.sleep(0.05)
        return time.monotonic() - began


def numbers(answers: list[Answer]) -> dict[str, object]:
    """The answers in numbers."""
    late = [answer for answer in answers if answer.seconds > QUICK_SECONDS]
    return {
        "asked": len(answers),
        "served": sum(answer.status == 201 for answer in answers),
        "later_than_1_s": len(late),
        "slowest_ms": round(max(answer.seconds for answer in answers) * 1000),
    }


def _broken(answers: list[Answer]) -> list[tuple[int, Answer]]:
    return [(n, answer) for n, answer in enumerate(answers) if answer.status != 503]


@pytest.mark.parametrize("what", ["memory", "disk"])
@pytest.mark.parametrize("seconds", [8, pytest.param(60, marks=pytest.mark.chaos)])
def test_a_full_broker_is_said_at_once_and_its_backlog_drains(
    seconds: float,
    what: str,
    rapport: LocalStack,
    client: Api,
    driver: Driver,
    checker: Checker,
    ctl: Ctl,
    note: Callable[..., None],
    slack: float,
) -> None:
    customers = some_customers(client, 10, checker.databases)
    asking = Asking(driver, customers[0])
    load = Load(rapport.base_url, token_of(client), customers, f"{what} {seconds}", seconds=2)
    with Erp(rapport.addresses()["amqp_url"]) as erp:
        load.run(4)
        with alarm(ctl, what):
            answers = asking.during(seconds)
        began = time.monotonic()
        recovery = asking.until_served()
        findings = converge(
            lambda: checker.orders(load.marker, load.wins, erp, customers), seconds=90, since=began
        )
    note(
        "T5",
        full=what,
        alarm_seconds=seconds,
        **numbers(answers),
        recovery_ms=round(recovery * 1000),
        **findings.numbers(),
    )
    assert findings.clean, str(findings)
    assert {answer.status for answer in answers} <= {201, 503}
    assert all("retry-after" in a.headers for a in answers if a.status == 503)
    assert all(answer.seconds <= QUICK_SECONDS * slack for answer in answers), numbers(answers)
    assert recovery <= LONGEST_RECOVERY_SECONDS * slack


@pytest.mark.chaos
def test_a_frozen_broker_is_said_plainly_and_got_over(
    rapport: LocalStack, client: Api, driver: Driver, checker: Checker, note: Callable[..., None]
) -> None:
    customers = some_customers(client, 10, checker.databases)
    asking = Asking(driver, customers[0])
    load = Load(rapport.base_url, token_of(client), customers, "frozen", seconds=2)
    log = rapport.installation.path("log", "relay.log")
    told_before = log.stat().st_size
    with Erp(rapport.addresses()["amqp_url"]) as erp:
        load.run(4)
        with frozen(rapport, BROKER):
            answers = asking.during(FROZEN_SECONDS)
        began = time.monotonic()
        recovery = asking.until_served()
        findings = converge(
            lambda: checker.orders(load.marker, load.wins, erp, customers), seconds=90, since=began
        )
        everything_ready(rapport)
    told = log.read_text()[told_before:]
    note(
        "T5",
        frozen_seconds=FROZEN_SECONDS,
        **numbers(answers),
        recovery_ms=round(recovery * 1000),
        **findings.numbers(),
    )
    assert findings.clean, str(findings)
    assert {answer.status for answer in answers} <= {201, 503}
    # Silence is known only after a while: the first few wait for their deadline, then the breaker
    # keeps the others from it.
    assert max(answer.seconds for answer in answers) < 6
    assert recovery <= LONGEST_RECOVERY_SECONDS
    assert "said nothing" in told, told[-2000:]
    assert "Assertion" not in told, told[-2000:]
    assert "Traceback" not in told, told[-2000:]


@pytest.mark.parametrize("seconds", [10, pytest.param(30, marks=pytest.mark.chaos)])
def test_a_database_that_is_down_is_said_at_once_and_costs_nothing(
    seconds: float,
    rapport: LocalStack,
    client: Api,
    driver: Driver,
    checker: Checker,
    note: Callable[..., None],
    slack: float,
) -> None:
    customers = some_customers(client, 10, checker.databases)
    asking = Asking(driver, customers[0])
    load = Load(rapport.base_url, token_of(client), customers, f"down {seconds}", seconds=0)
    over = threading.Event()
    worker = threading.Thread(
        target=load.run, kwargs={"clients": 2, "more": lambda: not over.is_set()}, daemon=True
    )
    with Erp(rapport.addresses()["amqp_url"]) as erp:
        worker.start()
        time.sleep(2)
        rapport.supervisor.stop_process(DATABASE, number=signal.SIGQUIT)
        answers = asking.during(seconds)
        rapport.start_process(DATABASE)
        recovery = asking.until_served()
        over.set()
        worker.join(90)
        findings = converge(
            lambda: checker.orders(load.marker, load.wins, erp, customers),
            seconds=90,
            since=load.last_answer_at,
        )
    note(
        "T6",
        down_seconds=seconds,
        **numbers(answers),
        recovery_ms=round(recovery * 1000),
        orders=len(load.wins),
        **findings.numbers(),
        answers=load.answered,
    )
    assert findings.clean, str(findings)
    assert not load.failures
    assert {answer.status for answer in answers} == {503}, _broken(answers)
    assert all("retry-after" in answer.headers for answer in answers)
    assert all(answer.seconds <= QUICK_SECONDS * slack for answer in answers), numbers(answers)
    assert recovery <= LONGEST_RECOVERY_SECONDS * slack


@pytest.mark.parametrize("service", PARTS)
def test_the_view_of_a_customer_does_without_a_service(
    service: str,
    rapport: LocalStack,
    client: Api,
    driver: Driver,
    databases: Databases,
    note: Callable[..., None],
    slack: float,
) -> None:
    (customer,) = some_customers(client, 1, databases)
    path = f"/v1/customers/{customer}/360"
    rapport.stop_process(service)
    try:
        answers = [driver.ask("GET", path) for _ in range(20)]
    finally:
        rapport.start_process(service)
    everything_ready(rapport)
    # The breaker of the gateway lets a probe through after two seconds.
    eventually(lambda: "degraded" not in driver.ask("GET", path).headers)
    degraded = [set(answer.headers.get("degraded", "").split(", ")) for answer in answers]
    seconds = sorted(answer.seconds for answer in answers)
    note(
        "T19",
        without=service,
        asked=len(answers),
        served=sum(answer.status == 200 for answer in answers),
        p50_ms=round(seconds[len(seconds) // 2] * 1000),
        p95_ms=round(seconds[int(len(seconds) * 0.95)] * 1000),
    )
    assert {answer.status for answer in answers} == {200}, answers[0]
    # A part of another service may be late on a machine that starts processes meanwhile.
    assert all(named >= PARTS[service] for named in degraded), degraded
    assert seconds[-1] < min(3 * slack, 4.5)  # Its deadline is five.
