"""``python -m bench``: takes the measurements, keeps the results, writes the documentation."""

import argparse
import importlib
import pkgutil
import signal
import sys
import time
from types import ModuleType

import bench
from bench import load, machine, results
from bench.refusal import BenchFailed
from bench.setup import Lab, say

DOCUMENT = machine.ROOT / "docs" / "performance.md"


def figures() -> dict[str, ModuleType]:
    """The modules of the figures by their ids: ``b01_rpc`` measures B1."""
    names = sorted(found.name for found in pkgutil.iter_modules(bench.__path__))
    return {
        f"B{int(name[1:3])}": importlib.import_module(f"bench.{name}")
        for name in names
        if name[0] == "b" and name[1:3].isdigit()
    }


def options(known: list[str]) -> argparse.Namespace:
    """What was asked for."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--only", default="", help=f"some of {', '.join(known)}, parted by commas")
    parser.add_argument(
        "--quick", action="store_true", help="short runs, less data; the documentation stays"
    )
    parser.add_argument("--seconds", type=float, default=0.0, help="how long each load lasts")
    parser.add_argument("--rounds", type=int, default=3, help="runs of each, 3 or more to publish")
    asked = parser.parse_args()
    asked.only = [name.strip().upper() for name in asked.only.split(",") if name.strip()] or known
    unknown = set(asked.only) - set(known)
    if unknown:
        parser.error(f"No such figure: {', '.join(sorted(unknown))}.")
    return asked


def main() -> int:
    """Measure; 0 when all figures could be taken, whether or not they meet their targets."""
    known = figures()
    asked = options(list(known))
    if not machine.supported():
        say("The measurements read Linux's /proc; run them on Linux.")
        return 1
    journal = results.Journal(machine.ROOT / "var" / "bench")
    lab = Lab(journal, quick=asked.quick, seconds=asked.seconds, rounds=asked.rounds)
    say(journal.origin())
    failed = _take(lab, {figure: known[figure] for figure in asked.only}, publish=_publishes(asked))
    _summary(journal, known)
    say(f"All of it: {journal.file.relative_to(machine.ROOT)}")
    if failed:
        say(f"Not measured: {', '.join(failed)}.")
    return 1 if failed else 0


def _take(lab: Lab, wanted: dict[str, ModuleType], *, publish: bool) -> list[str]:
    """Measure one after the other; the ids of those that could not be measured."""
    missing = list(wanted)
    # What was started must be ended, whoever asks us to stop.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        load.provide()
        for figure, module in wanted.items():
            if _measured(lab, figure, module):
                if figure not in lab.missing:
                    missing.remove(figure)
                if publish:
                    _document(lab, figure, module.TITLE)
    except KeyboardInterrupt:
        say("\nEnding …")
    except BenchFailed as failure:
        say(str(failure))
    finally:
        lab.close()
    return missing


def _publishes(asked: argparse.Namespace) -> bool:
    """Whether the runs are long and many enough to be shown as figures of ours."""
    return not (asked.quick or asked.seconds or asked.rounds < 3)


def _measured(lab: Lab, figure: str, module: ModuleType) -> bool:
    say(f"\n{figure}  {module.TITLE}   (load of the machine before: {machine.load():.1f})")
    began = time.monotonic()
    try:
        module.run(lab)
    except BenchFailed as failure:
        say(f"  {figure} could not be measured: {failure}")
        return False
    say(f"  {time.monotonic() - began:.0f} s")
    return True


def _document(lab: Lab, figure: str, title: str) -> None:
    journal = lab.journal
    part = results.section(
        figure,
        title,
        journal.origin(),
        journal.of(figure),
        missing=lab.missing.get(figure, []),
    )
    text = DOCUMENT.read_text(encoding="utf-8")
    DOCUMENT.write_text(results.replaced(text, {figure: part}), encoding="utf-8")


def _summary(journal: results.Journal, known: dict[str, ModuleType]) -> None:
    for figure, module in known.items():
        if journal.of(figure):
            say(f"\n{figure}  {module.TITLE}\n")
            say(results.plain(results.table(journal.of(figure))))
    say("")


if __name__ == "__main__":
    sys.exit(main())
