"""What the tests of the service desk share."""

from collections.abc import Iterator

import pytest

from crmkit.db import Database
from crmkit.testing import empty
from services.service_desk.models import Base


@pytest.fixture
def live(database: Database) -> Iterator[Database]:
    """The database for tests that commit; emptied afterwards."""
    yield database
    empty(database, Base.metadata)
