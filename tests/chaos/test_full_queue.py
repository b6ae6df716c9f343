"""A queue of commands that is full says so at once, as R8 of back-pressure wants it."""

from collections.abc import Iterator
from contextlib import contextmanager

from crmkit.testing import eventually
from tests.chaos.driving import Driver
from tests.chaos.faults import Ctl

QUICK_SECONDS = 1.0
FULL = '{"max-length": 0, "overflow": "reject-publish"}'


@contextmanager
def full(ctl: Ctl, queue: str) -> Iterator[None]:
    """The queue takes nothing."""
    words = ("full", f"^{queue}$", FULL, "--priority", "9", "--apply-to", "queues")
    ctl("set_policy", "-p", "crm", *words)
    try:
        yield
    finally:
        ctl("clear_policy", "-p", "crm", "full")


def test_a_full_queue_of_commands_is_said_at_once(driver: Driver, ctl: Ctl) -> None:
    def status() -> int:
        return driver.ask("GET", "/v1/customers").status

    with full(ctl, "rpc-customers"):
        eventually(lambda: status() == 503)
        answers = [driver.ask("GET", "/v1/customers") for _ in range(20)]
    assert {answer.status for answer in answers} == {503}
    assert {answer.json["code"] for answer in answers} == {"bus_unavailable"}
    assert all("retry-after" in answer.headers for answer in answers)
    assert max(answer.seconds for answer in answers) < QUICK_SECONDS
    # The breaker did not open: it was not the service that failed.
    eventually(lambda: status() == 200, seconds=5)
