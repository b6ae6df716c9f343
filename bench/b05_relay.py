"""B5: how fast the relay works off a backlog, against one publish and confirm at a time."""

import time
from typing import Any

import pika
from psycopg.rows import dict_row

from bench import events
from bench.refusal import BenchFailed
from bench.results import Result, Target, medians, overall_rate
from bench.setup import Lab, Rapport
from crmkit.messages import cloud_event
from crmkit.topology import events_exchange

TITLE = "Relay, a backlog of 100,000 events"
BACKLOG, QUICK_BACKLOG = 100_000, 20_000
LONGEST_SECONDS = 300.0
_PROGRESS = """
select count(*) filter (where published_at is null), count(*) filter (where published_at = first),
       extract(epoch from max(published_at) - min(published_at))
from outbox, (select min(published_at) as first from outbox) as earliest
"""


def run(lab: Lab) -> None:
    """Backlog and reference in turn, several times."""
    stack = lab.standard()
    count = QUICK_BACKLOG if lab.quick else BACKLOG
    relayed, singly, cpu = [], [], []
    for number in range(1, lab.rounds + 1):
        rate, spent = _backlog(stack, count)
        relayed.append(rate)
        cpu.append(spent)
        singly.append(_one_at_a_time(stack, lab.span(5.0)))
        lab.step("relay", number, f"{rate:,.0f} events/s; one at a time {singly[-1]:,.0f}/s")
    target = Target(at_least=6000)
    lab.record(Result("B5", "relay", "events/s", tuple(relayed), target, medians(cpu)))
    lab.record(Result("B5", "one publish and confirm at a time", "events/s", tuple(singly)))
    ratios = tuple(ours / theirs for ours, theirs in zip(relayed, singly, strict=True))
    lab.record(Result("B5", "relay : one at a time", "×", ratios))


def _backlog(stack: Rapport, count: int) -> tuple[float, dict[str, float]]:
    """Events a second while the relay works off so many; the CPU milliseconds of one."""
    stack.settle()
    stack.stack.stop_process("relay")
    with stack.database(events.OWNER) as database:
        events.empty(database)
        events.pile_up(database, count)
        before = stack.groups_cpu("RabbitMQ", "PostgreSQL")
        stack.stack.start_process("relay")
        _wait(database)
        after = stack.groups_cpu("RabbitMQ", "PostgreSQL", "relay")
        row = database.execute(_PROGRESS).fetchone()
        events.empty(database)
    _, first_batch, seconds = row or (0, 0, 0)
    # The clock starts when the first batch is done, so that batch does not count.
    rate = overall_rate(count - first_batch, float(seconds))
    spent = {name: 1000 * (used_ - before.get(name, 0.0)) / count for name, used_ in after.items()}
    stack.settle()
    return rate, spent


def _wait(database: Any) -> None:
    deadline = time.monotonic() + LONGEST_SECONDS
    waiting = "select 1 from outbox where published_at is null limit 1"
    while database.execute(waiting).fetchone():
        if time.monotonic() > deadline:
            raise BenchFailed("The relay did not work off the backlog in five minutes.")
        time.sleep(0.25)


def _one_at_a_time(stack: Rapport, seconds: float) -> float:
    """Events a second when each is confirmed before the next one leaves."""
    body = _body(stack)
    owner = events.OWNER
    exchange, key = events_exchange(owner), events.EVENT.routing_key
    properties = pika.BasicProperties(
        content_type="application/cloudevents+json", delivery_mode=2, user_id=owner
    )
    with stack.broker(stack.env[f"{owner.upper()}_AMQP_URI"]) as channel:
        channel.confirm_delivery()
        began, count = time.monotonic(), 0
        while time.monotonic() - began < seconds:
            channel.basic_publish(exchange, key, body, properties, mandatory=True)
            count += 1
        rate = count / (time.monotonic() - began)
    stack.settle()
    return rate


def _body(stack: Rapport) -> bytes:
    """One event as the relay writes it."""
    with stack.database(events.OWNER) as database, database.cursor(row_factory=dict_row) as cursor:
        events.pile_up(database, 1)
        row = cursor.execute("select * from outbox order by id desc limit 1").fetchone()
    if row is None:
        raise BenchFailed("There is no customer to tell of.")
    return cloud_event(row, events.EVENT, 1)
