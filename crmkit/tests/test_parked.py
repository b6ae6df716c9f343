"""``crm parked list`` beside a database that is down and a reader who takes time."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator

import pytest
from sqlalchemy import text

from crmkit import catalog
from crmkit.context import Context
from crmkit.db import Database
from crmkit.local.postgres import PostgresServer
from crmkit.testing import empty

pytestmark = pytest.mark.server
OWNER = "sales"
DOWN = "postgresql+psycopg://x:x@127.0.0.1:1/x"


@pytest.fixture
def database(database_of: Callable[[str], Database]) -> Iterator[Database]:
    """The only one that is up, left empty."""
    database = database_of(OWNER)
    yield database
    empty(database)


@pytest.fixture
def environment(postgres: PostgresServer) -> dict[str, str]:
    """Where the databases are, or should be."""
    urls = {owner: postgres.url(owner) if owner == OWNER else DOWN for owner in catalog.owners()}
    return os.environ | {f"{owner.upper()}_DATABASE_URL": url for owner, url in urls.items()}


def park(database: Database, count: int) -> None:
    with database.transaction(Context()) as session:
        session.execute(
            text(
                "insert into inbox (consumer, event_id, status, error)"
                " select 'sales.on_x', gen_random_uuid(), 'parked', repeat('x', 1000)"
                " from generate_series(1, :count)"
            ),
            {"count": count},
        )


class TestList:
    def test_tells_of_those_that_answer_and_names_the_others(
        self, database: Database, environment: dict[str, str]
    ) -> None:
        park(database, 1)
        command = [sys.executable, "-m", "crmkit", "parked", "list"]
        done = subprocess.run(
            command, env=environment, capture_output=True, text=True, timeout=60, check=False
        )
        (item,) = map(json.loads, done.stdout.splitlines())
        assert item["owner"] == OWNER
        named = {line.split(":")[0] for line in done.stderr.splitlines()}
        assert named == set(catalog.owners()) - {OWNER}
        assert done.returncode == 1

    def test_holds_no_transaction_while_somebody_reads_it(
        self, database: Database, environment: dict[str, str]
    ) -> None:
        park(database, 300)  # More than a page, which is more than a pipe holds.
        command = [sys.executable, "-m", "crmkit", "parked", "list", OWNER]
        with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE) as listing:
            assert listing.stdout
            listing.stdout.readline()
            with database.reading(Context()) as session:
                states = session.execute(
                    text("select state from pg_stat_activity where application_name = 'crm parked'")
                ).all()
            rest = listing.stdout.read()
        assert [state for (state,) in states] == ["idle"]
        assert (rest.count(b"\n"), listing.returncode) == (299, 0)
