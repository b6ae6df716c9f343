"""A folder of its own for each test, and processes that end with it."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from crmkit.local.installation import Installation
from crmkit.local.spawning import User, end_group, spawn


@pytest.fixture
def installation(tmp_path: Path) -> Installation:
    return Installation(tmp_path / "var")


@pytest.fixture
def run(installation: Installation) -> Iterator[Callable[..., object]]:
    """Start a command as the supervisor would; everything ends with the test."""
    started = []

    def start(
        command: tuple[str, ...], environment: dict[str, str], user: User | None = None
    ) -> object:
        process = spawn(
            command,
            environment=environment,
            log=installation.path("log", "test.log"),
            folder=Path(__file__).resolve().parents[3],
            user=user,
        )
        started.append(process)
        return process

    yield start
    for process in started:
        end_group(process)
        process.wait(10)
