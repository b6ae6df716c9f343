"""A Rapport of their own for the tests that break it, and the book their numbers go into."""

import os
import sys
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any

import pytest

from crmkit.local.stack import LocalStack
from tests.chaos import faulty, points, report
from tests.chaos.checker import Checker, Databases
from tests.chaos.driving import Driver, token_of
from tests.chaos.faults import SEED, Ctl, everything_ready
from tests.talking import Api

HERE = Path(__file__).parent
SERVERS = {"rapport", "line", "stack", "trio", "world"}
WITHOUT_LIMITS = {"RATE_PER_SECOND": "1000000"}
FAILING_PERCENT = 5


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Whatever here asks for a stack needs servers."""
    for item in items:
        if HERE in item.path.parents and SERVERS & set(getattr(item, "fixturenames", ())):
            item.add_marker(pytest.mark.server)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: "pytest.CallInfo[None]"
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Tell the book how a test that wrote into it has ended."""
    outcome = yield
    if call.when == "call" and outcome.passed and "note" in getattr(item, "fixturenames", ()):
        report.passed(item.name)
    return outcome


def environment(**more: str) -> dict[str, str]:
    """Our environment with the limit of requests out of the way."""
    return {**os.environ, **WITHOUT_LIMITS, **more}


@pytest.fixture(autouse=True, scope="package")
def same_dice(pytestconfig: pytest.Config) -> Iterator[None]:
    """`make test` breaks the same each time; `make chaos` looks for what was not tried yet."""
    with pytest.MonkeyPatch.context() as patch:
        if pytestconfig.option.markexpr and SEED not in os.environ:
            patch.setenv(SEED, "1")
        yield


@pytest.fixture
def slack(pytestconfig: pytest.Config) -> float:
    """How many times longer than promised something may take: not at all in `make chaos`.

    `make test` shares its machine with others and asks what happens rather than how fast.
    """
    return 3.0 if pytestconfig.option.markexpr else 1.0


@pytest.fixture(scope="package")
def rapport(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalStack]:
    """A whole Rapport that only these tests use, without a limit of requests.

    One in twenty attempts to handle an event fails, on top of whatever else is done to it.
    """
    stack = LocalStack(
        tmp_path_factory.mktemp("chaos"),
        seed_customers=1,
        scale={"gateway": 2},
        inherited=environment(
            **{
                faulty.FAILING: str(FAILING_PERCENT),
                points.FOLDER: str(tmp_path_factory.mktemp("points")),
            }
        ),
        crm=(sys.executable, "-m", "tests.chaos.faulty"),
    )
    stack.start()
    yield stack
    stack.stop()


@pytest.fixture
def client(rapport: LocalStack) -> Iterator[Api]:
    """The HTTP API of that stack, logged in as the administrator, once all of it is ready."""
    everything_ready(rapport)
    with Api(rapport.base_url) as api:
        run = rapport.addresses()
        api.log_in(run["email"], run["password"])
        yield api


@pytest.fixture
def driver(rapport: LocalStack, client: Api) -> Iterator[Driver]:
    """The same as a quicker client that does not judge the answers."""
    with Driver(rapport.base_url, token_of(client)) as driver:
        yield driver


@pytest.fixture
def databases(rapport: LocalStack) -> Iterator[Databases]:
    """Its databases."""
    found = Databases(rapport)
    yield found
    found.close()


@pytest.fixture
def checker(rapport: LocalStack) -> Iterator[Checker]:
    """Counts what becomes of it from here on."""
    found = Checker(rapport)
    yield found
    found.close()


@pytest.fixture(scope="package")
def ctl(rapport: LocalStack) -> Ctl:
    """rabbitmqctl for its broker."""
    return Ctl(rapport)


@pytest.fixture
def note(request: pytest.FixtureRequest) -> Any:
    """Writes the numbers of a test into the report: ``note("T1", orders=10_000, lost=0)``."""

    def write(test: str, **numbers: Any) -> None:
        full = request.node.get_closest_marker("chaos") is not None
        report.note(test, request.node.name, numbers, full=full)

    return write
