import json
import os
import signal
import socket
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from crmkit.local import rabbitmq
from crmkit.local.installation import Installation
from crmkit.local.postgres import postgres_server
from crmkit.local.stack import LocalStack
from crmkit.local.supervisor import StartFailed
from crmkit.local.tests.probes import FAKE_CRM, alive, eventually, processes_of
from crmkit.local.up import parse_port, parse_scale

RUN_STACK = Path(__file__).with_name("run_stack.py")
ROOT = Path(__file__).resolve().parents[3]


class TestOptions:
    def test_read_a_scale(self) -> None:
        assert parse_scale(["sales=3,relay=2", "sender=1"]) == {"sales": 3, "relay": 2, "sender": 1}

    @pytest.mark.parametrize("word", ["sales", "sales=", "sales=0", "=3", "sales=x"])
    def test_refuse_a_scale_that_is_none(self, word: str) -> None:
        with pytest.raises(StartFailed, match="--scale wants"):
            parse_scale([word])

    @pytest.mark.parametrize("text", ["", "x", "0", "70000"])
    def test_refuse_a_port_that_is_none(self, text: str) -> None:
        with pytest.raises(StartFailed, match="PORT must be"):
            parse_port(text)

    def test_refuse_to_scale_what_is_not_there(self, tmp_path: Path) -> None:
        with pytest.raises(StartFailed, match="Cannot scale postgres"):
            LocalStack(tmp_path, services=("sales",), scale={"postgres": 2})

    def test_give_each_gateway_a_port_of_its_own(self, tmp_path: Path) -> None:
        stack = LocalStack(tmp_path, port=8001, scale={"gateway": 3})
        assert stack.base_urls[0] == stack.base_url == "http://127.0.0.1:8001"
        assert len(set(stack.base_urls)) == 3
        assert stack.base_urls == LocalStack(tmp_path, port=8001, scale={"gateway": 3}).base_urls


class TestEnvironment:
    def test_lets_what_the_user_set_win(self, tmp_path: Path) -> None:
        given = {"LOG_LEVEL": "debug", "SALES_DATABASE_URL": "postgresql+psycopg://elsewhere/sales"}
        env = LocalStack(tmp_path, services=("sales",), inherited=given).env()
        assert env["LOG_LEVEL"] == "debug"
        assert env["SALES_DATABASE_URL"] == given["SALES_DATABASE_URL"]

    def test_migrates_no_database_of_ours_in_place_of_theirs(self, tmp_path: Path) -> None:
        given = {"SALES_DATABASE_URL": "postgresql+psycopg://sales@elsewhere/sales"}
        stack = LocalStack(tmp_path, services=("sales", "customers"), inherited=given)
        stack._database = postgres_server(stack.installation, stack.owners)
        assert stack.env()["SALES_MIGRATION_URL"] == ""
        assert "//customers_migration:" in stack.env()["CUSTOMERS_MIGRATION_URL"]

    def test_points_every_owner_at_the_broker_that_is_named(self, tmp_path: Path) -> None:
        given = {"AMQP_URI": "amqps://any:thing@mq.example/crm"}
        env = LocalStack(tmp_path, services=("sales",), inherited=given).env()
        password = Installation(tmp_path).secret("amqp.sales")
        assert env["SALES_AMQP_URI"] == f"amqps://sales:{password}@mq.example:5671/crm"


