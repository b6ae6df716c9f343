"""The numbers of the last runs, and the table that is made of them in docs/reliability.md.

python -m tests.chaos.report
"""

import json
import os
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent.parent
BOOK = ROOT / "var" / "chaos" / "results.json"
PAGE = ROOT / "docs" / "reliability.md"
BEGIN, END = "<!-- chaos: begin -->", "<!-- chaos: end -->"


def note(test: str, name: str, numbers: dict[str, Any], *, full: bool) -> None:
    """Keep the numbers of a test in place of those of its last run, and show them.

    ``full`` tells a run at full size from the slice of it that `make test` holds.
    """
    line = ", ".join(f"{key.replace('_', ' ')} {value}" for key, value in numbers.items())
    sys.stderr.write(f"\n  {test} {line}\n")
    BOOK.parent.mkdir(parents=True, exist_ok=True)
    book = json.loads(BOOK.read_text()) if BOOK.exists() else {}
    day = datetime.now(UTC).strftime("%Y-%m-%d")
    # Numbers are noted before they are judged; until then they are those of a failure.
    book[f"{test} {name}"] = {"at": day, "passed": False, "full": full, "numbers": numbers}
    BOOK.write_text(json.dumps(book, indent=2, ensure_ascii=False))


def passed(name: str) -> None:
    """Note that the test whose numbers were kept has found nothing wrong with them."""
    book = json.loads(BOOK.read_text()) if BOOK.exists() else {}
    for key, entry in book.items():
        if key.split(" ", 1)[1] == name:
            entry["passed"] = True
    if book:
        BOOK.write_text(json.dumps(book, indent=2, ensure_ascii=False))


def table(book: dict[str, Any]) -> str:
    """The summary as Markdown, one row a test, in the order of their numbers.

    Slices are left out where there is a run at full size, tests where there is none of that name.
    """
    rows = ["| test | on | result | what was counted |", "|---|---|---|---|"]
    whole = {_function(key) for key, entry in book.items() if entry.get("full")}
    sources = "".join(path.read_text() for path in Path(__file__).parent.glob("test_*.py"))
    for key in sorted(book, key=_position):
        if f"def {_function(key)}(" not in sources:
            continue
        if _function(key) in whole and not book[key].get("full"):
            continue
        test, name = key.split(" ", 1)
        entry = book[key]
        numbers = ", ".join(
            f"{label.replace('_', ' ')} {_shown(value)}"
            for label, value in entry["numbers"].items()
        )
        result = "passed" if entry["passed"] else "**failed**"
        rows.append(
            f"| {test} `{name.removeprefix('test_')}` | {entry['at']} | {result} | {numbers} |"
        )
    return "\n".join(rows)


def _function(key: str) -> str:
    return key.split(" ", 1)[1].partition("[")[0]


def _position(key: str) -> tuple[int, str]:
    number = key.split(" ", 1)[0].lstrip("T")
    return (int(number) if number.isdigit() else 99, key)


def _shown(value: Any) -> str:
    return f"{value:,}" if isinstance(value, int) else str(value)


def write() -> None:
    """Put the table between its two marks in the page."""
    text = PAGE.read_text(encoding="utf-8")
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    machine = f"Written by the harness on {os.cpu_count()} cores."
    new = f"{before}{BEGIN}\n{machine}\n\n{table(json.loads(BOOK.read_text()))}\n{END}{after}"
    PAGE.write_text(new, encoding="utf-8")


if __name__ == "__main__":
    write()
