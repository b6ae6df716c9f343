"""Queues that are full: of commands, said at once; of events, in nobody's way."""

import uuid
from collections.abc import Iterator
from contextlib import contextmanager

from crmkit import relay
from crmkit.local.stack import LocalStack
from crmkit.testing import eventually
from tests.chaos.checker import Databases
from tests.chaos.driving import Driver
from tests.chaos.faults import Ctl
from tests.chaos.outbox import announce
from tests.talking import Api

QUICK_SECONDS = 1.0
FULL = '{"max-length": 0, "overflow": "reject-publish"}'
REFUSED, TAKEN = "task.done.v1", "opportunity.updated.v1"


@contextmanager
def full(ctl: Ctl, queue: str) -> Iterator[None]:
    """The queue takes nothing."""
    words = ("full", f"^{queue}$", FULL, "--priority", "9", "--apply-to", "queues")
    ctl("set_policy", "-p", "crm", *words)
    try:
        yield
    finally:
        ctl("clear_policy", "-p", "crm", "full")


def test_a_full_queue_of_commands_is_said_at_once(driver: Driver, ctl: Ctl, slack: float) -> None:
    def status() -> int:
        return driver.ask("GET", "/v1/customers").status

    with full(ctl, "rpc-customers"):
        eventually(lambda: status() == 503)
        answers = [driver.ask("GET", "/v1/customers") for _ in range(20)]
    assert {answer.status for answer in answers} == {503}
    assert {answer.json["code"] for answer in answers} == {"bus_unavailable"}
    assert all("retry-after" in answer.headers for answer in answers)
    assert max(answer.seconds for answer in answers) < QUICK_SECONDS * slack
    # The breaker did not open: it was not the service that failed.
    eventually(lambda: status() == 200)


def test_what_is_refused_is_not_overtaken_by_what_was_read_ahead(
    rapport: LocalStack, client: Api, ctl: Ctl, databases: Databases
) -> None:
    record = uuid.uuid4()
    refused, later = (record, 1, REFUSED), (record, 2, TAKEN)
    fillers = [(uuid.uuid4(), 1, TAKEN) for _ in range(relay.BATCH - 1)]
    events = [
        (uuid.uuid4(), f"crm.sales.{kind}", about, version)
        for about, version, kind in (refused, *fillers, later)
    ]

    def of_the_record(what: str, version: int) -> int:
        query = f"select coalesce({what}, 0) from outbox where aggregate_id = %s"
        return databases.number("sales", f"{query} and aggregate_version = %s", record, version)

    def tried_again() -> bool:
        return of_the_record("attempts", 1) >= 2

    with full(ctl, f"evt-sales-{REFUSED}--notifications.on_task_done"):
        announce(databases.dsn("sales"), events)
        eventually(tried_again, seconds=60)
        assert of_the_record("sequence", 2) == 0
    eventually(lambda: of_the_record("sequence", 2) > 0, seconds=90)
    assert 0 < of_the_record("sequence", 1) < of_the_record("sequence", 2)
