"""What was measured: the arithmetic, the lines of var/bench, the tables for people."""

import json
import statistics
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from math import ceil
from pathlib import Path
from typing import Any

from bench import machine

BEGIN = "<!-- bench: begin; everything up to the end mark is written by `make bench` -->"
END = "<!-- bench: end -->"
_SECTION = "### "


@dataclass(frozen=True, slots=True)
class Target:
    """What a figure is to reach: at least, or at most, so much."""

    at_least: float | None = None
    at_most: float | None = None

    def met(self, value: float) -> bool:
        """Whether the value reaches it."""
        return (self.at_least is None or value >= self.at_least) and (
            self.at_most is None or value <= self.at_most
        )

    def __str__(self) -> str:
        bounds = (("≥", self.at_least), ("≤", self.at_most))
        return " ".join(f"{sign} {shown(bound)}" for sign, bound in bounds if bound is not None)


@dataclass(frozen=True, slots=True)
class Result:
    """One figure: a value for each run, of which the median counts.

    ``cpu`` holds the milliseconds of CPU time that one request, call or event cost, by who used it;
    ``more`` what else was seen, by a name with its unit.
    """

    figure: str
    name: str
    unit: str
    runs: tuple[float, ...]
    target: Target | None = None
    cpu: dict[str, float] = field(default_factory=dict)
    more: dict[str, float] = field(default_factory=dict)

    @property
    def value(self) -> float:
        """The median of the runs."""
        return statistics.median(self.runs)

    @property
    def met(self) -> bool | None:
        """Whether the target is reached; None without one."""
        return None if self.target is None else self.target.met(self.value)

    def line(self, **about: Any) -> str:
        """The result as one line of JSON."""
        known = {
            **asdict(self),
            "value": self.value,
            "median": self.value,
            "min": min(self.runs),
            "max": max(self.runs),
            "target": str(self.target) if self.target else None,
            "met": self.met,
        }
        return json.dumps({**known, **about}, ensure_ascii=False)


def percentile(values: Iterable[float], percent: float) -> float:
    """The smallest value that so many per cent of all do not exceed (nearest rank)."""
    ordered = sorted(values)
    if not ordered:
        raise ValueError("There is no percentile of nothing.")
    return ordered[max(0, ceil(len(ordered) * percent / 100) - 1)]


def overall_rate(count: int, seconds: float) -> float:
    """So many a second; ValueError when no time passed in which to count."""
    if seconds <= 0:
        raise ValueError("Nothing can be said about a rate over no time.")
    return count / seconds


def medians(rows: Sequence[dict[str, float]]) -> dict[str, float]:
    """The median of each name over all rows that have it, in the order they first come."""
    names = dict.fromkeys(name for row in rows for name in row)
    return {name: statistics.median(row[name] for row in rows if name in row) for name in names}


def shown(number: float) -> str:
    """A number as people read it: three digits that say something, thousands with commas."""
    size = abs(number)
    if size >= 100 or number == round(number):
        return f"{number:,.0f}"
    return f"{number:.1f}" if size >= 10 else f"{number:.2f}"


class Journal:
    """Where results go as soon as they are there: a line in the day's file."""

    def __init__(self, folder: Path) -> None:
        self.at = datetime.now(UTC)
        self.machine, self.revision = machine.description(), machine.revision()
        self.results: list[Result] = []
        folder.mkdir(parents=True, exist_ok=True)
        self.file = folder / f"{self.at:%Y-%m-%d}.jsonl"

    def add(self, result: Result, **about: Any) -> None:
        """Keep a result."""
        self.results.append(result)
        stamp = {"at": datetime.now(UTC).isoformat(timespec="seconds")}
        where = {"machine": self.machine, "revision": self.revision, "load": machine.load()}
        with self.file.open("a", encoding="utf-8") as file:
            file.write(result.line(**stamp, **where, **about) + "\n")

    def of(self, figure: str) -> list[Result]:
        """What this run found for a figure."""
        return [one for one in self.results if one.figure == figure]

    def origin(self) -> str:
        """When, on which commit and on which machine, as one sentence."""
        return f"{self.at:%Y-%m-%d}, commit {self.revision}, {self.machine}."


def table(results: Sequence[Result]) -> list[list[str]]:
    """Rows of cells, the heading first; columns that all results leave empty are left out."""
    extras = list(dict.fromkeys(name for one in results for name in one.more))
    users = list(dict.fromkeys(name for one in results for name in one.cpu))
    rows = [
        [
            "figure",
            "median",
            "min to max",
            "target",
            "met",
            *extras,
            *(f"CPU ms {name}" for name in users),
        ]
    ]
    for one in results:
        rows.append(
            [
                one.name,
                f"{shown(one.value)} {one.unit}".strip(),
                f"{shown(min(one.runs))} to {shown(max(one.runs))}",
                str(one.target or ""),
                {True: "yes", False: "no", None: ""}[one.met],
                *(shown(one.more[name]) if name in one.more else "" for name in extras),
                *(f"{one.cpu[name]:.2f}" if name in one.cpu else "" for name in users),
            ]
        )
    keep = [n for n in range(len(rows[0])) if any(row[n] for row in rows[1:])]
    return [[row[n] for n in keep] for row in rows]


def _width(text: str) -> int:
    """Columns on a terminal; Hangul, kana and Han take two."""
    return sum(2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text)


def plain(rows: Sequence[Sequence[str]]) -> str:
    """The table for a terminal."""
    widths = [max(_width(row[n]) for row in rows) for n in range(len(rows[0]))]
    lines = [
        "  ".join(cell + " " * (widths[n] - _width(cell)) for n, cell in enumerate(row)).rstrip()
        for row in rows
    ]
    return "\n".join([lines[0], "  ".join("─" * width for width in widths), *lines[1:]])


def markdown(rows: Sequence[Sequence[str]]) -> str:
    """The table for the documentation."""
    lines = ["| " + " | ".join(row) + " |" for row in rows]
    return "\n".join([lines[0], "|" + "---|" * len(rows[0]), *lines[1:]])


def section(
    figure: str,
    title: str,
    origin: str,
    results: Sequence[Result],
    *,
    missing: Sequence[str] = (),
) -> str:
    """The part of the documentation that tells of one figure, and of what is missing from it."""
    parts = [f"{_SECTION}{figure} {title}", origin, markdown(table(results))]
    parts += [f"Not measured: {why}" for why in missing]
    return "\n\n".join(parts) + "\n"


def sections(text: str) -> dict[str, str]:
    """The parts between the marks by figure; {} when there are none yet."""
    found: dict[str, str] = {}
    for part in _between(text).split(f"\n{_SECTION}")[1:]:
        found[part.split()[0]] = f"{_SECTION}{part.strip()}\n"
    return found


def _between(text: str) -> str:
    before, begin, rest = text.partition(BEGIN)
    inner, end, _ = rest.partition(END)
    if not (begin and end) or END in before:
        raise ValueError("The marks between which the results go are missing.")
    return inner


def replaced(text: str, new: dict[str, str]) -> str:
    """The documentation with these figures' parts exchanged, the others and all around kept."""
    kept = sections(text) | new
    parts = "\n".join(kept[figure] for figure in sorted(kept, key=_order))
    before, _, rest = text.partition(BEGIN)
    return f"{before}{BEGIN}\n\n{parts}\n{END}{rest.partition(END)[2]}"


def _order(figure: str) -> int:
    return int(figure.removeprefix("B"))
