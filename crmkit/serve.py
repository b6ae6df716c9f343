"""``crm serve <service>``: one service in one process, until SIGTERM has drained it.

This module must be imported before anything that opens sockets: it makes the standard library
cooperative for eventlet, and psycopg wait in a way eventlet can see.
"""

import os

# Names are looked up when a connection is made and never else; eventlet's own resolver costs a
# quarter of a second at every start.
os.environ["EVENTLET_NO_GREENDNS"] = "yes"

import eventlet
import eventlet.tpool

eventlet.monkey_patch()

import logging
import signal
import time
from typing import Any

from nameko.runners import ServiceRunner
from sqlalchemy import text

from crmkit import catalog, entrypoints, green, health, logs, tracing
from crmkit.context import Context
from crmkit.db import Database, purge
from crmkit.errors import Unavailable
from crmkit.parking_commands import answering
from crmkit.settings import from_environment, places

log = logging.getLogger(__name__)

WORKERS = 10
_LONGEST_DRAIN_SECONDS = 25
_DATABASE_SECONDS = 20


def main(service: str) -> None:
    """Serve until told to stop."""
    settings = from_environment()
    logs.set_up(service, settings.text("LOG_LEVEL", "info"))
    settings.need("SECRET_KEY", *places(service))
    settings.secret_key()
    workers = settings.number("WORKERS", WORKERS)
    green.install()
    tracing.set_up(service, settings, apart=eventlet.tpool.execute)
    database = Database(settings.database_url(service), pool_size=workers + 3, name=service)
    _await_database(database)
    _prove_cooperation(database)
    runner = ServiceRunner(
        {
            "AMQP_URI": settings.amqp_uri(service),
            "DATABASE": database,
            "max_workers": workers,
            "SERVICE_CONTAINER_CLS": "crmkit.entrypoints.container.Container",
        }
    )
    runner.add_service(answering(catalog.service_class(service)))
    _stop_on_signal(runner)
    (container,) = runner.containers
    health.serve(settings, lambda: entrypoints.container_trouble(container))
    runner.start()
    eventlet.spawn_n(_purge_now_and_then, database)
    log.info("Serving.", extra={"workers": workers})
    runner.wait()
    tracing.shut_down()
    log.info("Stopped.")


def _stop_on_signal(runner: Any) -> None:
    stopping: list[bool] = []

    def stop(*_: object) -> None:
        if not stopping:
            stopping.append(True)
            eventlet.spawn_n(runner.stop)
            eventlet.spawn_after(_LONGEST_DRAIN_SECONDS, os._exit, 1)

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)


def _await_database(database: Database) -> None:
    """Return when the database answers; the end, with one line that says why, if it never does."""
    give_up = time.monotonic() + _DATABASE_SECONDS
    while True:
        try:
            return database.ping()
        except Unavailable as error:
            cause = getattr(error.__cause__, "orig", None) or error
            why = str(cause).strip().splitlines()[0]
            if time.monotonic() > give_up or "authentication" in why:
                raise SystemExit(f"The database does not answer: {why}") from None
        time.sleep(0.5)


def _prove_cooperation(database: Database) -> None:
    """End the start when queries run one after another: a blocked hub misses heartbeats."""

    def nap() -> None:
        with database.reading(Context()) as session:
            session.execute(text("select pg_sleep(0.05)"))

    def seconds(naps: int) -> float:
        began = time.monotonic()
        pool = eventlet.GreenPool()
        for _ in range(naps):
            pool.spawn(nap)
        pool.waitall()
        return time.monotonic() - began

    seconds(5)  # Opens the connections.
    # One after another they take five times as long; once they may on a busy machine, too.
    if all(seconds(5) > 3 * seconds(1) for _ in range(3)):
        raise SystemExit("psycopg blocks eventlet: crmkit.green has no effect.")


def _purge_now_and_then(database: Database) -> None:
    while True:
        eventlet.sleep(3600)
        try:
            purge(database)
        except Exception:
            log.exception("Old rows could not be deleted.")
