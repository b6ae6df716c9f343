"""T24: a process that cannot work says why in one line, and ends or is never called ready."""

import contextlib
import http.client
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import pytest

from crmkit.dsn import dsn
from crmkit.local.stack import ROOT, LocalStack
from tests.chaos.faults import Ctl

SETTLE_SECONDS = 90.0
UNREADY_SECONDS = 8.0
EMPTY = "empty"
BLOCKING = (
    "import crmkit.serve as serve; serve.green.install = lambda: None; serve.main('marketing')"
)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a process: its exit code (None: it lives on), its log, its readiness."""

    code: int | None
    log: str
    ready: str
    was_ready: bool


class Starting:
    """Starts processes beside a running stack with settings of the test's own."""

    def __init__(self, stack: LocalStack, folder: Path) -> None:
        self._stack, self._folder = stack, folder

    def outcome(
        self, *words: str, unready_seconds: float = UNREADY_SECONDS, **changes: str
    ) -> Outcome:
        """What becomes of ``crm`` with these words, or of a Python program after ``-c``.

        It is over when it ended, said that it is ready, or said for so long that it is not.
        """
        port = self._stack.installation.port("health.starting")
        environment = self._stack.env() | {"HEALTH_PORT": str(port)} | changes
        command = [*words] if words[0] == "-c" else ["-m", "crmkit", *words]
        log = self._folder / "log"
        with log.open("wb") as file:
            process = subprocess.Popen(
                [sys.executable, *command],
                env=environment,
                cwd=ROOT,
                stdout=file,
                stderr=file,
                start_new_session=True,
            )
            try:
                ready, was_ready = _watch(process, port, unready_seconds)
            finally:
                code = process.poll()
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                process.wait(60)
        return Outcome(code, log.read_text(), ready, was_ready)


def _watch(
    process: "subprocess.Popen[bytes]", port: int, unready_seconds: float
) -> tuple[str, bool]:
    """The last word on its readiness, and whether it said it was ready."""
    end, last = time.monotonic() + SETTLE_SECONDS, ""
    unready_since: float | None = None
    while time.monotonic() < end and process.poll() is None:
        status, text = _ready(port)
        last = text or last
        if status == 200:
            return last, True
        if status == 503:
            unready_since = unready_since or time.monotonic()
            if time.monotonic() - unready_since > unready_seconds:
                break
        time.sleep(0.2)
    return last, False


def _ready(port: int) -> tuple[int, str]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=2)
    try:
        connection.request("GET", "/ready")
        answer = connection.getresponse()
        return answer.status, answer.read().decode().strip()
    except (OSError, http.client.HTTPException):
        return 0, ""
    finally:
        connection.close()


@pytest.fixture
def starting(rapport: LocalStack, tmp_path: Path) -> Starting:
    return Starting(rapport, tmp_path)


@pytest.fixture
def empty_vhost(rapport: LocalStack, ctl: Ctl) -> Iterator[Callable[[str], str]]:
    """Addresses of a vhost in which no queue exists, by user."""
    ctl("add_vhost", EMPTY)

    def address(user: str) -> str:
        ctl("set_permissions", "-p", EMPTY, user, "", ".*", ".*")
        return ctl.node.uri(user).rsplit("/", 1)[0] + f"/{EMPTY}"

    yield address
    ctl("delete_vhost", EMPTY)


@pytest.fixture
def bus_with(rapport: LocalStack, ctl: Ctl, tmp_path: Path) -> Iterator[Callable[..., str]]:
    """The address, for marketing, of a copy of the bus in which one queue has other arguments."""
    ours = json.loads(rapport.installation.path("rabbitmq", "definitions.json").read_text())

    def address(queue: str, **arguments: Any) -> str:
        copy = {name: ours[name] for name in ("exchanges", "queues", "bindings", "permissions")}
        copy = json.loads(json.dumps(copy).replace('"vhost": "crm"', f'"vhost": "{EMPTY}"'))
        for row in copy["queues"]:
            if row["name"] == queue:
                row["arguments"] = {f"x-{k.replace('_', '-')}": v for k, v in arguments.items()}
        ctl("add_vhost", EMPTY)
        file = tmp_path / "definitions.json"
        file.write_text(json.dumps(copy))
        file.chmod(0o644)
        ctl("import_definitions", str(file))
        return ctl.node.uri("marketing").rsplit("/", 1)[0] + f"/{EMPTY}"

    yield address
    ctl("delete_vhost", EMPTY)


class TestSettings:
    @pytest.mark.parametrize(
        ("words", "missing"),
        [
            (("serve", "sales"), "SALES_DATABASE_URL"),
            (("relay",), "SALES_AMQP_URI"),
            (("sender",), "NOTIFICATIONS_DATABASE_URL"),
            (("gateway",), "SECRET_KEY"),
        ],
    )
    def test_a_missing_one_ends_the_start_in_one_line_that_names_it(
        self, words: tuple[str, ...], missing: str, starting: Starting, note: Callable[..., None]
    ) -> None:
        outcome = starting.outcome(*words, **{missing: ""})
        note("T24", refuses=" ".join(words), without=missing, code=outcome.code)
        assert outcome.code == 1
        assert len(told(outcome)) == 1, outcome.log
        assert missing in outcome.log


