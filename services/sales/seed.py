"""The demo company's deals: rows as the use cases would have written them, but in bulk."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from types import ModuleType
from typing import Any, NamedTuple
from uuid import UUID

import psycopg

from contracts.shapes import time_zone_of
from crmkit import codec
from services.sales import money, rules

_CHUNK = 5_000
_DEAL_EACH = 5_000
_DEAL_EVERY = 5
"""The first five thousand customers have a deal each, of the others one in five."""
_UNPAID_EVERY = 8
"""One order in that many is overdue."""
_TASK_DAYS = 14

_WAYS = {
    "qualification": ("qualification",),
    "proposal": ("qualification", "proposal"),
    "negotiation": ("qualification", "proposal", "negotiation"),
    "won": ("qualification", "proposal", "negotiation", "won"),
    "lost": ("qualification", "proposal", "lost"),
}
"""How a deal came where it is; each step is a write and an event."""

_AGGREGATE = "id, version, event_number, created_at, updated_at, owner_id, team_path"
_COPIES = {
    "colleague": "id, name, language, team_path, active, as_of_version",
    "customer": "id, display_name, language, owner_id, team_path, as_of_version",
    "opportunity": f"{_AGGREGATE}, customer_id, title, amount_minor, currency, stage, status,"
    " lost_reason, expected_on, order_id, closed_at",
    "stage_entry": "opportunity_id, from_stage, to_stage, entered_by, entered_at",
    "sales_order": f"{_AGGREGATE}, number, customer_id, opportunity_id, status, currency,"
    " total_minor, paid_minor, lines, payment_due_on, submitted_at",
    "payment": "id, order_id, amount_minor, received_on, reference, recorded_by, recorded_at",
    "task": f"{_AGGREGATE}, title, customer_id, status, due_on, reason, survey_id",
}


class _Sale(NamedTuple):
    """A deal of the demo, and when it took which step. ``order`` is None unless it was won."""

    deal: Any
    steps: tuple[tuple[str, datetime], ...]
    order: "_Placed | None"

    @property
    def updated_at(self) -> datetime:
        """When it took its last step."""
        return self.steps[-1][1]


class _Placed(NamedTuple):
    """The order of a deal. ``paid_on`` is None while nothing came in."""

    id: UUID
    number: str
    due_on: date
    paid_on: date | None


@dataclass
class _Books:
    """What goes on from deal to deal: the count of orders."""

    demo: ModuleType
    languages: dict[UUID, str]
    orders: int = field(default=0)

    def sale(self, customer: Any) -> _Sale:
        """The deal of a customer."""
        deal = self.demo.deal(customer.number, customer)
        order = self._order(deal) if deal.stage == "won" else None
        return _Sale(deal, tuple(_steps(deal, self.demo.AS_OF)), order)

    def _order(self, deal: Any) -> _Placed:
        self.orders += 1
        time_zone = time_zone_of(self.languages.get(deal.owner_id))
        submitted_on = rules.date_in(time_zone, deal.closed_at)
        due_on = rules.payment_due_on(submitted_on)
        paid = due_on < self.demo.AS_OF.date() and self.orders % _UNPAID_EVERY
        number = rules.order_number(submitted_on.year, self.orders)
        return _Placed(_order_id(deal), number, due_on, due_on if paid else None)


def seed(
    connection: psycopg.Connection[Any],
    demo: ModuleType,
    count: int,
    report: Callable[[int], None],
) -> None:
    """Write copies of the first ``count`` demo customers and of all staff, and their deals."""
    books = _Books(demo, {person.id: person.language for person in demo.STAFF})
    cursor = connection.cursor()
    _copy(cursor, "colleague", map(_colleague, demo.STAFF))
    for start in range(0, count, _CHUNK):
        customers = list(demo.customers(min(_CHUNK, count - start), start))
        sales = [books.sale(one) for one in customers if _has_deal(one.number)]
        _copy(cursor, "customer", map(_customer, customers))
        _copy(cursor, "opportunity", map(_opportunity, sales))
        _copy(cursor, "stage_entry", (row for sale in sales for row in _history(sale)))
        placed = [(sale.deal, sale.order) for sale in sales if sale.order]
        _copy(cursor, "sales_order", (_order(deal, order) for deal, order in placed))
        paid = ((deal, order.paid_on) for deal, order in placed if order.paid_on)
        _copy(cursor, "payment", (_payment(deal, paid_on) for deal, paid_on in paid))
        late = (sale for sale in sales if sale.deal.stage == "negotiation")
        _copy(cursor, "task", (_task(sale, demo.AS_OF) for sale in late))
        report(len(customers))
    if books.orders:
        cursor.execute("select setval('order_count', %s)", (books.orders,))


def _has_deal(number: int) -> bool:
    return number < _DEAL_EACH or number % _DEAL_EVERY == 0


def _beside(deal: Any, place: int) -> UUID:
    """An id next to that of the deal, so that the same seed writes the same rows."""
    return UUID(int=deal.id.int + place)


def _order_id(deal: Any) -> UUID:
    return _beside(deal, 1)


def _payment_id(deal: Any) -> UUID:
    return _beside(deal, 2)


def _task_id(deal: Any) -> UUID:
    return _beside(deal, 3)


def _copy(cursor: psycopg.Cursor[Any], table: str, rows: Iterable[tuple[Any, ...]]) -> None:
    with cursor.copy(f"copy {table} ({_COPIES[table]}) from stdin".encode()) as copy:
        for row in rows:
            copy.write_row(row)


def _steps(deal: Any, as_of: datetime) -> Iterator[tuple[str, datetime]]:
    """Where the deal was since when; evenly spread, the last step of a closed one closes it."""
    way = _WAYS[deal.stage]
    pauses = len(way) - 1 if deal.closed_at else len(way)
    span = (deal.closed_at or as_of) - deal.created_at
    for place, stage in enumerate(way):
        yield stage, deal.created_at + span * place / pauses


def _colleague(person: Any) -> tuple[Any, ...]:
    return (person.id, person.name, person.language, person.team_path, True, 1)


def _customer(customer: Any) -> tuple[Any, ...]:
    whose = (customer.owner_id, customer.team_path)
    return (customer.id, customer.name, customer.language, *whose, 1)


def _opportunity(sale: _Sale) -> tuple[Any, ...]:
    deal, steps = sale.deal, sale.steps
    return (
        deal.id,
        len(steps),
        len(steps),
        deal.created_at,
        sale.updated_at,
        deal.owner_id,
        deal.team_path,
        deal.customer_id,
        deal.title,
        deal.amount_minor,
        deal.currency,
        steps[-2][0] if deal.closed_at else deal.stage,
        deal.stage if deal.closed_at else "open",
        deal.lost_reason or None,
        deal.expected_close_on,
        sale.order.id if sale.order else None,
        deal.closed_at,
    )


def _history(sale: _Sale) -> Iterator[tuple[Any, ...]]:
    by, before = f"staff:{sale.deal.owner_id}", None
    for stage, at in sale.steps:
        yield (sale.deal.id, before, stage, by, at)
        before = stage


def _order(deal: Any, order: _Placed) -> tuple[Any, ...]:
    price = money.shown(deal.amount_minor, deal.currency)
    line = {"description": deal.title, "quantity": 1, "unit_price": price}
    events = 2 if order.paid_on else 1
    return (
        order.id,
        events,
        events,
        deal.closed_at,
        _on(order.paid_on) if order.paid_on else deal.closed_at,
        deal.owner_id,
        deal.team_path,
        order.number,
        deal.customer_id,
        deal.id,
        "submitted",
        deal.currency,
        deal.amount_minor,
        deal.amount_minor if order.paid_on else 0,
        codec.dumps([line]).decode(),
        order.due_on,
        deal.closed_at,
    )


def _payment(deal: Any, paid_on: date) -> tuple[Any, ...]:
    facts = (deal.amount_minor, paid_on, None, f"staff:{deal.owner_id}", _on(paid_on))
    return (_payment_id(deal), _order_id(deal), *facts)


def _task(sale: _Sale, as_of: datetime) -> tuple[Any, ...]:
    deal = sale.deal
    due_on = as_of.date() + timedelta(days=deal.id.int % _TASK_DAYS)
    at = sale.updated_at
    whose = (deal.owner_id, deal.team_path)
    facts = (deal.title, deal.customer_id, "open", due_on, None, None)
    return (_task_id(deal), 1, 1, at, at, *whose, *facts)


def _on(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)
