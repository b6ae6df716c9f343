"""``crm serve`` beside a database that is slow and a broker that goes away."""

import os
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import eventlet
import pytest
from eventlet.greenpool import GreenPool
from pika import spec
from sqlalchemy import create_engine, text

from crmkit.attachment import BusConsumer
from crmkit.db import Database
from crmkit.local.postgres import PostgresServer
from crmkit.testing import eventually
from crmkit.tests import brokers

OWNER = "customers"
NOWHERE = 1
# After 25 it ends by force, with another code.
END_SECONDS = 20.0
_PROOF = """
import sys
from crmkit import serve
from crmkit.db import Database

serve.green.install()
serve._prove_cooperation(Database(sys.argv[1], pool_size=5))
"""


class Broker(brokers.Broker):
    """Lets services attach; when one cancels a consumer it hangs up, or falls silent."""

    def __init__(self, *, silent: bool = False) -> None:
        super().__init__()
        self.consumers: Counter[int] = Counter()
        self._silent = silent

    def answers(self, number: int, one: Any) -> Iterator[Any]:
        yield from super().answers(number, one)
        method = getattr(one, "method", None)
        if isinstance(method, spec.Basic.Qos):
            yield spec.Basic.QosOk()
        elif isinstance(method, spec.Basic.Consume):
            self.consumers[number] += 1
            yield spec.Basic.ConsumeOk(method.consumer_tag)
        elif isinstance(method, spec.Basic.Cancel) and not self._silent:
            raise ConnectionError


@pytest.mark.server
class TestStop:
    @pytest.fixture
    def ended(
        self,
        postgres: PostgresServer,
        database_of: Callable[[str], Database],
        tmp_path: Path,
    ) -> Callable[[int, str], int]:
        """The exit code of a service told to end when its log has these words."""
        database_of(OWNER)

        def run(port: int, words: str) -> int:
            log = tmp_path / "log"
            environment = os.environ | {
                f"{OWNER.upper()}_DATABASE_URL": postgres.url(OWNER),
                f"{OWNER.upper()}_AMQP_URI": f"amqp://x:x@127.0.0.1:{port}/",
            }
            command = [sys.executable, "-m", "crmkit", "serve", OWNER]
            with (
                log.open("wb") as file,
                subprocess.Popen(command, env=environment, stdout=file, stderr=file) as process,
            ):
                try:
                    eventually(lambda: words in log.read_text(), seconds=60)
                    process.terminate()
                    return process.wait(END_SECONDS)
                finally:
                    process.kill()

        return run

    def test_does_not_wait_for_a_broker_that_never_came(
        self, ended: Callable[[int, str], int]
    ) -> None:
        assert ended(NOWHERE, "The broker cannot be reached.") == 0

    @pytest.mark.parametrize("silent", [False, True], ids=["hangs up", "falls silent"])
    def test_does_not_wait_for_a_broker_that_goes_and_asks_it_for_nothing_more(
        self, ended: Callable[[int, str], int], silent: bool
    ) -> None:
        broker = Broker(silent=silent)
        with brokers.listening(broker) as port:
            assert ended(port, "Serving.") == 0
        assert set(broker.consumers) == {0}


class TestReading:
    def test_does_not_wait_for_a_worker_that_somebody_waits_for(self) -> None:
        pool, taken, apart = GreenPool(1), [], []
        consumer = BusConsumer()
        consumer.container = SimpleNamespace(
            _worker_pool=pool, spawn_managed_thread=lambda run, identifier: apart.append(run)
        )
        provider = SimpleNamespace(receive=taken.append)
        pool.sem.acquire()
        waiting = eventlet.spawn(pool.sem.acquire)
        eventlet.sleep(0)
        pool.sem.release()  # A worker has ended; who waits for it is woken later.
        consumer.on_message(provider, SimpleNamespace())
        assert (len(taken), len(apart)) == (0, 1)
        waiting.wait()
        pool.sem.release()
        consumer.on_message(provider, SimpleNamespace())
        assert (len(taken), len(apart)) == (1, 1)


@pytest.mark.server
class TestCooperation:
    def test_of_a_slow_database_is_seen(
        self, postgres: PostgresServer, database_of: Callable[[str], Database]
    ) -> None:
        database_of(OWNER)
        engine = create_engine(postgres.migration_url(OWNER), isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            # It fits a number with a point better than PostgreSQL's own.
            connection.execute(
                text(
                    "create function pg_sleep(numeric) returns void language sql"
                    " as 'select pg_catalog.pg_sleep(0.25)'"
                )
            )
            try:
                command = [sys.executable, "-c", _PROOF, postgres.url(OWNER)]
                subprocess.run(command, check=True, timeout=120)
            finally:
                connection.execute(text("drop function pg_sleep(numeric)"))
        engine.dispose()
