"""``crm relay``: takes events from the outboxes to the bus. Plain asyncio, no eventlet.

One relay leads per owner, by an advisory lock; others stand by. Events go out in batches with the
broker's confirms matched by delivery tag, and a row is marked only after its confirm. A crash in
between sends an event again, which consumers are made for.
"""

import asyncio
import logging
import signal
import time
from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from typing import Any, LiteralString

import orjson
import pika
import psycopg
from psycopg.rows import dict_row

from crmkit import bus, catalog, health, logs, metrics, tracing
from crmkit.clock import now
from crmkit.dsn import dsn
from crmkit.messages import Event, cloud_event
from crmkit.parker import Parker
from crmkit.settings import Settings, from_environment, places
from crmkit.topology import events_exchange

log = logging.getLogger(__name__)

BATCH = 500
CONFIRM_SECONDS = 10.0
POLL_SECONDS = 1.0
REST_SECONDS = 0.005
_LEADER_LOCK = "outbox relay"

_WAITING = """
with waiting as materialized (
    select o.* from outbox o
    where published_at is null and next_at <= now() and id <> all(%s)
      and not exists (select 1 from outbox earlier
                      where earlier.published_at is null and earlier.next_at > now()
                        and earlier.aggregate_id = o.aggregate_id and earlier.id < o.id)
    order by id limit %s)
select id, event_id, type, aggregate_id, aggregate_version, payload::text as payload, context,
       created_at, nextval('outbox_sequence') as sequence
from waiting order by id
"""
_MARK = """
update outbox set published_at = now(), sequence = sent.sequence, error = null
from unnest(%s::bigint[], %s::bigint[]) as sent (id, sequence) where outbox.id = sent.id
"""
_POSTPONE = """
update outbox set attempts = attempts + 1, error = %s,
       next_at = now() + make_interval(secs => least(300, power(2, least(attempts, 12))))
where id = any(%s)
"""
_POSTPONED = """
select created_at from outbox where published_at is null and attempts > 0 order by id limit 1
"""
_OLDEST = "select created_at from outbox where published_at is null order by id limit 1"


def main(owners: Sequence[str]) -> None:
    """Relay for these owners, or for all, until SIGTERM."""
    settings = from_environment()
    logs.set_up("relay", settings.text("LOG_LEVEL", "info"))
    owners = owners or catalog.owners()
    settings.need(*places(*owners))
    tracing.set_up("relay", settings)
    asyncio.run(_main(settings, owners))


async def _main(settings: Settings, owners: Sequence[str]) -> None:
    relays = [
        Relay(owner, settings.database_url(owner), settings.amqp_uri(owner)) for owner in owners
    ]
    # It needs every database, so it is left out where a relay serves some of the owners only.
    parkers = [Parker(settings)] if set(owners) == set(catalog.owners()) else []
    all_of_them: tuple[Relay | Parker, ...] = (*relays, *parkers)
    health.serve(settings, lambda: next((one.trouble for one in all_of_them if one.trouble), None))
    tasks = [asyncio.create_task(relay.run()) for relay in relays]
    parking = [asyncio.create_task(parker.run()) for parker in parkers]
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    await stop.wait()
    for relay in relays:
        relay.stopping = True
    _, late = await asyncio.wait(tasks, timeout=5)
    for task in (*late, *parking):
        task.cancel()


class Publisher:
    """A channel in confirm mode that tells which of a batch the broker has taken."""

    def __init__(self, link: bus.Link, channel: Any) -> None:
        self._link = link
        self._channel = channel
        self._next_tag = 1
        self._waiting: dict[int, int] = {}
        self._refused: set[int] = set()
        self._returned: set[str] = set()
        self._all_settled = asyncio.Event()
        channel.confirm_delivery(self._on_confirm)
        channel.add_on_return_callback(self._on_return)

    def _on_return(self, _: Any, __: Any, properties: Any, ___: bytes) -> None:
        # Confirmed all the same, right after this: no queue takes it, not even crm.unrouted.
        self._returned.add(properties.message_id)

    def _on_confirm(self, frame: Any) -> None:
        method = frame.method
        accepted = isinstance(method, pika.spec.Basic.Ack)
        tags = (
            [tag for tag in self._waiting if tag <= method.delivery_tag]
            if method.multiple
            else [method.delivery_tag]
        )
        for tag in tags:
            number = self._waiting.pop(tag, None)
            if number is not None and not accepted:
                self._refused.add(number)
        if not self._waiting:
            self._all_settled.set()

    def check(self) -> None:
        """ConnectionError when the link has ended; who has nothing to publish would not notice."""
        if self._link.closed.done():
            raise ConnectionError(f"The link to the broker ended: {self._link.closed.result()}.")

    async def publish(
        self, owner: str, messages: Sequence[tuple[int, str, str, bytes]]
    ) -> set[int]:
        """Send (number, routing key, message id, body) and wait; the numbers that were refused.

        ConnectionError when the link ends or the broker stays silent for ten seconds: nothing is
        known of the batch then, and the link must not be used again. A broker that is full says so
        and is waited for: what lies in the link would arrive once more after each new attempt.
        """
        self._refused, self._returned = set(), set()
        if not messages:
            return set()
        self._all_settled.clear()
        exchange = events_exchange(owner)
        for number, routing_key, message_id, body in messages:
            self._waiting[self._next_tag] = number
            self._next_tag += 1
            properties = pika.BasicProperties(
                content_type="application/cloudevents+json",
                delivery_mode=2,
                message_id=message_id,
                user_id=self._link.user,
            )
            self._channel.basic_publish(exchange, routing_key, body, properties, mandatory=True)
        settled: asyncio.Future[Any] = asyncio.ensure_future(self._all_settled.wait())
        try:
            await self._heard(settled)
        finally:
            settled.cancel()
        returned = {number for number, _, its_id, _ in messages if its_id in self._returned}
        return self._refused | returned

    async def _heard(self, settled: "asyncio.Future[Any]") -> None:
        ends = {settled, self._link.closed}
        silent = False
        while not settled.done():
            if silent or self._link.closed.done():
                raise ConnectionError("The broker did not confirm.")
            done, _ = await asyncio.wait(
                ends, timeout=CONFIRM_SECONDS, return_when=asyncio.FIRST_COMPLETED
            )
            silent = not done and not self._link.blocked