class TestDatabase:
    def test_a_wrong_password_is_said_in_one_line(
        self, rapport: LocalStack, starting: Starting, note: Callable[..., None]
    ) -> None:
        wrong = re.sub(r"//sales:[^@]*@", "//sales:wrong@", rapport.env()["SALES_DATABASE_URL"])
        outcome = starting.outcome("serve", "sales", SALES_DATABASE_URL=wrong)
        note("T24", refuses="serve sales", because="wrong password", code=outcome.code)
        assert not outcome.was_ready
        # It may also wait: whoever mends the password needs no restart then.
        assert outcome.code != 0
        assert "Traceback" not in outcome.log, outcome.log[-2000:]
        assert len(told(outcome)) == 1, outcome.log[-2000:]
        assert "password authentication failed" in outcome.log

    def test_a_driver_that_blocks_ends_the_start_in_one_line(
        self, rapport: LocalStack, starting: Starting, note: Callable[..., None]
    ) -> None:
        address = dsn(rapport.env()["MARKETING_MIGRATION_URL"])
        with psycopg.connect(address, autocommit=True) as connection:
            # So slow that a busy machine makes no difference; see crmkit/tests/test_serve.py.
            connection.execute(
                "create function pg_sleep(numeric) returns void language sql"
                " as 'select pg_catalog.pg_sleep(0.25)'"
            )
            try:
                outcome = starting.outcome("-c", BLOCKING)
            finally:
                connection.execute("drop function pg_sleep(numeric)")
        note("T24", refuses="serve marketing", because="psycopg blocks", code=outcome.code)
        assert outcome.code == 1
        assert "psycopg blocks eventlet" in outcome.log.strip().splitlines()[-1]


class TestBroker:
    def test_a_missing_queue_keeps_it_unready(
        self, starting: Starting, empty_vhost: Callable[[str], str], note: Callable[..., None]
    ) -> None:
        outcome = starting.outcome(
            "serve", "marketing", MARKETING_AMQP_URI=empty_vhost("marketing")
        )
        note("T24", unready="serve marketing", because="missing queue", says=outcome.ready)
        refused(outcome, "rpc-marketing|evt-.*marketing")

    def test_a_missing_permission_keeps_it_unready(
        self, rapport: LocalStack, starting: Starting, note: Callable[..., None]
    ) -> None:
        address = rapport.env()["ERP_AMQP_URI"]
        outcome = starting.outcome("serve", "marketing", MARKETING_AMQP_URI=address)
        note("T24", unready="serve marketing", because="no permission", says=outcome.ready)
        refused(outcome, "ACCESS_REFUSED|access")

    def test_a_queue_of_a_kind_that_cannot_serve_keeps_it_unready(
        self, starting: Starting, bus_with: Callable[..., str], note: Callable[..., None]
    ) -> None:
        address = bus_with("rpc-marketing", queue_type="stream")
        outcome = starting.outcome("serve", "marketing", MARKETING_AMQP_URI=address)
        note("T24", unready="serve marketing", because="queue is a stream", says=outcome.ready)
        refused(outcome, "rpc-marketing")

    @pytest.mark.parametrize("arguments", [{"queue_type": "quorum"}, {"max_priority": 3}])
    def test_a_queue_with_arguments_that_do_no_harm_is_served(
        self,
        arguments: dict[str, Any],
        starting: Starting,
        bus_with: Callable[..., str],
        note: Callable[..., None],
    ) -> None:
        address = bus_with("rpc-marketing", **arguments)
        outcome = starting.outcome(
            "serve", "marketing", unready_seconds=60, MARKETING_AMQP_URI=address
        )
        note("T24", ready="serve marketing", although=str(arguments), says=outcome.ready)
        assert outcome.was_ready, outcome.log[-2000:]


def told(outcome: Outcome) -> list[str]:
    """The lines of its log, without eventlet's announcement of its own retirement."""
    notice = r"[^\n]*EventletDeprecationWarning:.*?\n\s+import eventlet\n"
    text = re.sub(notice, "", outcome.log, flags=re.DOTALL)
    return text.strip().splitlines()


def refused(outcome: Outcome, cause: str) -> None:
    """It ended or is not ready, and a line names the cause without being told every moment."""
    assert not outcome.was_ready
    assert outcome.code != 0
    named = [line for line in outcome.log.splitlines() if re.search(cause, line)]
    assert named, outcome.log[-2000:]
    assert "Traceback" not in outcome.log, outcome.log[-2000:]
    assert len(named) <= 10, f"{len(named)} lines"
