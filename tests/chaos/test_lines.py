"""T4: the lines to the broker and the database are slow, swallow, break mid-frame, half-close."""

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from urllib.parse import quote

import pytest

from crmkit.local.installation import Installation
from crmkit.local.postgres import migration_role
from crmkit.local.rabbitmq import uri
from crmkit.local.stack import LocalStack
from tests.chaos.checker import Checker, Erp, converge
from tests.chaos.conftest import environment
from tests.chaos.driving import Driver, Load, some_customers, token_of
from tests.chaos.faults import everything_ready
from tests.chaos.proxy import LOOPBACK, Proxy, Weather
from tests.talking import Api

# Marketing reaches its database directly: with an address of everybody given, the stack would
# believe that the server is somebody else's.
THROUGH = ("customers", "sales", "service_desk", "notifications", "gateway")
LONGEST_ANSWER_SECONDS = 10.0
LONGEST_RECOVERY_SECONDS = 5.0
PROBE = {
    "kind": "person",
    "name": {"family": "김", "given": "하늘"},
    "language": "ko",
    "country": "KR",
}


@dataclass(frozen=True, slots=True)
class Line:
    """A stack whose lines can be spoiled."""

    stack: LocalStack
    proxies: dict[str, Proxy]


@pytest.fixture(scope="module")
def line(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Line]:
    """A Rapport whose processes reach the broker and the database through proxies."""
    folder = tmp_path_factory.mktemp("lines")
    installation = Installation(folder)
    proxies = {name: Proxy(installation.port(name)) for name in ("amqp", "postgres")}
    given = {}
    for owner in THROUGH:
        secret = installation.secret(f"amqp.{owner}")
        given[f"{owner.upper()}_AMQP_URI"] = uri(
            owner, secret, f"{LOOPBACK}:{proxies['amqp'].port}"
        )
        for role, kind in ((owner, "DATABASE"), (migration_role(owner), "MIGRATION")):
            password = quote(installation.secret(f"postgres.{role}"), safe="")
            address = f"{LOOPBACK}:{proxies['postgres'].port}"
            given[f"{owner.upper()}_{kind}_URL"] = (
                f"postgresql+psycopg://{role}:{password}@{address}/{owner}"
            )
    stack = LocalStack(folder, seed_customers=1, inherited=environment(**given))
    try:
        stack.start()
        yield Line(stack, proxies)
    finally:
        stack.stop()
        for proxy in proxies.values():
            proxy.close()


def spoil(proxy: Proxy, how: str, seconds: float) -> None:
    """Spoil the line in that way for that long."""
    if how == "slow":
        proxy.set(Weather(delay_seconds=0.5))
    elif how == "swallowed":
        proxy.set(Weather(swallow=True))
    elif how == "cut mid-frame":
        proxy.set(Weather(cut_after=5))
    elif how == "half-closed":
        proxy.half_close_all()
    else:
        proxy.reset_all()
    time.sleep(seconds)
    proxy.set(Weather())


QUICK = ("swallowed", "cut mid-frame", "half-closed")
CASES = [(name, how) for name in ("amqp", "postgres") for how in (*QUICK, "slow", "reset")]


@pytest.mark.parametrize(
    ("seconds", "name", "how"),
    [
        *((3, name, how) for name, how in CASES if how in QUICK),
        *(pytest.param(30, name, how, marks=pytest.mark.chaos) for name, how in CASES),
    ],
)
def test_a_bad_line_loses_nothing_and_is_got_over(
    seconds: float, name: str, how: str, line: Line, note: Callable[..., None], slack: float
) -> None:
    everything_ready(line.stack)
    checker = Checker(line.stack)
    with Api(line.stack.base_url) as client, Erp(_direct(line.stack)) as erp:
        run = line.stack.addresses()
        client.log_in(run["email"], run["password"])
        customers = some_customers(client, 5, checker.databases)
        load = Load(
            line.stack.base_url,
            token_of(client),
            customers,
            f"{name} {how} {seconds}",
            seconds=0,
        )
        over = threading.Event()
        worker = threading.Thread(
            target=load.run, kwargs={"clients": 4, "more": lambda: not over.is_set()}, daemon=True
        )
        worker.start()
        spoil(line.proxies[name], how, seconds)
        with Driver(line.stack.base_url, load.token) as driver:
            recovery = until_served(driver)
        over.set()
        worker.join(60)
        findings = converge(
            lambda: checker.orders(load.marker, load.wins, erp, customers),
            seconds=120,
            since=load.last_answer_at,
        )
    checker.close()
    note(
        "T4",
        line=f"{name} {how} {seconds} s",
        orders=len(load.wins),
        **findings.numbers(),
        slowest_ms=round(load.slowest * 1000),
        recovery_ms=round(recovery * 1000),
        answers=load.answered,
    )
    assert findings.clean, str(findings)
    assert not load.failures
    assert 0 not in load.answers, load.answered
    assert load.slowest <= LONGEST_ANSWER_SECONDS
    assert recovery <= LONGEST_RECOVERY_SECONDS * slack


def until_served(driver: Driver) -> float:
    """Seconds until a customer can be registered again."""
    began = time.monotonic()
    while driver.ask("POST", "/v1/customers", PROBE).status != 201:
        assert time.monotonic() - began < 60
        time.sleep(0.1)
    return time.monotonic() - began


def _direct(stack: LocalStack) -> str:
    return str(stack.addresses()["amqp_url"])
