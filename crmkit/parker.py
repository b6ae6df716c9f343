"""Brings what nobody took from the bus to the database of whoever it was meant for.

The relay runs it: one process with every owner's database is enough, and several do no harm. A
message is acknowledged when its row is there; its id is made of what it is, so that it lies there
once however often a crash brings it again.
"""

import asyncio
import hashlib
import logging
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import psycopg
from sqlalchemy.dialects import postgresql

from crmkit import bus, catalog, inbox, metrics, parking, topology
from crmkit.dsn import dsn
from crmkit.messages import open_received
from crmkit.settings import Settings

log = logging.getLogger(__name__)

PREFETCH = 20
COUNT_SECONDS = 15.0
_PAUSE_SECONDS = 2.0

_KEEP = """
insert into parked_message
    (id, queue, consumer, source, routing_key, sender, body, event_id, type, subject, error)
values (%(id)s, %(queue)s, %(consumer)s, %(source)s, %(routing_key)s, %(sender)s, %(body)s,
        %(event_id)s, %(type)s, %(subject)s, %(error)s)
on conflict (id) do update set status = 'parked', parked_at = now(), error = excluded.error
"""


@dataclass(frozen=True, slots=True)
class Found:
    """A message in ``crm.parking`` or ``crm.unrouted``, and what it was before.

    ``consumer`` is the handler that did not take it, ``source`` who announces such events.
    """

    queue: str
    consumer: str | None
    source: str
    routing_key: str
    sender: str | None
    why: str
    body: bytes

    @property
    def owner(self) -> str:
        """In whose database it belongs: the handler's if that is ours, otherwise the source's."""
        for meant in ((self.consumer or "").split(".")[0], self.source):
            if meant in catalog.owners():
                return meant
        return catalog.GATEWAY

    @property
    def row(self) -> dict[str, Any]:
        """Its row. The same message from the same queue has the same id."""
        words = (self.queue, self.source, self.routing_key, self.sender or "")
        digest = hashlib.sha256("\0".join(words).encode() + b"\0" + self.body).digest()
        row = {
            "id": UUID(bytes=digest[:16]),
            "queue": self.queue,
            "consumer": self.consumer,
            "source": self.source,
            "routing_key": self.routing_key,
            "sender": self.sender,
            "body": self.body,
            "error": self._error(),
            **parking.told(self.body),
        }
        # PostgreSQL's text holds no NUL, and a message may say anything.
        return {n: v.replace("\0", "�") if isinstance(v, str) else v for n, v in row.items()}

    def _error(self) -> str:
        event = parking.event_of(self.source, self.routing_key)
        if event is None:
            return f"{self.why}: There is no such event."
        try:
            open_received(event, self.sender, self.body)
        except Exception as error:  # noqa: BLE001 - whatever it is, people are to see it
            return f"{self.why}: {inbox.describe(error)[:1000]}"
        return self.why


def found(method: Any, properties: Any, body: bytes) -> Found:
    """What a delivery tells of the way it came. Never raises: headers may be anything."""
    deaths = (properties.headers or {}).get("x-death")
    first = deaths[0] if isinstance(deaths, list) and deaths else None
    death = first if isinstance(first, dict) else {}
    queue, why = str(death.get("queue", "")), str(death.get("reason", "unrouted"))
    parts = topology.parts_of_event_queue(queue)
    if parts is not None:
        source, key, consumer = parts
        return Found(queue, consumer, source, key, properties.user_id, why, body)
    source = str(death.get("exchange", method.exchange)).split(".")[0]
    erp = topology.ERP_USER if queue == topology.ERP_QUEUE else None
    return Found(queue, erp, source, method.routing_key, properties.user_id, why, body)


class Parker:
    """Keeps reading the two queues, and counts what is parked in all databases."""

    def __init__(self, settings: Settings) -> None:
        self._amqp_uri = settings.amqp_uri(catalog.GATEWAY)
        self._databases = {owner: dsn(settings.database_url(owner)) for owner in catalog.owners()}
        self._turns = {owner: asyncio.Lock() for owner in self._databases}
        self.trouble: str | None = "parked messages are not read yet"

    async def run(self) -> None:
        """Work until cancelled; begins again after any trouble."""
        await asyncio.gather(self._read_always(), self._count_always())

    async def _read_always(self) -> None:
        while True:
            try:
                cause = await self._read()
            except Exception as error:  # noqa: BLE001 - the messages stay where they are
                cause = repr(error)
            self.trouble = "parked messages cannot be read"
            log.warning("Parked messages cannot be read.", extra={"cause": cause})
            await asyncio.sleep(_PAUSE_SECONDS)

    async def _read(self) -> str:
        """Why the link ended."""
        link = await bus.connect(self._amqp_uri)
        keeping: set[asyncio.Task[None]] = set()
        try:
            channel = await link.channel()
            channel.basic_qos(prefetch_count=PREFETCH)

            def on_message(_: Any, method: Any, properties: Any, body: bytes) -> None:
                task = asyncio.create_task(self._keep(channel, method, properties, body))
                keeping.add(task)
                task.add_done_callback(keeping.discard)

            for queue in (topology.PARKING, topology.UNROUTED):
                channel.basic_consume(queue, on_message)
            self.trouble = None
            return await link.closed
        finally:
            for task in keeping:
                task.cancel()
            link.close()

    async def _keep(self, channel: Any, method: Any, properties: Any, body: bytes) -> None:
        """Write the row, then acknowledge.

        A message that waits for its database stays unacknowledged: to put it back would count as
        another failure of it, and a quorum queue drops what failed too often.
        """
        message = found(method, properties, body)
        row = message.row
        while True:
            try:
                async with self._turns[message.owner], await self._open(message.owner) as database:
                    await database.execute(_KEEP, row)
                break
            except (psycopg.Error, OSError) as error:
                log.warning("A parked message waits.", extra={"cause": repr(error)})
                await asyncio.sleep(_PAUSE_SECONDS)
        told = {name: row[name] for name in ("consumer", "routing_key", "sender", "error")}
        log.error("A message was parked.", extra={"owner": message.owner, **told})
        if channel.is_open:
            channel.basic_ack(method.delivery_tag)

    async def _open(self, owner: str) -> psycopg.AsyncConnection[Any]:
        return await psycopg.AsyncConnection.connect(self._databases[owner], autocommit=True)

    async def _count_always(self) -> None:
        statements = {owner: _spelt_out(owner) for owner in self._databases}
        while True:
            for owner, statement in statements.items():
                try:
                    async with await self._open(owner) as database:
                        cursor = await database.execute(statement)
                        metrics.parked(owner, parking.KINDS, dict(await cursor.fetchall()))
                except (psycopg.Error, OSError) as error:
                    log.info("Parked things were not counted.", extra={"cause": repr(error)})
            await asyncio.sleep(COUNT_SECONDS)


def _spelt_out(owner: str) -> bytes:
    """The statement that counts, with its few constants in it."""
    options = {"literal_binds": True}
    compiled = parking.counts(owner).compile(
        dialect=postgresql.dialect(),  # type: ignore[no-untyped-call]
        compile_kwargs=options,
    )
    # psycopg would take the percent signs of parameters out of it; there are none.
    return str(compiled).encode()
