"""T2: a cluster of three brokers loses one node after another while orders are won."""

import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing

import pytest

from crmkit.local.stack import LocalStack
from crmkit.testing import eventually
from tests.chaos.checker import Checker, Erp, converge
from tests.chaos.conftest import environment
from tests.chaos.driving import Load, some_customers, token_of
from tests.chaos.faults import Ctl, everything_ready
from tests.talking import Api

pytestmark = [pytest.mark.chaos, pytest.mark.server]

NODES = ("rabbitmq", "rabbitmq-2", "rabbitmq-3")
LONGEST_GAP_SECONDS = 5.0
# The gateway stops waiting for a reply after five seconds; none may be lost.
LONGEST_ANSWER_SECONDS = 4.0
WATCH_SECONDS = 12.0


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalStack]:
    """A Rapport on three brokers."""
    stack = LocalStack(
        tmp_path_factory.mktemp("cluster"),
        seed_customers=1,
        scale={"rabbitmq": len(NODES)},
        inherited=environment(),
    )
    try:
        stack.start()
        yield stack
    finally:
        stack.stop()


def replicas(ctl: Ctl) -> dict[str, tuple[int, str]]:
    """Of each queue and of the feed: how many replicas are online, and the node that leads."""
    out = ctl("list_queues", "-p", "crm", "--no-table-headers", "name", "online", "leader")
    rows = (line.split("\t") for line in out.splitlines() if line.count("\t") == 2)
    return {name: (online.count("@"), leader) for name, online, leader in rows}


def all_there(ctl: Ctl) -> bool:
    """Whether every queue has a replica on every node, so that the next node may die."""
    found = replicas(ctl)
    return bool(found) and all(online == len(NODES) for online, _ in found.values())


def led_by(ctl: Ctl, node: str) -> int:
    """How many queues the node leads after leaders were spread evenly."""
    ctl("eval", 'rabbit_amqqueue:rebalance(all, <<".*">>, <<".*">>).')
    number = node.removeprefix("rabbitmq")
    mine = re.compile(rf"rapport_[0-9a-f]+{number}@")
    return sum(bool(mine.match(leader)) for _, leader in replicas(ctl).values())


def longest_silence(load: Load, over: Callable[[], bool]) -> float:
    """The longest time in seconds without any answer of success, until ``over``."""
    longest, count, since = 0.0, len(load.latencies), time.monotonic()
    while not over():
        if len(load.latencies) > count:
            count, since = len(load.latencies), time.monotonic()
        longest = max(longest, time.monotonic() - since)
        time.sleep(0.01)
    return longest


def kill(cluster: LocalStack, node: str, load: Load) -> float:
    """kill -9 of the node; the longest silence from then until it is back."""
    pid = cluster.kill(node)
    end = time.monotonic() + WATCH_SECONDS

    def over() -> bool:
        back = cluster.process(node).pid not in (None, pid) and cluster.supervisor.is_ready(node)
        return back and time.monotonic() > end

    return longest_silence(load, over)


def test_each_node_of_the_cluster_may_die(cluster: LocalStack, note: Callable[..., None]) -> None:
    everything_ready(cluster)
    ctl, run = Ctl(cluster), cluster.addresses()
    with (
        closing(Checker(cluster)) as checker,
        Api(cluster.base_url) as client,
        Erp(run["amqp_url"]) as erp,
    ):
        client.log_in(run["email"], run["password"])
        customers = some_customers(client, 40, checker.databases)
        load = Load(cluster.base_url, token_of(client), customers, "cluster", seconds=0)
        over = threading.Event()
        worker = threading.Thread(
            target=load.run, kwargs={"clients": 4, "more": lambda: not over.is_set()}, daemon=True
        )
        gaps, led = {}, {}
        worker.start()
        try:
            for node in NODES:
                eventually(lambda: all_there(ctl), seconds=60, pause=1.0)
                led[node] = led_by(ctl, node)
                gaps[node] = kill(cluster, node, load)
            eventually(lambda: all_there(ctl), seconds=60, pause=1.0)
        finally:
            over.set()
            worker.join(90)

        findings = converge(
            lambda: checker.orders(load.marker, load.wins, erp, customers),
            seconds=60,
            since=load.last_answer_at,
        )
    note(
        "T2",
        orders=len(load.wins),
        nodes_killed=len(gaps),
        **findings.numbers(),
        gaps_ms=" ".join(str(round(gap * 1000)) for gap in gaps.values()),
        slowest_ms=round(load.slowest * 1000),
        p50_ms=load.percentile(0.5),
        p99_ms=load.percentile(0.99),
        answers=load.answered,
    )
    assert findings.clean, str(findings)
    assert not load.failures
    assert all(led.values()), led
    assert all(gap <= LONGEST_GAP_SECONDS for gap in gaps.values()), gaps
    assert load.slowest < LONGEST_ANSWER_SECONDS
