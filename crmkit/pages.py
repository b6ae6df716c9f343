"""Lists: filters and sorts declared per field, keyset pages, signed cursors, the actor's scope.

A list contract declares what may be asked; the use case gives the columns. Unknown filters, sorts
and fields are refused, never ignored.
"""

import base64
import hashlib
import hmac
import operator as comparing
from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime
from typing import Any, ClassVar
from uuid import UUID

from marshmallow import ValidationError, fields, validate
from marshmallow.fields import Field
from sqlalchemy import ColumnElement, Select, True_, func, literal, or_, select, tuple_, union
from sqlalchemy.exc import ArgumentError
from sqlalchemy.orm import Session

from crmkit import codec
from crmkit.errors import Invalid
from crmkit.messages import Query, Reply
from crmkit.settings import from_environment

DEFAULT_LIMIT, HIGHEST_LIMIT = 50, 200
OPERATORS = ("eq", "ne", "gt", "gte", "lt", "lte", "in")


class PageInfo(Reply):
    """Where the list goes on: ``next`` is opaque and null at the end."""

    next = fields.String(required=True, allow_none=True)
    limit = fields.Integer(required=True)
    count = fields.Integer()


def page_of(item: type[Reply]) -> type[Reply]:
    """The reply of a list of ``item``: ``{"items": […], "page": {"next": …, "limit": …}}``."""
    members = {
        "items": fields.List(fields.Nested(item), required=True),
        "page": fields.Nested(PageInfo, required=True),
        "__doc__": f"A page of {item.__name__} records.",
        "__module__": item.__module__,
    }
    return type(f"{item.__name__}Page", (Reply,), members)


class ListQuery(Query):
    """A request for a page. Subclasses declare ``filters`` (name → field type) and ``sorts``.

    ``filter`` maps a name to a value or to operators: ``{"status": "open", "amount": {"gte":
    "10"}}``. ``sort`` is a name, descending with a minus; ``fields`` a comma-separated choice.
    """

    filters: ClassVar[Mapping[str, Field[Any]]] = {}
    sorts: ClassVar[tuple[str, ...]] = ("created_at",)
    default_sort: ClassVar[str] = "-created_at"

    limit = fields.Integer(load_default=DEFAULT_LIMIT, validate=validate.Range(1, HIGHEST_LIMIT))
    cursor = fields.String(load_default=None, validate=validate.Length(max=1000))
    sort = fields.String(load_default=None, validate=validate.Length(max=100))
    filter = fields.Dict(keys=fields.String(), load_default=dict)
    fields_ = fields.String(
        data_key="fields", load_default=None, validate=validate.Length(max=1000)
    )
    count = fields.String(load_default=None, validate=validate.OneOf(["exact"]))


def page(
    session: Session,
    statement: Select[Any],
    contract: type[ListQuery],
    columns: Mapping[str, ColumnElement[Any]],
    asked: Mapping[str, Any],
    *,
    either: Sequence[ColumnElement[bool]] = (),
) -> dict[str, Any]:
    """One page of ``statement`` as ``{"items": […], "page": {…}}``.

    ``columns`` gives the column behind every declared filter, sort and output field; ``id`` is
    among them and breaks ties. ``statement`` selects them under their names
    (``crmkit.db.select_named``) and carries joins and conditions, the scope included; ``asked`` is
    the loaded request. Of ``either``, if given, one must hold; they may be about several tables.
    """
    chosen = _chosen(asked.get("fields_"), columns)
    name, descending = _sort(contract, asked.get("sort"))
    where = _conditions(contract, columns, asked.get("filter") or {})
    mark = _mark(contract, (name, descending), asked)
    key, tie = columns[name], columns["id"]
    limit = asked["limit"]
    first = statement.where(*where).limit(limit + 1)
    first = first.order_by(*((key.desc(), tie.desc()) if descending else (key.asc(), tie.asc())))
    if asked.get("cursor"):
        first = first.where(
            _after(key, tie, _open_cursor(asked["cursor"], mark), descending=descending)
        )
    if either:
        statement = statement.where(or_(*either))
        first = _first_of(either, first, tie)
    if chosen:
        needed = dict.fromkeys((*chosen, name, "id"))
        first = first.with_only_columns(*(columns[one].label(one) for one in needed))
    rows = session.execute(first).mappings().all()
    more = len(rows) > limit
    last = rows[limit - 1] if more else None
    info: dict[str, Any] = {
        "next": _cursor(mark, last[name], last["id"]) if last else None,
        "limit": limit,
    }
    if asked.get("count"):
        counted = select(func.count()).select_from(
            statement.with_only_columns(tie).where(*where).order_by(None).subquery()
        )
        info["count"] = session.scalar(counted)
    return {"items": [_only(chosen, row) for row in rows[:limit]], "page": info}


