"""Fixtures for all tests: one private PostgreSQL for the run, a fresh view of it for each test."""

import gc
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from sqlalchemy.orm import Session

from crmkit import testing
from crmkit.db import Database
from crmkit.local.postgres import PostgresServer

os.environ.setdefault("SECRET_KEY", testing.SECRET_KEY)

# How long an example takes says more about the machine than about what is tested. Examples are the
# same in each run, so that none fails for what another commit has done; whoever looks for others
# asks for `--hypothesis-profile=curious`.
settings.register_profile("curious", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("patient", settings.get_profile("curious"), derandomize=True)
settings.load_profile("patient")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Whatever asks for the PostgreSQL needs a server, and is none of the quick tests."""
    for item in items:
        if "postgres" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.server)


def pytest_collection_finish() -> None:
    """All that was imported and collected stays, and need not be looked through for garbage."""
    gc.freeze()


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PostgresServer]:
    """A PostgreSQL of this run's own."""
    with testing.private_postgres(tmp_path_factory.mktemp("pg")) as server:
        yield server


@pytest.fixture(scope="session")
def database_of(postgres: PostgresServer) -> Iterator[Callable[[str], Database]]:
    """The migrated database of an owner, by name."""
    made: dict[str, Database] = {}

    def of(owner: str) -> Database:
        if owner not in made:
            made[owner] = testing.migrated(postgres, owner)
        return made[owner]

    yield of
    for database in made.values():
        database.close()


@pytest.fixture
def database(request: pytest.FixtureRequest, database_of: Callable[[str], Database]) -> Database:
    """The database of the owner in whose folder the test lies."""
    return database_of(_owner(request.path))


@pytest.fixture
def owned(
    request: pytest.FixtureRequest, postgres: PostgresServer, database: Database
) -> Iterator[Database]:
    """The same database as the role that its tables belong to."""
    url = postgres.migration_url(_owner(request.path))
    owned = Database(url, pool_size=1, name="test owned")
    yield owned
    owned.close()


@pytest.fixture
def session(database: Database) -> Iterator[Session]:
    """A session on that database, acting as the system; all of it is undone afterwards."""
    with testing.rolled_back(database) as session:
        yield session


def _owner(path: Path) -> str:
    parts = path.parts
    return parts[parts.index("services") + 1] if "services" in parts else "gateway"
