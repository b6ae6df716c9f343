"""``python -m tests.contract.freeze``: write down what each event looks like when it is first made.

Consumers may lag behind by weeks and the feed keeps events for 90 days, so what was announced once
must be readable for ever. A file is written once and never again; what it says is a promise.
"""

import json
from pathlib import Path
from typing import Any

from marshmallow import Schema, fields

from crmkit import catalog, codec
from crmkit.messages import Event, schema
from gateway.schemas import sample

EXAMPLES = Path(__file__).parent / "examples"


def events() -> list[type[Event]]:
    """Every event of every owner."""
    return [event for owner in catalog.owners() for event in catalog.events(owner)]


def path_of(event: type[Event]) -> Path:
    """Where the frozen example of an event lies."""
    return EXAMPLES / f"{event.type}.json"


def shape(kind: type[Schema], at: str = "") -> dict[str, str]:
    """The fields, dotted, each with its kind and whether it is required or may be null."""
    found: dict[str, str] = {}
    for name, field in schema(kind).fields.items():
        path = f"{at}{field.data_key or name}"
        inner = field.inner if isinstance(field, fields.List) else field
        words = [type(field).__name__, type(inner).__name__] if inner is not field else []
        words = words or [type(field).__name__]
        words += ["required"] if field.required else []
        words += ["nullable"] if field.allow_none else []
        found[path] = " ".join(words)
        if isinstance(inner, fields.Nested):
            found |= shape(type(inner.schema), f"{path}.")
    return dict(sorted(found.items()))


def frozen(event: type[Event]) -> dict[str, Any]:
    """What the file of an event holds."""
    data = codec.loads(codec.dumps(sample(event)))
    return {"type": event.type, "fields": shape(event), "data": data}


def main() -> None:
    """Write the missing files."""
    EXAMPLES.mkdir(exist_ok=True)
    for event in events():
        path = path_of(event)
        if not path.exists():
            text = json.dumps(frozen(event), indent=2, ensure_ascii=False)
            path.write_text(f"{text}\n")
            print(path)  # noqa: T201 - a command's answer


if __name__ == "__main__":
    main()