def _first_of(
    either: Sequence[ColumnElement[bool]], first: Select[Any], tie: ColumnElement[Any]
) -> Select[Any]:
    """``first``, of those for which one of the conditions holds.

    No index serves an ``or`` over two tables: for somebody who may see a handful it would walk
    through everybody's rows. So each condition finds its own first rows, by its own index.
    """
    if any(isinstance(one, True_) for one in either):
        return first
    firsts = (first.with_only_columns(tie).where(one).subquery() for one in either)
    return first.where(tie.in_(union(*(select(found) for found in firsts))))


def _only(chosen: list[str], row: Mapping[Any, Any]) -> dict[Any, Any]:
    return {name: row[name] for name in chosen} if chosen else dict(row)


def merged(
    contract: type[ListQuery], asked: Mapping[str, Any], parts: Sequence[Mapping[str, Any]]
) -> dict[str, Any]:
    """One page out of those that several databases gave to the same question.

    ``parts`` are as they travelled: their sort keys are times in ISO 8601, their ids strings. The
    cursor leads on in all of them, since it tells a place in the order and no row.
    """
    name, descending = _sort(contract, asked.get("sort"))

    def place(item: Mapping[str, Any]) -> tuple[datetime, UUID]:
        return datetime.fromisoformat(item[name]), UUID(item["id"])

    found = [item for part in parts for item in part["items"]]
    found.sort(key=place, reverse=descending)
    limit = asked["limit"]
    more = len(found) > limit or any(part["page"]["next"] for part in parts)
    items = found[:limit]
    mark = _mark(contract, (name, descending), asked)
    info = {"next": _cursor(mark, *place(items[-1])) if more else None, "limit": limit}
    if asked.get("count"):
        info["count"] = sum(part["page"]["count"] for part in parts)
    chosen = _chosen(asked.get("fields_"), dict.fromkeys(items[0])) if items else []
    return {"items": [_only(chosen, item) for item in items], "page": info}


def _chosen(names: str | None, columns: Mapping[str, Any]) -> list[str]:
    """The fields that were asked for; none are all."""
    wanted = [name.strip() for name in names.split(",")] if names else []
    unknown = [name for name in wanted if name not in columns]
    if unknown:
        raise _refused("fields", f"Unknown: {', '.join(unknown)}. Known: {', '.join(columns)}.")
    return wanted


def _sort(contract: type[ListQuery], asked: str | None) -> tuple[str, bool]:
    sort = asked or contract.default_sort
    name = sort.removeprefix("-")
    if name not in contract.sorts:
        raise _refused("sort", f"Cannot sort by {name}. Possible: {', '.join(contract.sorts)}.")
    return name, sort.startswith("-")


def _refused(field: str, sentence: str) -> Invalid:
    return Invalid("invalid_query", "The list cannot be asked that way.", {field: [sentence]})


def _conditions(
    contract: type[ListQuery],
    columns: Mapping[str, ColumnElement[Any]],
    asked: Mapping[str, Any],
) -> list[ColumnElement[bool]]:
    conditions = []
    for name, wanted in asked.items():
        field = contract.filters.get(name)
        if field is None:
            known = ", ".join(sorted(contract.filters)) or "none"
            raise _refused(f"filter.{name}", f"Unknown filter. Known: {known}.")
        by_operator = wanted if isinstance(wanted, dict) else {"eq": wanted}
        for operator, value in by_operator.items():
            conditions.append(_condition(name, field, columns[name], operator, value))
    return conditions