class TestMachine:
    def test_says_in_one_sentence_that_the_port_is_taken(self, tmp_path: Path) -> None:
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = taken.getsockname()[1]
            stack = LocalStack(tmp_path, port=port, services=("sales",))
            with pytest.raises(StartFailed, match=rf"^Port {port} is in use; choose another"):
                stack.start()

    def test_does_not_make_a_cluster_of_a_single_broker(self, tmp_path: Path) -> None:
        rabbitmq.rabbit_node(Installation(tmp_path), Path("/bin/true")).prepare()
        stack = LocalStack(tmp_path, services=("sales",), scale={"rabbitmq": 3})
        with pytest.raises(StartFailed, match=r"was begun with rabbitmq=1; say so with --scale"):
            stack.start()

    def test_says_in_one_sentence_that_the_disk_is_full(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("crmkit.local.stack.LEAST_FREE_BYTES", 1 << 60)
        with pytest.raises(StartFailed, match=r"^Less than 500 MB are free"):
            LocalStack(tmp_path, services=("sales",)).start()


def start(folder: Path, port: int) -> "subprocess.Popen[bytes]":
    """Run a stack in a process of its own; what it says goes to ``out`` and ``err`` beside it."""
    said = [folder.with_name(f"{name} {port}") for name in ("out", "err")]
    with said[0].open("wb") as out, said[1].open("wb") as err:
        return subprocess.Popen(
            [sys.executable, str(RUN_STACK), str(folder), str(port)],
            stdout=out,
            stderr=err,
            cwd=ROOT,
            env=os.environ | {"PYTHONPATH": str(ROOT)},
        )


@pytest.mark.server
class TestUp:
    @pytest.fixture
    def folder(self, tmp_path: Path) -> Path:
        return tmp_path / "var"

    @pytest.fixture
    def running(self, folder: Path, tmp_path: Path) -> Iterator["subprocess.Popen[bytes]"]:
        port = Installation(folder).port("gateway")
        process = start(folder, port)
        eventually(lambda: (folder / "run.json").exists() or process.poll() is not None, 180)
        assert process.poll() is None, (tmp_path / f"err {port}").read_text()
        yield process
        process.kill()
        process.wait(60)

    def test_ends_everything_on_sigterm(
        self, folder: Path, running: "subprocess.Popen[bytes]"
    ) -> None:
        run = json.loads((folder / "run.json").read_text())
        assert set(run) == {
            "base_url",
            "email",
            "password",
            "api_key",
            "amqp_url",
            "smtp_inbox_url",
            "sms_inbox_url",
        }
        assert stat.S_IMODE((folder / "run.json").stat().st_mode) == 0o600
        processes = json.loads((folder / "processes.json").read_text())
        assert {"postgres", "rabbitmq", "sales", "sales-2", "gateway"} <= set(processes)
        for name, entry in processes.items():
            # Only what has ended by now logged in as the role that the tables belong to.
            settings = psutil.Process(entry["pid"]).environ()
            assert not [each for each in settings if each.endswith("_MIGRATION_URL")], name
        running.send_signal(signal.SIGTERM)
        assert running.wait(120) == 0
        port = Installation(folder).port("gateway")
        assert (folder.parent / f"err {port}").read_text() == ""
        output = (folder.parent / f"out {port}").read_text()
        assert "Log in as admin@rapport.example" in output
        assert not any(alive(entry["pid"]) for entry in processes.values())
        eventually(lambda: processes_of(folder) == [])

    def test_keeps_nothing_in_memory_that_only_the_start_needs(
        self, folder: Path, running: "subprocess.Popen[bytes]"
    ) -> None:
        running.send_signal(signal.SIGTERM)
        assert running.wait(120) == 0
        port = Installation(folder).port("gateway")
        modules = (folder.parent / f"modules {port}").read_text().split()
        assert not {"psycopg", "sqlalchemy"} & {*modules}

    def test_leaves_nothing_behind_when_it_is_killed(
        self, folder: Path, running: "subprocess.Popen[bytes]"
    ) -> None:
        processes = json.loads((folder / "processes.json").read_text())
        port = Installation(folder).port("another")
        assert start(folder, port).wait(60) == 1
        errors = (folder.parent / f"err {port}").read_text()
        assert errors.count("\n") == 1
        assert "in use by a running stack" in errors
        assert (folder / "run.json").exists()
        running.kill()
        eventually(lambda: not any(alive(entry["pid"]) for entry in processes.values()))
        eventually(lambda: processes_of(folder) == [])


@pytest.mark.server
class TestLocalStack:
    def test_restarts_a_killed_process_and_seeds_once(self, tmp_path: Path) -> None:
        options = {"services": ("sales",), "seed_customers": 5, "crm": FAKE_CRM}
        stack = LocalStack(tmp_path / "var", **options)
        stack.start()
        try:
            for name in ("sales", "postgres"):
                killed = stack.kill(name)
                eventually(lambda name=name, killed=killed: stack.process(name).pid != killed)
                stack.wait_ready(name)
                assert not alive(killed)
        finally:
            stack.stop()
        log = tmp_path / "var" / "log" / "seed.log"
        assert log.read_text() == "seed --customers 5\n"
        again = LocalStack(tmp_path / "var", **options)
        again.start()
        again.stop()
        assert log.read_text() == "seed --customers 5\n"
        assert again.addresses()["base_url"] == stack.addresses()["base_url"]

    def test_fails_with_one_sentence_when_a_process_cannot_live(self, tmp_path: Path) -> None:
        inherited = dict(os.environ) | {"FAKE_FAILURE": "sender"}
        stack = LocalStack(tmp_path / "var", services=("sales",), crm=FAKE_CRM, inherited=inherited)
        with pytest.raises(StartFailed, match=r"sender ended \(code 1\): Missing settings: EVERY"):
            stack.start()
        assert processes_of(tmp_path / "var") == []
