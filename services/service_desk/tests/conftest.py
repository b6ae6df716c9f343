"""What the tests of the service desk share."""

from collections.abc import Iterator

import pytest
from sqlalchemy import text

from crmkit import tables
from crmkit.db import Database
from services.service_desk.models import Base


@pytest.fixture
def live(database: Database) -> Iterator[Database]:
    """The database for tests that commit; emptied afterwards."""
    yield database
    names = [*Base.metadata.tables, *tables.metadata.tables]
    with database.engine.begin() as connection:
        connection.execute(text(f"truncate {', '.join(names)} cascade"))
