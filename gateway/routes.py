"""What a row of the API's table is, and how an address finds its row."""

import re
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from marshmallow import fields

from crmkit.context import Context
from crmkit.db import Encoded, UseCase
from crmkit.messages import Command, Versioned
from gateway.principals import Principal
from gateway.resources import Resources

PUBLIC = "public"
"""The permission of rows that need no login."""
LOGGED_IN = "logged_in"
"""The permission of rows that every login has, whatever its roles."""

MEBIBYTE = 1024 * 1024
_PARAMETER = re.compile(r"\{([a-z_]+)\}")
_BODY_METHODS = frozenset(("POST", "PUT", "PATCH"))


@dataclass(slots=True)
class Call:
    """A request that passed the gateway's checks, on its way to whoever answers it.

    ``principal`` is None on public rows. ``scheme`` and the like stay behind: whoever answers knows
    no HTTP.
    """

    request: dict[str, Any]
    context: Context
    principal: Principal | None
    address: str


@dataclass(frozen=True, slots=True)
class Composed(Encoded):
    """An answer that brings headers of its own."""

    headers: tuple[tuple[str, str], ...] = ()


Handler = Callable[[Resources, Call], Awaitable[Encoded]]


@dataclass(frozen=True)
class Route:
    """One row: an endpoint, its documentation and its permission.

    The command goes to its owner over the bus, unless ``local`` names the use case that does it in
    the gateway's own database, or ``handler`` the coroutine that answers it. ``repeatable`` rows
    take a POST without Idempotency-Key. ``location`` is the template of the Location header of a
    201; without it, it is the path and the new id. ``limit`` names the rate limit that applies.
    ``audited`` is the action under which the audit log has who asked, with the fields ``noted``.
    """

    method: str
    path: str
    command: type[Command]
    permission: str
    summary: str
    status: int = 200
    description: str = ""
    max_body: int = MEBIBYTE
    repeatable: bool = False
    location: str = ""
    local: UseCase | None = None
    handler: Handler | None = None
    seconds: float = 5.0
    limit: str = "default"
    audited: str = ""
    noted: tuple[str, ...] = ()

    @property
    def tag(self) -> str:
        """Under which heading the documentation shows it."""
        return self.command.owner

    @cached_property
    def parameters(self) -> tuple[str, ...]:
        """The names in the path."""
        return tuple(_PARAMETER.findall(self.path))

    @cached_property
    def takes_body(self) -> bool:
        """Whether the fields come as JSON; in the query otherwise."""
        return self.method in _BODY_METHODS

    @cached_property
    def needs_key(self) -> bool:
        """Whether an Idempotency-Key must come with it."""
        repeatable = self.repeatable or self.permission == PUBLIC
        return self.method == "POST" and self.command.changes and not repeatable

    @cached_property
    def versioned(self) -> bool:
        """Whether If-Match is understood."""
        return issubclass(self.command, Versioned)

    @cached_property
    def needs_version(self) -> bool:
        """Whether If-Match must come with it. A PUT may make the record, which has none yet."""
        return self.versioned and self.method in {"PATCH", "DELETE"}

    @cached_property
    def lists(self) -> frozenset[str]:
        """Fields that may stand in the query several times."""
        declared = self.command().fields
        return frozenset(
            one.data_key or name for name, one in declared.items() if isinstance(one, fields.List)
        )


@dataclass
class _Node:
    rows: dict[str, Route] = field(default_factory=dict)
    below: dict[str, "_Node"] = field(default_factory=dict)
    any: "_Node | None" = None


class Table:
    """All rows as a tree of path segments; a fixed segment is preferred to a parameter."""

    def __init__(self, rows: Iterable[Route]) -> None:
        self.rows = tuple(rows)
        self._root = _Node()
        for row in self.rows:
            self._add(row)

    def _add(self, row: Route) -> None:
        node = self._root
        for segment in row.path.strip("/").split("/"):
            if _PARAMETER.fullmatch(segment):
                node.any = node.any or _Node()
                node = node.any
            else:
                node = node.below.setdefault(segment, _Node())
        if row.method in node.rows:
            raise ValueError(f"Two rows answer {row.method} {row.path}.")
        node.rows[row.method] = row

    def find(self, path: str) -> tuple[dict[str, Route], list[str]] | None:
        """The rows of that address by method, and the values in it; None when there are none."""
        values: list[str] = []
        node = _walk(self._root, path.split("/")[1:], 0, values)
        return (node.rows, values) if node is not None else None


def _walk(node: _Node, segments: list[str], at: int, values: list[str]) -> _Node | None:
    if at == len(segments):
        return node if node.rows else None
    below = node.below.get(segments[at])
    if below is not None:
        found = _walk(below, segments, at + 1, values)
        if found is not None:
            return found
    if node.any is None or not segments[at]:
        return None
    values.append(segments[at])
    found = _walk(node.any, segments, at + 1, values)
    if found is None:
        values.pop()
    return found