class Relay:
    """Takes one owner's events to the bus, while it leads."""

    def __init__(self, owner: str, database_url: str, amqp_uri: str) -> None:
        self._dsn = dsn(database_url)
        self._amqp_uri = amqp_uri
        self._owner = owner
        self._events: dict[str, type[Event]] = {e.type: e for e in catalog.events(owner)}
        self.stopping = False
        self.trouble: str | None = f"the relay of {owner} has not started"
        self._oldest: datetime | None = None
        self._postponed: datetime | None = None
        metrics.oldest_waiting(owner, self._oldest_seconds)

    def _oldest_seconds(self) -> float:
        oldest = min((at for at in (self._oldest, self._postponed) if at), default=None)
        return (now() - oldest).total_seconds() if oldest else 0.0

    async def run(self) -> None:
        """Relay until told to stop; begins again after any trouble."""
        pause = 0.2
        while not self.stopping:
            try:
                await self._session()
                pause = 0.2
            except Exception as error:
                if self.trouble is None:
                    pause = 0.2  # It has worked meanwhile.
                known = isinstance(error, OSError | psycopg.Error | pika.exceptions.AMQPError)
                self.trouble = f"the relay of {self._owner} was interrupted: {error!r}"
                log.warning(
                    "Relaying was interrupted.",
                    exc_info=None if known else error,
                    extra={"owner": self._owner, "cause": repr(error)},
                )
                await asyncio.sleep(pause)
                pause = min(pause * 2, 2.0)

    async def _session(self) -> None:
        async with await psycopg.AsyncConnection.connect(
            self._dsn, autocommit=True, row_factory=dict_row
        ) as database:
            await self._lead(database)
            if self.stopping:
                return
            # Told before the broker is asked, which may be what is missing.
            self._oldest = await self._first(database, _OLDEST)
            link = await bus.connect(self._amqp_uri)
            link.when_blocked = self._note_blocked
            try:
                publisher = Publisher(link, await link.channel())
                await database.execute("listen outbox")
                self._postponed = await self._first(database, _POSTPONED)
                self.trouble = None
                await self._relay(database, publisher)
            finally:
                link.close()

    def _note_blocked(self) -> None:
        self.trouble = f"the relay of {self._owner} waits for the broker, which is full"

    @staticmethod
    async def _first(
        database: psycopg.AsyncConnection[dict[str, Any]], query: LiteralString
    ) -> datetime | None:
        """Since when the first event of that query waits."""
        found = await (await database.execute(query)).fetchone()
        return found["created_at"] if found else None

    async def _lead(self, database: psycopg.AsyncConnection[dict[str, Any]]) -> None:
        """Wait until no other relay leads. The lock ends with the database connection."""
        while not self.stopping:
            cursor = await database.execute(
                "select pg_try_advisory_lock(hashtextextended(%s, 0)) as leading", (_LEADER_LOCK,)
            )
            row = await cursor.fetchone()
            if row and row["leading"]:
                return
            self.trouble = None  # Standing by is what a second relay is for.
            self._oldest = self._postponed = None  # Whoever leads tells.
            await asyncio.sleep(0.5)

    async def _relay(
        self, database: psycopg.AsyncConnection[dict[str, Any]], publisher: Publisher
    ) -> None:
        rows: list[dict[str, Any]] = []
        while not self.stopping:
            publisher.check()
            rows = rows or await self._waiting(database)
            sent = len(rows)
            rows = await self._step(database, publisher, rows) if rows else []
            self.trouble = None
            if self._postponed is not None:
                self._postponed = await self._first(database, _POSTPONED)
            if sent < BATCH and not self.stopping:
                # What is announced meanwhile goes out together; one alone has not waited.
                await asyncio.sleep(REST_SECONDS if sent else 0)
                async for _ in database.notifies(timeout=POLL_SECONDS, stop_after=1):
                    pass

    async def _waiting(
        self,
        database: psycopg.AsyncConnection[dict[str, Any]],
        leaving: Sequence[dict[str, Any]] = (),
    ) -> list[dict[str, Any]]:
        """The batch to send next, without those that are just leaving."""
        cursor = await database.execute(_WAITING, ([row["id"] for row in leaving], BATCH))
        rows: list[dict[str, Any]] = await cursor.fetchall()
        if not leaving:
            self._oldest = rows[0]["created_at"] if rows else None
        return rows

    async def _ahead(
        self, database: psycopg.AsyncConnection[dict[str, Any]], leaving: list[dict[str, Any]]
    ) -> list[dict[str, Any]]:
        return await self._waiting(database, leaving) if len(leaving) == BATCH else []

    async def _step(
        self,
        database: psycopg.AsyncConnection[dict[str, Any]],
        publisher: Publisher,
        rows: list[dict[str, Any]],
    ) -> list[dict[str, Any]]:
        """Send one batch; the next one where more wait, read while the broker was at work."""
        began = time.monotonic()
        strange = [row["id"] for row in rows if row["type"] not in self._events]
        if strange:
            log.error("Events of an unknown type wait.", extra={"owner": self._owner})
            await self._postpone(database, "no such event in the contracts", strange)
        ahead: list[dict[str, Any]]
        ahead, (taken, refused) = await asyncio.gather(
            self._ahead(database, rows), self._send(publisher, rows)
        )
        await database.execute(
            _MARK, ([row["id"] for row in taken], [row["sequence"] for row in taken])
        )
        self._oldest = ahead[0]["created_at"] if ahead else None
        metrics.relayed(self._owner, len(taken))
        log.debug("Relayed.", extra={"count": len(taken), "seconds": time.monotonic() - began})
        if refused:
            await self._postpone(database, "refused by the broker", list(refused))
            return []  # Later events of the same records may be among those read ahead.
        return ahead

    async def _postpone(
        self, database: psycopg.AsyncConnection[dict[str, Any]], error: str, ids: list[int]
    ) -> None:
        await database.execute(_POSTPONE, (error, ids))
        self._postponed = await self._first(database, _POSTPONED)

    async def _send(
        self, publisher: Publisher, rows: Sequence[dict[str, Any]]
    ) -> tuple[list[dict[str, Any]], set[int]]:
        """The rows the broker took, and the numbers of those it refused.

        An event leaves when the one before it of the same record was taken. What comes after one
        that was refused or is of an unknown type is in neither, nor is what a relay has not begun
        that is told to stop.
        """
        taken: list[dict[str, Any]] = []
        refused: set[int] = set()
        held: set[Any] = set()
        for turn in _in_turns(rows):
            if self.stopping and taken:
                break  # The next relay sends the rest.
            due = [row for row in turn if row["aggregate_id"] not in held]
            known = [row for row in due if row["type"] in self._events]
            refused |= await self._publish(publisher, known)
            went = [row for row in known if row["id"] not in refused]
            held |= {row["aggregate_id"] for row in due} - {row["aggregate_id"] for row in went}
            taken += went
        return taken, refused

    async def _publish(self, publisher: Publisher, rows: Sequence[dict[str, Any]]) -> set[int]:
        """The numbers that were refused; each event has a span until the broker has answered."""
        spans = {row["id"]: self._span(row) for row in rows} if tracing.on() else {}
        refused = set(spans)
        try:
            refused = await publisher.publish(self._owner, [self._message(row) for row in rows])
        finally:
            for number, span in spans.items():
                span.end("unavailable" if number in refused else "ok")
        return refused

    @staticmethod
    def _span(row: dict[str, Any]) -> tracing.Span:
        context = row["context"]
        parent, event_id = context.get("traceparent"), str(row["event_id"])
        span = tracing.begin("producer", f"publish {row['type']}", parent, event_id=event_id)
        context["traceparent"] = span.traceparent or parent
        return span

    def _message(self, row: dict[str, Any]) -> tuple[int, str, str, bytes]:
        event = self._events[row["type"]]
        row["payload"] = orjson.Fragment(row["payload"])
        body = cloud_event(row, event, row["sequence"])
        return row["id"], event.routing_key, str(row["event_id"]), body


def _in_turns(rows: Sequence[dict[str, Any]]) -> list[list[dict[str, Any]]]:
    """The first event of each record, then the second ones, and so on."""
    turns: list[list[dict[str, Any]]] = []
    seen: Counter[Any] = Counter()
    for row in rows:
        turn = seen[row["aggregate_id"]]
        seen[row["aggregate_id"]] += 1
        if turn == len(turns):
            turns.append([])
        turns[turn].append(row)
    return turns
