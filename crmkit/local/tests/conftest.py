"""A folder of its own for each test, and processes that end with it."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from crmkit.local.installation import Installation, listens
from crmkit.local.spawning import User, end_group, spawn
from crmkit.local.stack import INBOXES, inbox_settings
from crmkit.local.tests.probes import eventually


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
        process.wait(60)


@pytest.fixture
def inboxes(installation: Installation, run: Callable[..., object]) -> Callable[[str], int]:
    """The port of ``smtp``, ``mail_page``, ``smpp`` or ``sms_page`` of running inboxes."""
    settings = inbox_settings(installation, "secret") | {"SMS_SIMULATOR_RECEIPT_SECONDS": "0.05"}
    run(INBOXES, dict(os.environ) | settings)
    names = ("smtp", "mail_page", "smpp", "sms_page")
    eventually(lambda: all(listens(installation.port(name)) for name in names))
    return installation.port
