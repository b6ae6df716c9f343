"""T20: three times as many requests come as can be served; as many as before are served."""

import itertools
import json
import time
from collections.abc import Callable, Iterator, Sequence

import pytest

from crmkit.local.stack import LocalStack
from tests.chaos.checker import Checker, Findings, converge
from tests.chaos.driving import Driver, some_customers, token_of
from tests.chaos.pressing import Post, Pressed, posts, press
from tests.talking import Api

ROUNDS = 3
TIMES = 3
SERVED = (201,)
REFUSED = (429, 503)
AT_ONCE_SECONDS = 0.2
USUAL_SECONDS = 0.5
WATCHED_SECONDS = 10.0


def opportunities(customers: Sequence[str]) -> Iterator[bytes]:
    """Bodies of new opportunities, for the customers in turn."""
    for customer in itertools.cycle(customers):
        amount = {"amount": "7", "currency": "USD"}
        body = {"customer_id": customer, "title": "One of very many", "amount": amount}
        yield json.dumps(body).encode()


def recovered(driver: Driver, customer: str) -> float:
    """Seconds until nothing was refused or slow any more, watched for ten."""
    body = json.loads(next(opportunities([customer])))
    began, last = time.monotonic(), 0.0
    while (passed := time.monotonic() - began) < WATCHED_SECONDS:
        answer = driver.ask("POST", "/v1/opportunities", body)
        if answer.status != 201 or answer.seconds > USUAL_SECONDS:
            last = passed + answer.seconds
        time.sleep(0.1)
    return last


def in_turn(base_url: str, make: Post) -> tuple[Pressed, Pressed]:
    """As much as is served when nobody is refused, and three times as much asked, in turn.

    One right after the other, three times, since what a machine can do changes within minutes.
    """
    most, over = Pressed(0), Pressed(0)
    press(base_url, make, seconds=3, connections=16)
    for _ in range(ROUNDS):
        free = press(base_url, make, seconds=10, connections=32)
        rate = TIMES * free.per_second(*SERVED)
        most += free
        over += press(base_url, make, seconds=20, connections=300, per_second=rate)
    return most, over


@pytest.mark.chaos
def test_what_is_too_much_is_refused_at_once_and_the_rest_served(
    rapport: LocalStack, client: Api, driver: Driver, checker: Checker, note: Callable[..., None]
) -> None:
    customers = some_customers(client, 20, checker.databases)
    make = posts(rapport.base_url, "/v1/opportunities", token_of(client), opportunities(customers))
    most, over = in_turn(rapport.base_url, make)
    capacity = most.per_second(*SERVED)
    recovery = recovered(driver, customers[0])
    backlog = converge(lambda: Findings(stuck=checker.stuck()), seconds=120)
    goodput = over.per_second(*SERVED)
    note(
        "T20",
        capacity_per_second=round(capacity),
        asked_per_second=round(over.per_second()),
        not_made=over.not_made,
        served_per_second=round(goodput),
        served_of_capacity=f"{goodput / capacity:.0%}",
        served_p99_ms=round(over.quantile(0.99, *SERVED) * 1000),
        refused_p50_ms=round(over.quantile(0.5, *REFUSED) * 1000),
        refused_p99_ms=round(over.quantile(0.99, *REFUSED) * 1000),
        recovery_ms=round(recovery * 1000),
        events_caught_up_seconds=round(backlog.converged_seconds, 1),
        answers=" ".join(f"{status}:{count}" for status, count in sorted(over.answers.items())),
    )
    assert set(most.answers) == {*SERVED}, most.answers
    assert set(over.answers) <= {*SERVED, *REFUSED}, over.answers
    # Else the clients were the limit, and nothing was shown.
    assert over.per_second() >= 2.5 * capacity
    assert goodput >= 0.8 * capacity
    assert over.quantile(0.99, *REFUSED) <= AT_ONCE_SECONDS
    assert recovery <= 5
    assert backlog.settled, str(backlog)
