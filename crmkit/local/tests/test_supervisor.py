import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from crmkit.local import supervisor as supervisor_module
from crmkit.local.supervisor import Plan, StartFailed, Supervisor
from crmkit.local.tests.probes import alive, eventually

SLEEP = (sys.executable, "-S", "-c", "import time; time.sleep(600)")
STUBBORN = (
    sys.executable,
    "-S",
    "-c",
    "import signal, time; signal.signal(15, signal.SIG_IGN); print('up', flush=True);"
    " time.sleep(600)",
)
FAILS = (sys.executable, "-S", "-c", "raise SystemExit('No such thing.')")


@pytest.fixture
def supervise(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[..., Supervisor]]:
    monkeypatch.setattr(supervisor_module, "TICK_SECONDS", 0.005)

    def make(*plans: Plan) -> Supervisor:
        made = Supervisor(
            list(plans), folder=tmp_path, work_folder=tmp_path, say=lambda _line: None
        )
        supervisors.append(made)
        return made

    supervisors: list[Supervisor] = []
    yield make
    for made in supervisors:
        made.stop(0)


class TestStart:
    def test_keeps_the_order(self, supervise: Callable[..., Supervisor]) -> None:
        order: list[str] = []
        supervise(
            Plan("second", action=lambda: order.append("second"), needs=("first",), one_shot=True),
            Plan(
                "first",
                (sys.executable, "-S", "-c", ""),
                one_shot=True,
                after=lambda: order.append("first"),
            ),
        ).start(10)
        assert order == ["first", "second"]

    def test_fails_with_the_last_line_of_the_log(
        self, supervise: Callable[..., Supervisor]
    ) -> None:
        with pytest.raises(StartFailed, match=r"migrate ended \(code 1\): No such thing\."):
            supervise(Plan("migrate", FAILS, one_shot=True)).start(10)

    def test_names_the_error_and_not_the_caret_below_it(
        self, supervise: Callable[..., Supervisor]
    ) -> None:
        text = "psycopg.errors.UndefinedTable: no team\\nLINE 1: insert\\n    ^"
        command = (sys.executable, "-S", "-c", f'raise SystemExit("{text}")')
        with pytest.raises(StartFailed, match=r"seed ended \(code 1\): psycopg.*: no team \(log"):
            supervise(Plan("seed", command, one_shot=True)).start(10)

    def test_gives_up_on_what_never_lives(
        self, supervise: Callable[..., Supervisor], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(supervisor_module, "LAST_BACKOFF_SECONDS", 0.1)
        other = Plan("sleeper", SLEEP)
        supervisor = supervise(other, Plan("sales", FAILS, ready=lambda: False))
        with pytest.raises(StartFailed, match=r"sales ended"):
            supervisor.start(20)
        assert supervisor.pid("sleeper") is None

    def test_names_what_is_not_ready_in_time(self, supervise: Callable[..., Supervisor]) -> None:
        with pytest.raises(StartFailed, match=r"Not ready after \d+ s: sales"):
            supervise(Plan("sales", SLEEP, ready=lambda: False)).start(0.2)


class TestLife:
    def test_restarts_what_dies(self, supervise: Callable[..., Supervisor]) -> None:
        supervisor = supervise(Plan("sales", SLEEP))
        supervisor.start(10)
        killed = supervisor.kill("sales")
        eventually(lambda: supervisor.pid("sales") not in (None, killed))
        assert not alive(killed)

    def test_leaves_ended_what_was_ended_on_purpose(
        self, supervise: Callable[..., Supervisor]
    ) -> None:
        supervisor = supervise(Plan("sales", SLEEP))
        supervisor.start(10)
        supervisor.stop_process("sales")
        assert supervisor.pid("sales") is None
        with pytest.raises(StartFailed):
            supervisor.wait_ready("sales", timeout_seconds=0.2)
        supervisor.start_process("sales")
        assert supervisor.pid("sales") is not None


class TestStop:
    def test_kills_what_does_not_drain(
        self, supervise: Callable[..., Supervisor], tmp_path: Path
    ) -> None:
        log = tmp_path / "log" / "stubborn.log"
        supervisor = supervise(Plan("stubborn", STUBBORN, ready=lambda: "up" in log.read_text()))
        supervisor.start(10)
        pid = supervisor.pid("stubborn")
        supervisor.stop(0.2)
        assert pid is not None
        assert not alive(pid)
