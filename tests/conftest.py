"""One whole Rapport of the tests' own, on private ports, for integration and end-to-end tests."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from crmkit.local.stack import LocalStack
from tests.talking import Api, MailInbox

# jsonschema would build the grammar of a format that no schema of ours has: a second's work.
sys.modules.setdefault("rfc3987_syntax", None)

DEMO_CUSTOMERS = 60
HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Whatever here asks for the stack needs servers."""
    for item in items:
        if HERE in item.path.parents and "stack" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.server)


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalStack]:
    """Every process of Rapport, running."""
    # Whoever logs in once for all tests stays so to the end of the slowest run.
    settings = os.environ | {"ACCESS_TOKEN_MINUTES": "1440"}
    stack = LocalStack(
        tmp_path_factory.mktemp("rapport"), seed_customers=DEMO_CUSTOMERS, inherited=settings
    )
    stack.start()
    yield stack
    stack.stop()


@pytest.fixture(scope="session")
def api(stack: LocalStack) -> Iterator[Api]:
    """The HTTP API, logged in as the administrator."""
    with Api(stack.base_url) as api:
        run = stack.addresses()
        api.log_in(run["email"], run["password"])
        yield api


@pytest.fixture(scope="session")
def mails(stack: LocalStack) -> Iterator[MailInbox]:
    """The mails that Rapport sent."""
    with MailInbox(stack.addresses()["smtp_inbox_url"]) as inbox:
        yield inbox
