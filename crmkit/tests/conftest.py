"""A database for the tests of the kit."""

from collections.abc import Callable, Iterator

import pytest

from crmkit.db import Database
from crmkit.testing import empty


@pytest.fixture
def database(database_of: Callable[[str], Database]) -> Iterator[Database]:
    """A database with the kit's tables, left empty."""
    database = database_of("customers")
    yield database
    empty(database)
