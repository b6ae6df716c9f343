"""What tests need: a private PostgreSQL, sessions that are rolled back, probes that wait."""

import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar
from uuid import UUID

from sqlalchemy import MetaData, event, make_url, select
from sqlalchemy.orm import Session

from crmkit import catalog, migrate, rights, tables
from crmkit.context import Actor, Context
from crmkit.db import Database
from crmkit.ids import new_id
from crmkit.local import databases
from crmkit.local.installation import Installation
from crmkit.local.postgres import PostgresServer, postgres_server
from crmkit.local.spawning import end_group, spawn
from crmkit.messages import Envelope, Event, load
from crmkit.tables import outbox

Probe = TypeVar("Probe")

SECRET_KEY = "a key for tests only, never for anything else"  # noqa: S105
_UNSAFE_BUT_QUICK = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}
# A service gives up after seconds. What a test proves must not hang on how long the machine stood
# still while one transaction of it waited for another, or for the test.
_PATIENT = " ".join(
    f"-c{limit}=120s"
    for limit in ("statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout")
)


def eventually(probe: Callable[[], Probe], *, seconds: float = 30.0, pause: float = 0.05) -> Probe:
    """The first truthy value of ``probe``, which may raise AssertionError until then.

    The only way tests wait. AssertionError when it takes longer than ``seconds``, which are many
    because a machine may be slow and busy; whoever gets what they wait for loses none of them.
    """
    end = time.monotonic() + seconds
    while True:
        try:
            value = probe()
            if value:
                return value
            trouble = f"still {value!r}"
        except AssertionError as error:
            trouble = str(error)
        if time.monotonic() > end:
            raise AssertionError(f"Not within {seconds} s: {trouble}")
        time.sleep(pause)


@contextlib.contextmanager
def private_postgres(folder: Path) -> Iterator[PostgresServer]:
    """A PostgreSQL of our own below ``folder``, with one database per owner."""
    server = postgres_server(Installation(folder), catalog.owners())
    server.settings.update(_UNSAFE_BUT_QUICK)
    server.prepare_folders()
    environment = {"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8"}
    log = folder / "postgres.log"

    def start(command: tuple[str, ...]) -> "subprocess.Popen[bytes]":
        return spawn(command, environment=environment, log=log, folder=folder, user=server.user)

    if start(server.initdb_command()).wait(120) != 0:
        sys.stderr.write(log.read_text())
        raise RuntimeError("initdb failed.")
    server.made()
    process = start(server.server_command())
    try:
        eventually(server.answers, seconds=90)
        databases.provide(server)
        yield server
    finally:
        process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(10)
        end_group(process)


def migrated(server: PostgresServer, owner: str) -> Database:
    """The owner's database with all its tables, with the rights that its processes have."""
    migrate.upgrade(owner, server.migration_url(owner), service=owner)
    patient = make_url(server.url(owner)).update_query_dict({"options": _PATIENT})
    url = patient.render_as_string(hide_password=False)
    return Database(url, pool_size=5, name=f"test {owner}")


@contextlib.contextmanager
def rolled_back(database: Database) -> Iterator[Session]:
    """A session acting as the system; what it does is undone at the end, commits included."""
    with database.engine.connect() as connection, connection.begin() as outer:
        with Session(
            connection, expire_on_commit=False, join_transaction_mode="create_savepoint"
        ) as session:
            session.info["context"] = Context()
            yield session
        outer.rollback()


def empty(database: Database, *metadatas: MetaData) -> None:
    """Delete all rows of the kit's tables and of these, but for those nobody may delete."""
    with database.engine.begin() as connection:
        for metadata in (*metadatas, tables.metadata):
            for table in reversed(metadata.sorted_tables):
                if not table.info.get(rights.ONLY_ADDED):
                    connection.execute(table.delete())


def blocks_read(session: Session, look: Callable[[], object]) -> int:
    """How many blocks (8 kB) of tables and indexes the database touches for what ``look`` asks."""
    asked: list[tuple[str, Any]] = []

    def note(_: Any, __: Any, statement: str, parameters: Any, *___: Any) -> None:
        asked.append((statement, parameters))

    connection = session.connection()
    event.listen(connection, "before_cursor_execute", note)
    try:
        look()
    finally:
        event.remove(connection, "before_cursor_execute", note)
    plans = [
        connection.exec_driver_sql(f"explain (analyze, buffers, format json) {statement}", given)
        for statement, given in asked
    ]
    tops = [plan.scalar_one()[0]["Plan"] for plan in plans]
    return sum(top["Shared Hit Blocks"] + top["Shared Read Blocks"] for top in tops)


def act_as(session: Session, actor: Actor) -> None:
    """Let the session work for another actor from here on."""
    session.info["context"] = replace(session.info["context"], actor=actor)


def staff(scope: Any = "all", team_path: str = "/hq/seoul/", identity: UUID | None = None) -> Actor:
    """A member of staff."""
    return Actor(id=identity or new_id(), kind="staff", scope=scope, team_path=team_path)


def announced(session: Session, kind: type[Event]) -> list[dict[str, Any]]:
    """The facts of the events of that kind in the outbox, oldest first, as a consumer gets them."""
    rows = session.execute(
        select(outbox.c.payload).where(outbox.c.type == kind.type).order_by(outbox.c.id)
    )
    return [load(kind, row.payload) for row in rows]


def envelope(kind: type[Event], facts: dict[str, Any], *, version: int = 1) -> Envelope:
    """An event as its subscriber gets it, out of plain facts."""
    from crmkit import codec
    from crmkit.clock import now

    data = load(kind, codec.loads(codec.dumps(facts)))
    identity = new_id()
    subject = f"{kind.aggregate}/{facts[kind.key]}"
    context = Context().caused_by(identity)
    return Envelope(identity, kind.type, subject, now(), version, data, context)
