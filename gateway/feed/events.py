"""Which events a reader of the feed wants, and what of them it may see."""

from collections.abc import Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

PERSONAL = "personal"


@dataclass(frozen=True, slots=True)
class Wanted:
    """A choice of events: patterns of types, none for all, and a subject or its beginning."""

    types: tuple[str, ...] = ()
    subject: str | None = None

    def fits(self, event: Mapping[str, Any]) -> bool:
        """Whether the event is among them."""
        if self.types and not any(fnmatchcase(event["type"], one) for one in self.types):
            return False
        return self.subject is None or event["subject"] == self.subject


def wanted(types: str | None, subject: str | None) -> Wanted:
    """The choice that the query makes."""
    patterns = tuple(one.strip() for one in (types or "").split(",") if one.strip())
    return Wanted(patterns, subject)


def masked(event: Mapping[str, Any]) -> dict[str, Any]:
    """The event as somebody sees it who may not see personal data: ids, and nothing else of them.

    ``datamasked`` says that something was left out. Other events stay as they are.
    """
    if event.get("dataclassification") != PERSONAL:
        return dict(event)
    data = event.get("data") or {}
    ids = {name: value for name, value in data.items() if name == "id" or name.endswith("_id")}
    return {**event, "data": ids, "datamasked": True}
