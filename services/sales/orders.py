"""Orders: placed when an opportunity is won, shown, and paid."""

from functools import cache
from typing import Any
from uuid import UUID

from sqlalchemy import Select
from sqlalchemy.orm import Session

from contracts import sales as contract
from contracts.shapes import time_zone_of
from crmkit.clock import now
from crmkit.db import actor, fetch, one, select_named, visible
from crmkit.errors import Conflict
from crmkit.ids import new_id
from crmkit.outbox import emit
from crmkit.pages import page
from services.sales import colleagues, customers, money, rules
from services.sales.models import ORDER_COUNT, Customer, Opportunity, Order, Payment, money_column

_COMPUTED: dict[str, Any] = {
    "customer_name": Customer.display_name,
    "total": money_column(Order.total_minor, Order.currency),
    "paid": money_column(Order.paid_minor, Order.currency),
}
COLUMNS: dict[str, Any] = {
    name: _COMPUTED[name] if name in _COMPUTED else getattr(Order, name)
    for name in contract.Order().fields
}


def prepare(
    session: Session,
    opportunity: Opportunity,
    customer: Customer | None,
    lines: list[dict[str, Any]] | None,
    terms: dict[str, Any],
) -> Order:
    """The order that an opportunity becomes; ``submit`` places it.

    Conflict ``other_currency`` when a line is not in the opportunity's currency.
    """
    if lines is None:
        clean, total = [_only_line(opportunity)], opportunity.amount_minor
    else:
        clean, total = _clean(lines, opportunity.currency)
    at = now()
    language = colleagues.language_of(session, opportunity.owner_id, customer)
    today = rules.date_in(time_zone_of(language), at)
    due_on = terms.get("payment_due_on", rules.payment_due_on(today))
    return Order(
        id=new_id(),
        number=rules.order_number(today.year, session.scalar(ORDER_COUNT) or 0),
        customer_id=opportunity.customer_id,
        opportunity_id=opportunity.id,
        status="submitted",
        currency=opportunity.currency,
        total_minor=total,
        paid_minor=0,
        lines=clean,
        payment_due_on=due_on,
        submitted_at=at,
        owner_id=opportunity.owner_id,
        team_path=opportunity.team_path,
    )


def submit(session: Session, order: Order) -> None:
    """Place the order and announce it to everybody, the ERP above all."""
    session.add(order)
    names = (
        "number",
        "customer_id",
        "opportunity_id",
        "lines",
        "owner_id",
        "team_path",
        "payment_due_on",
        "submitted_at",
    )
    facts = {name: getattr(order, name) for name in names}
    total = money.shown(order.total_minor, order.currency)
    emit(session, contract.OrderSubmitted, order, {"order_id": order.id, "total": total, **facts})


def get(session: Session, *, order_id: UUID) -> dict[str, Any]:
    """One order; NotFound."""
    return one(session, _columns().where(Order.id == order_id, visible(session, Order)), "order")


def find(session: Session, **asked: Any) -> dict[str, Any]:
    """A page of orders."""
    statement = _columns().where(visible(session, Order))
    return page(session, statement, contract.ListOrders, COLUMNS, asked)


def record_payment(
    session: Session, *, order_id: UUID, amount: dict[str, Any], **request: Any
) -> dict[str, Any]:
    """Note money that came in and announce it; the order, whose status the ERP goes on to decide.

    Asking twice with the same id of the payment notes it once. NotFound; Conflict
    ``other_currency``, ``overpaid`` and ``order_not_payable``.
    """
    order = fetch(session, Order, order_id, lock=True)
    rules.same_currency(amount["currency"], order.currency)
    minor = money.to_minor(amount, "amount", least=1)
    payment_id = request.get("id") or new_id()
    if not _noted(session, payment_id, order_id, minor):
        rules.payable(order.status)
        order.paid_minor = rules.paid_after(
            order.paid_minor, minor, order.total_minor, order.currency
        )
        session.add(
            Payment(
                id=payment_id,
                order_id=order_id,
                amount_minor=minor,
                received_on=request["received_on"],
                reference=request.get("reference"),
                recorded_by=actor(session).initiator,
            )
        )
        facts = {
            "order_id": order_id,
            "customer_id": order.customer_id,
            "payment_id": payment_id,
            "amount": money.shown(minor, order.currency),
            "paid_in_full": order.paid_minor == order.total_minor,
        }
        emit(session, contract.PaymentRecorded, order, facts)
    return one(session, _columns().where(Order.id == order_id), "order")


def _noted(session: Session, payment_id: UUID, order_id: UUID, minor: int) -> bool:
    """Whether that payment is in the books; Conflict if its id stands for another one."""
    known = session.get(Payment, payment_id)
    if known is None:
        return False
    if (known.order_id, known.amount_minor) != (order_id, minor):
        raise Conflict("already_exists", "There is another payment with this id.")
    return True


def _only_line(opportunity: Opportunity) -> dict[str, Any]:
    price = money.shown(opportunity.amount_minor, opportunity.currency)
    return {"description": opportunity.title, "quantity": 1, "unit_price": price}


def _clean(lines: list[dict[str, Any]], currency: str) -> tuple[list[dict[str, Any]], int]:
    """The lines as they are kept, and what they come to."""
    clean, total = [], 0
    for number, line in enumerate(lines):
        rules.same_currency(line["unit_price"]["currency"], currency)
        minor = money.to_minor(line["unit_price"], f"lines.{number}.unit_price")
        clean.append({**line, "unit_price": money.shown(minor, currency)})
        total += minor * line["quantity"]
    return clean, money.within(total, "lines")


@cache
def _columns() -> Select[Any]:
    return customers.joined(select_named(COLUMNS), Order)
