"""``crm seed``: every owner fills its own database with the demo company, side by side.

Each owner's ``seed.py`` copies rows straight into its tables. It happens once per database and
whole or not at all, so a second call, or one after a crash, does only what is still missing.
"""

import concurrent.futures
import importlib
import importlib.util
import multiprocessing
import os
import sys
import time
from collections.abc import Callable
from types import ModuleType
from typing import Any, LiteralString

import psycopg
from psycopg import sql

from crmkit import catalog, tables
from crmkit.dsn import dsn
from crmkit.settings import from_environment

_BAR = 30


def main(count: int) -> None:
    """Seed all owners with ``count`` customers; one line and the end when one cannot."""
    owners = [o for o in catalog.owners() if importlib.util.find_spec(_module(o))]
    # As the role that the tables belong to: it drops indexes and makes them again.
    urls = dict(zip(owners, from_environment().migration_urls(*owners), strict=True))
    context = multiprocessing.get_context("spawn")
    began = time.monotonic()
    with (
        context.Manager() as manager,
        concurrent.futures.ProcessPoolExecutor(os.cpu_count(), mp_context=context) as pool,
    ):
        done: Any = manager.dict()
        # The gateway's seed announces the staff. Its events must find the copies already made.
        for wave in (_largest_first(owners), [o for o in owners if o == catalog.GATEWAY]):
            running = [pool.submit(_seed, owner, urls[owner], count, done) for owner in wave]
            while any(not future.done() for future in running):
                _show(dict(done), owners, count)
                time.sleep(0.1)
            for future in running:
                future.result()
        _show(dict(done), owners, count)
    seconds = time.monotonic() - began
    print(f"\n{count} customers in {seconds:.1f} s ({count / seconds:,.0f}/s)")  # noqa: T201


def _largest_first(owners: list[str]) -> list[str]:
    # The first owner of customers has most to write; starting it last would leave a core idle.
    services = [owner for owner in owners if owner != catalog.GATEWAY]
    return sorted(services, key=lambda owner: owner != owners[0])


def _module(owner: str) -> str:
    return f"{catalog.package(owner)}.seed"


def _seed(owner: str, url: str, count: int, done: Any) -> None:
    demo = importlib.import_module("demo.company")
    module = importlib.import_module(_module(owner))
    address = dsn(url)
    total = 0

    def report(more: int) -> None:
        nonlocal total
        total += more
        done[owner] = total

    with psycopg.connect(address) as connection:
        connection.execute("set statement_timeout = 0")
        connection.execute("set idle_in_transaction_session_timeout = 0")
        if _is_new(connection):
            _fill(module, connection, demo, count, report)
        done[owner] = count


def _fill(
    module: ModuleType,
    connection: "psycopg.Connection[Any]",
    demo: ModuleType,
    count: int,
    report: Callable[[int], None],
) -> None:
    made_later = _without_indexes(connection)
    module.seed(connection, demo, count, report)
    # What is checked at the end of a transaction is checked now: no index is made before that.
    connection.execute("set constraints all immediate")
    for index in made_later:
        connection.execute(index)
    connection.commit()
    connection.autocommit = True
    connection.execute("analyze")


def _without_indexes(connection: "psycopg.Connection[Any]") -> list[LiteralString]:
    """Drop the owner's own indexes and say how each is made again.

    Making one over all rows costs half of keeping it up row by row. The kit's tables keep theirs,
    since services may be running, and so does whatever a constraint rests on.
    """
    kit = [str(name) for name in tables.metadata.tables]
    found = connection.execute(
        "select c.relname, pg_get_indexdef(i.indexrelid) from pg_index i"
        " join pg_class c on c.oid = i.indexrelid join pg_class t on t.oid = i.indrelid"
        " where t.relnamespace = 'public'::regnamespace and not i.indisunique"
        " and not t.relname = any(%s)",
        (kit,),
    ).fetchall()
    connection.execute("set local maintenance_work_mem = '128MB'")
    for name, _ in found:
        connection.execute(sql.SQL("drop index {}").format(sql.Identifier(name)))
    return [definition for _, definition in found]


def _is_new(connection: "psycopg.Connection[Any]") -> bool:
    """Whether this database was never seeded; takes the note that it now is."""
    cursor = connection.execute(
        "insert into command (id, result, created_at) values ('seed', 'null', 'infinity')"
        " on conflict do nothing"
    )
    return cursor.rowcount == 1


def _show(done: dict[str, int], owners: list[str], count: int) -> None:
    if not sys.stdout.isatty():
        return
    share = sum(done.values()) / max(1, count * len(owners))
    filled = round(share * _BAR)
    bar = "█" * filled + "·" * (_BAR - filled)
    waiting = ", ".join(owner for owner in owners if done.get(owner, 0) < count)
    sys.stdout.write(f"\r  seeding {bar} {share:4.0%}  {waiting[:40]:<40}")
    sys.stdout.flush()
