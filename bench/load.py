"""Load over HTTP: wrk with a script that checks every status."""

import itertools
import os
import shutil
import subprocess
import tempfile
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from bench.refusal import BenchFailed

SCRIPT = Path(__file__).with_name("load.lua")
INSTALL = "apt-get install -y --no-install-recommends wrk"
_run_numbers = itertools.count(1)
# Keys of one run of the harness must not meet those of another on the same data.
_OURS = uuid.uuid4().hex[:8]


@dataclass(frozen=True, slots=True)
class Shot:
    """One kind of request. ``path`` and ``body`` may hold {n}, {item} and {round}: see load.lua.

    ``reusable`` says whether an item may be sent again; the run fails when others run out.
    """

    path: str
    method: str = "GET"
    body: str = ""
    items: Sequence[str] = ("-",)
    rounds: Sequence[str] = ("-",)
    reusable: bool = True


@dataclass(frozen=True, slots=True)
class Hits:
    """What came back: all of it 2xx. Milliseconds."""

    requests: int
    seconds: float
    p50: float
    p95: float
    p99: float
    longest: float
    per_second: float = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "per_second", self.requests / self.seconds)


def provide() -> None:
    """Install wrk when it is missing; BenchFailed, saying what to run, when that cannot be done."""
    if shutil.which("wrk"):
        return
    prefix = [] if os.geteuid() == 0 else ["sudo", "-n"]
    print("  wrk is not installed yet; installing it:", flush=True)
    environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    try:
        for command in ("apt-get update", INSTALL):
            subprocess.run([*prefix, *command.split()], env=environment, check=False)
    except FileNotFoundError:
        pass  # Neither apt-get nor sudo; the sentence below says what is needed.
    if not shutil.which("wrk"):
        raise BenchFailed(f"wrk is needed; run `sudo {INSTALL}` or your system's equivalent.")


def fire(base_url: str, token: str, shot: Shot, *, connections: int, seconds: float) -> Hits:
    """Send the shot again and again on so many connections; what came back.

    BenchFailed with the first bad answer when any status was not 2xx, when a connection failed, or
    when items that must not come twice ran out.
    """
    prefix = f"{_OURS}-{next(_run_numbers)}-"
    with tempfile.TemporaryDirectory(prefix="rapport-bench-") as name:
        folder = Path(name)
        (folder / "plan.lua").write_text(_plan(shot, token, prefix), encoding="utf-8")
        (folder / "items").write_text("\n".join(shot.items) + "\n", encoding="utf-8")
        # One thread: it has one count, and two would take each other's core from the servers.
        words = ["wrk", "-t1", f"-c{connections}", f"-d{max(1, round(seconds))}s", "--timeout=10s"]
        words += ["-s", str(SCRIPT), base_url, "--", str(folder / "plan.lua")]
        done = subprocess.run(
            [*words, str(folder / "items")], capture_output=True, text=True, check=False
        )
    return _hits(done.stdout, done.stderr, shot)


def _plan(shot: Shot, token: str, prefix: str) -> str:
    rounds = ", ".join(map(_quoted, shot.rounds))
    return (
        f"return {{method = {_quoted(shot.method)}, path = {_quoted(shot.path)},"
        f" body = {_quoted(shot.body)}, rounds = {{{rounds}}}, prefix = {_quoted(prefix)},"
        f" authorization = {_quoted(f'Bearer {token}')}}}\n"
    )


def _quoted(text: str) -> str:
    """The text as a Lua string."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'


def _hits(output: str, errors: str, shot: Shot) -> Hits:
    found = output.partition("\nresult ")[2]
    if not found:
        raise BenchFailed(f"wrk did not finish: {(errors or output).strip()[-300:]}")
    numbers, _, first = found.partition("\n")
    requests, microseconds, failed, lost, *latencies = map(int, numbers.split())
    what = f"{shot.method} {shot.path}"
    if failed or lost:
        raise BenchFailed(
            f"{what}: {failed} of {requests} answers were not 2xx, {lost} got none. {first.strip()}"
        )
    if not requests:
        raise BenchFailed(f"{what}: no answer came.")
    if not shot.reusable and requests > len(shot.items):
        raise BenchFailed(f"{what}: {len(shot.items)} items were too few for {requests} requests.")
    p50, p95, p99, longest = (value / 1000 for value in latencies)
    return Hits(requests, microseconds / 1_000_000, p50, p95, p99, longest)