def _condition(
    name: str, field: Field[Any], column: ColumnElement[Any], operator: str, value: Any
) -> ColumnElement[bool]:
    if operator not in OPERATORS:
        raise _refused(f"filter.{name}", f"Unknown operator. Known: {', '.join(OPERATORS)}.")
    try:
        if operator == "in":
            values = value.split(",") if isinstance(value, str) else list(value)
            if len(values) > HIGHEST_LIMIT:
                raise _refused(f"filter.{name}", f"At most {HIGHEST_LIMIT} values.")
            return column.in_([field.deserialize(one) for one in values])
        typed = field.deserialize(value)
    except (ValidationError, TypeError) as error:
        sentences = error.messages if isinstance(error, ValidationError) else ["Not a list."]
        raise Invalid(
            "invalid_query", "The list cannot be asked that way.", {f"filter.{name}": sentences}
        ) from None
    try:
        return _COMPARISONS[operator](column, typed)
    except ArgumentError:  # of truth values, which have no order
        raise _refused(f"filter.{name}", f"Cannot be compared by {operator}.") from None


_COMPARISONS: dict[str, Callable[[Any, Any], ColumnElement[bool]]] = {
    "eq": comparing.eq,
    "ne": comparing.ne,
    "gt": comparing.gt,
    "gte": comparing.ge,
    "lt": comparing.lt,
    "lte": comparing.le,
}


def _after(
    key: ColumnElement[Any], tie: ColumnElement[Any], at: tuple[Any, UUID], *, descending: bool
) -> ColumnElement[bool]:
    # One comparison of rows, which PostgreSQL answers by a range of the index.
    place, mark = tuple_(key, tie), tuple_(literal(at[0], key.type), literal(at[1], tie.type))
    after: ColumnElement[bool] = place < mark if descending else place > mark
    return after


def _mark(contract: type[ListQuery], sort: tuple[str, bool], asked: Mapping[str, Any]) -> str:
    """What the cursor was made for; under another question it does not count."""
    skip = {"cursor", "limit", "fields_", "count", "sort"}
    question = {k: v for k, v in asked.items() if k not in skip and v is not None}
    whole = [contract.name, *sort, question]
    return hashlib.sha256(codec.canonical(whole)).hexdigest()[:16]


_TYPES: dict[str, Callable[[str], Any]] = {
    "d": date.fromisoformat,
    "t": datetime.fromisoformat,
    "u": UUID,
}


def _typed(value: Any) -> list[Any]:
    if isinstance(value, datetime):
        return ["t", value.isoformat()]
    if isinstance(value, date):
        return ["d", value.isoformat()]
    if isinstance(value, UUID):
        return ["u", str(value)]
    return ["v", value]


def _cursor(mark: str, key: Any, tie: UUID) -> str:
    body = codec.dumps([mark, _typed(key), str(tie)])
    return base64.urlsafe_b64encode(_signature(body) + body).decode().rstrip("=")


def _signature(body: bytes) -> bytes:
    return hmac.new(from_environment().secret_key() + b"cursor", body, "sha256").digest()[:12]


def _open_cursor(cursor: str, mark: str) -> tuple[Any, UUID]:
    try:
        raw = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
        signature, body = raw[:12], raw[12:]
        if not hmac.compare_digest(signature, _signature(body)):
            raise ValueError("signature")
        made_for, (kind, value), tie = codec.loads(body)
        typed = _TYPES[kind](value) if kind in _TYPES else value
        identity = UUID(tie)
    except (ValueError, TypeError, KeyError):
        raise _refused("cursor", "This is no cursor of ours.") from None
    if made_for != mark:
        raise _refused("cursor", "This cursor belongs to a list with other filters or sorting.")
    return typed, identity
