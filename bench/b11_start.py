"""B11: from ``make run`` to the first answered request, and the memory of an idle Rapport."""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx

from bench import machine
from bench.refusal import BenchFailed
from bench.results import Result, Target
from bench.setup import Lab, used
from crmkit.local.installation import Installation
from crmkit.local.spawning import end_group, spawn

TITLE = "Start and memory of `make run`"
LONGEST_SECONDS = 180.0
IDLE_SECONDS = 5.0
CUSTOMERS = 500


def run(lab: Lab) -> None:
    """A start from nothing, then as often as wanted one with what is there."""
    folder = lab.folder / "start"
    shutil.rmtree(folder, ignore_errors=True)
    installation = Installation(folder)
    port = installation.port("gateway")
    warm: list[float] = []
    resident: list[machine.Memory] = []
    idle: list[float] = []
    cold = _one_start(folder, port)[0]
    lab.step("cold", 1, f"{cold:.1f} s")
    for number in range(1, lab.rounds + 1):
        seconds, memory, busy = _one_start(folder, port)
        warm.append(seconds)
        resident.append(memory)
        idle.append(busy)
        lab.step("warm", number, f"{seconds:.1f} s, {memory.resident:,.0f} MB")
    shutil.rmtree(folder, ignore_errors=True)
    _record(lab, cold, warm, resident)
    name = "CPU of all processes, idle"
    lab.record(Result("B11", name, "% of a core", tuple(idle)))


def _record(lab: Lab, cold: float, warm: list[float], resident: list[machine.Memory]) -> None:
    name = "warm start → first answered request"
    lab.record(Result("B11", name, "s", tuple(warm), Target(at_most=12)))
    name = f"cold start with {CUSTOMERS} customers → first answered request"
    lab.record(Result("B11", name, "s", (cold,)))
    sizes = tuple(memory.resident for memory in resident)
    more = {"processes": float(resident[-1].processes)}
    name = "RSS of all Python processes, idle"
    lab.record(Result("B11", name, "MB", sizes, Target(at_most=700), more=more))
    shared = tuple(memory.shared_once for memory in resident)
    lab.record(Result("B11", "the same, shared pages counted once", "MB", shared))


def _one_start(folder: Path, port: int) -> tuple[float, machine.Memory, float]:
    """Seconds to the first answered request; then, idle: memory, and per cent of a core in use."""
    began = time.monotonic()
    with _make_run(folder, port) as process:
        _first_answer(folder, port, process)
        seconds = time.monotonic() - began
        time.sleep(IDLE_SECONDS)
        with used({"all": [process.pid]}) as spent:
            time.sleep(IDLE_SECONDS)
        memory = machine.python_memory(process.pid)
    return seconds, memory, 100 * spent["all"] / IDLE_SECONDS


@contextlib.contextmanager
def _make_run(folder: Path, port: int) -> Iterator["subprocess.Popen[bytes]"]:
    """``make run`` as people type it, in a folder of its own; ended as by Ctrl-C."""
    arguments = f"ARGS=--var {folder} --customers {CUSTOMERS}"
    words = ["make", "run", f"VENV={sys.prefix}", f"PORT={port}", arguments]
    # Even if this process is killed, make is told to end, and tells those below it.
    process = spawn(
        words,
        environment=_clean_environment(),
        log=folder / "make.log",
        folder=machine.ROOT,
        orphan_signal=signal.SIGTERM,
    )
    try:
        yield process
    finally:
        end_group(process, signal.SIGINT)
        try:
            process.wait(60)
        except subprocess.TimeoutExpired:
            end_group(process)
            process.wait(5)


def _clean_environment() -> dict[str, str]:
    """Without what ``make bench`` hands down to the make below it."""
    return {k: v for k, v in os.environ.items() if not k.startswith(("MAKE", "MFLAGS"))}


def _first_answer(folder: Path, port: int, process: "subprocess.Popen[bytes]") -> None:
    """Return when a list of customers came, asked for after a login."""
    deadline = time.monotonic() + LONGEST_SECONDS
    with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=5) as client:
        while not _answered(client, folder):
            if process.poll() is not None or time.monotonic() > deadline:
                tail = (folder / "make.log").read_text(errors="replace")[-300:]
                raise BenchFailed(f"`make run` did not come up: {tail}")
            time.sleep(0.02)


def _answered(client: httpx.Client, folder: Path) -> bool:
    try:
        if "Authorization" not in client.headers:
            if client.get("/readyz").status_code != 200:
                return False
            password = json.loads((folder / "secrets.json").read_text())["ADMIN_PASSWORD"]
            login = {"email": "admin@rapport.example", "password": password}
            session = client.post("/v1/sessions", json=login)
            if session.is_success:
                token = session.json()["access_token"]
                client.headers["Authorization"] = f"Bearer {token}"
        listed = client.get("/v1/customers", params={"limit": 1})
    except (httpx.HTTPError, OSError, KeyError):
        return False
    return listed.status_code == 200 and bool(listed.json())
