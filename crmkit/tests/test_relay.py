"""The relay's own bookkeeping, without a broker: on channels of the tests' own."""

import asyncio
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any
from uuid import UUID

import pika
import psycopg
import pytest
from psycopg.rows import dict_row
from sqlalchemy import insert, select

from contracts import customers
from crmkit.clock import now
from crmkit.db import Database
from crmkit.dsn import dsn
from crmkit.ids import new_id
from crmkit.local.postgres import PostgresServer
from crmkit.relay import Publisher, Relay
from crmkit.tables import outbox
from crmkit.testing import empty


class Channel:
    def confirm_delivery(self, callback: Any) -> None:
        """Nothing confirms here."""

    def add_on_return_callback(self, callback: Any) -> None:
        """Nothing comes back here."""


class TestPublisher:
    def test_an_empty_batch_waits_for_nothing(self) -> None:
        async def publish() -> set[int]:
            publisher = Publisher(None, Channel())  # type: ignore[arg-type]
            return await asyncio.wait_for(publisher.publish("customers", []), 30)

        assert asyncio.run(publish()) == set()

    def test_an_idle_relay_notices_that_the_link_has_ended(self) -> None:
        class Link:
            closed: "asyncio.Future[str]"

        async def relay() -> None:
            link = Link()
            link.closed = asyncio.get_running_loop().create_future()
            link.closed.set_result("no heartbeats")
            publisher = Publisher(link, Channel())  # type: ignore[arg-type]
            idle = Relay("customers", "postgresql+psycopg://x/y", "amqp://x")
            await idle._relay(None, publisher)  # type: ignore[arg-type]

        with pytest.raises(ConnectionError, match="no heartbeats"):
            asyncio.run(relay())

    def test_waits_for_a_broker_that_says_it_is_full(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("crmkit.relay.CONFIRM_SECONDS", 0.02)
        message = [(7, "customers.x", "id", b"{}")]

        async def publish(*, blocked: bool, after: float) -> set[int]:
            publisher = Publisher(a_link(blocked=blocked), Taking(after=after))
            return await publisher.publish("customers", message)

        assert asyncio.run(publish(blocked=True, after=0.2)) == set()
        with pytest.raises(ConnectionError, match="did not confirm"):
            asyncio.run(publish(blocked=False, after=3600))

    def test_what_comes_back_was_not_taken(self) -> None:
        async def publish() -> set[int]:
            broker = Taking(astray="customers.lost")
            publisher = Publisher(a_link(), broker)
            messages = [(7, "customers.kept", "a", b"{}"), (8, "customers.lost", "b", b"{}")]
            return await publisher.publish("customers", messages)

        assert asyncio.run(publish()) == {8}


class Taking(Channel):
    """Confirms whatever comes, ``after`` so many seconds; nobody takes what goes ``astray``."""

    def __init__(self, after: float = 0, astray: str = "") -> None:
        self.taken: list[str] = []
        self._after = after
        self._astray = astray

    def confirm_delivery(self, callback: Any) -> None:
        self._confirm = callback

    def add_on_return_callback(self, callback: Any) -> None:
        self._return = callback

    def basic_publish(
        self, _: str, key: str, body: bytes, properties: Any, *, mandatory: bool
    ) -> None:
        self.taken.append(key)
        loop = asyncio.get_running_loop()
        if key == self._astray:
            loop.call_soon(self._return, self, None, properties, body)
        confirmed = SimpleNamespace(method=pika.spec.Basic.Ack(len(self.taken)))
        loop.call_later(self._after, self._confirm, confirmed)


def a_link(*, blocked: bool = False) -> Any:
    """A link as the publisher sees it."""
    return SimpleNamespace(user="customers", closed=asyncio.Future(), blocked=blocked)


@pytest.mark.server
class TestStep:
    def test_an_event_waits_for_one_of_its_record_of_an_unknown_type(
        self, postgres: PostgresServer, database_of: Callable[[str], Database]
    ) -> None:
        record, another, known = new_id(), new_id(), customers.CustomerUpdated.type
        events = [
            (record, 1, known),
            (record, 2, "crm.customers.later"),
            (record, 3, known),
            (another, 1, known),
        ]
        database = database_of("customers")
        with database.engine.begin() as session:
            session.execute(insert(outbox), [announced(*event) for event in events])
        url = postgres.url("customers")

        async def step() -> tuple[list[dict[str, Any]], float]:
            broker = Taking()
            publisher = Publisher(a_link(), broker)
            relay = Relay("customers", url, "amqp://x")
            async with await psycopg.AsyncConnection.connect(
                dsn(url), autocommit=True, row_factory=dict_row
            ) as connection:
                await relay._step(connection, publisher, await relay._waiting(connection))
                return await relay._waiting(connection), relay._oldest_seconds()

        ready, oldest_seconds = asyncio.run(step())
        with database.engine.begin() as session:
            left = session.scalars(select(outbox.c.published_at).order_by(outbox.c.id)).all()
        empty(database)
        assert [at is not None for at in left] == [True, False, False, True]
        assert ready == []
        assert oldest_seconds > 0


@pytest.mark.server
class TestStandingBy:
    def test_leaves_it_to_the_leader_to_tell_what_waits(
        self, postgres: PostgresServer, database_of: Callable[[str], Database]
    ) -> None:
        database_of("customers")
        url = postgres.url("customers")

        async def stand_by() -> float:
            relay = Relay("customers", url, "amqp://x")
            relay._oldest = relay._postponed = now()  # It led before.
            connect = psycopg.AsyncConnection.connect
            async with (
                await connect(dsn(url), autocommit=True, row_factory=dict_row) as leader,
                await connect(dsn(url), autocommit=True, row_factory=dict_row) as other,
            ):
                await relay._lead(leader)
                waiting = asyncio.create_task(relay._lead(other))
                while relay.trouble is not None:
                    await asyncio.sleep(0)
                relay.stopping = True
                await waiting
            return relay._oldest_seconds()

        assert asyncio.run(stand_by()) == 0.0


@pytest.mark.server
class TestLeading:
    def test_tells_what_waits_although_no_broker_can_be_had(
        self, postgres: PostgresServer, database_of: Callable[[str], Database]
    ) -> None:
        database = database_of("customers")
        with database.engine.begin() as session:
            session.execute(
                insert(outbox), [announced(new_id(), 1, customers.CustomerUpdated.type)]
            )

        async def lead() -> float:
            relay = Relay("customers", postgres.url("customers"), "amqp://127.0.0.1:1")
            with pytest.raises(ConnectionError, match="refused"):
                await relay._session()
            return relay._oldest_seconds()

        oldest_seconds = asyncio.run(lead())
        empty(database)
        assert oldest_seconds > 0


def announced(aggregate_id: UUID, version: int, kind: str) -> dict[str, Any]:
    """A row of the outbox."""
    return {
        "event_id": new_id(),
        "type": kind,
        "aggregate_id": aggregate_id,
        "aggregate_version": version,
        "payload": {},
        "context": {},
        "created_at": now(),
    }


class TestRun:
    def test_goes_on_after_trouble_of_any_kind_and_says_so(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        relay = Relay("customers", "postgresql+psycopg://x/y", "amqp://x")
        tries: list[str | None] = []

        async def session() -> None:
            tries.append(relay.trouble)
            if len(tries) == 2:
                relay.stopping = True
                return
            raise KeyError("a bug")

        monkeypatch.setattr(relay, "_session", session)
        asyncio.run(asyncio.wait_for(relay.run(), 30))
        assert len(tries) == 2
        assert "a bug" in str(tries[1])
