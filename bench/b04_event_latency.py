"""B4: from the commit of an event to its arrival in the ERP, at 200 events a second."""

import sys
import tempfile
import time
from pathlib import Path

from bench import events
from bench.b03_endpoints import customer_ids
from bench.refusal import BenchFailed
from bench.results import Result, Target, percentile
from bench.setup import Helper, Lab, Rapport, overall, used

TITLE = "From commit to the ERP's queue, 200 events a second"
RATE = 200
GRACE_SECONDS = 10.0


def run(lab: Lab) -> None:
    """Events at even pace, whatever becomes of them; every one must arrive, once."""
    stack = lab.standard()
    stack.settle()
    customers = customer_ids(stack, 2000)
    runs: list[list[float]] = []
    cpu: list[dict[str, float]] = []
    with tempfile.TemporaryDirectory(prefix="rapport-bench-") as name:
        file = Path(name) / "arrivals"
        reader = _reader(stack, file)
        try:
            _delays(stack, customers, file, 1.0)
            for number in range(1, lab.rounds + 1):
                groups = stack.groups() | {"reader": [reader.pid]}
                with used(groups) as spent:
                    delays = _delays(stack, customers, file, lab.span(10.0, 4.0))
                cpu.append({n: 1000 * s / len(delays) for n, s in spent.items() if n != "reader"})
                runs.append(delays)
                p50, p99 = percentile(delays, 50), percentile(delays, 99)
                lab.step("200/s", number, f"p50 {p50:.1f} ms, p99 {p99:.1f} ms")
        finally:
            reader.stop()
    _record(lab, runs, overall(cpu))


def _record(lab: Lab, runs: list[list[float]], cpu: dict[str, float]) -> None:
    for percent, most in ((50, 10), (99, 50)):
        values = tuple(percentile(delays, percent) for delays in runs)
        target = Target(at_most=most)
        shown = cpu if percent == 50 else {}
        lab.record(Result("B4", f"commit → ERP: p{percent}", "ms", values, target, shown))
    lab.record(Result("B4", "commit → ERP: longest", "ms", tuple(max(one) for one in runs)))


def _reader(stack: Rapport, file: Path) -> Helper:
    words = [sys.executable, "-m", "bench.erp_reader", str(file)]
    reader = Helper("erp-reader", words, stack.env, stack.installation.path("log"))
    reader.wait_until(lambda: file.exists() and file.read_text().startswith("ready"))
    return reader


def _delays(stack: Rapport, customers: list[str], file: Path, seconds: float) -> list[float]:
    """Milliseconds from commit to arrival of each event."""
    committed: dict[str, int] = {}
    with stack.database(events.OWNER) as database:
        began = time.monotonic()
        for number in range(int(seconds * RATE)):
            time.sleep(max(0.0, began + number / RATE - time.monotonic()))
            event_id = events.announce(database, customers[number % len(customers)])
            committed[event_id] = time.monotonic_ns()
        behind = time.monotonic() - began - seconds
    if behind > seconds / 10:
        raise BenchFailed("This machine does not commit 200 events a second.")
    arrived = _arrivals(file, committed)
    return [(arrived[one] - moment) / 1_000_000 for one, moment in committed.items()]


def _arrivals(file: Path, awaited: dict[str, int]) -> dict[str, int]:
    """When each awaited event came first; BenchFailed when one is missing after ten seconds."""
    deadline = time.monotonic() + GRACE_SECONDS
    while True:
        lines = file.read_text(encoding="utf-8").splitlines()
        came = {one: int(at) for one, at in (line.split() for line in reversed(lines))}
        missing = awaited.keys() - came.keys()
        if not missing:
            return came
        if time.monotonic() > deadline:
            raise BenchFailed(f"{len(missing)} of {len(awaited)} events did not arrive.")
        time.sleep(0.1)
