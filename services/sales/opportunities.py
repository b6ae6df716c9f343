"""Opportunities: made, changed, moved from stage to stage, won and lost."""

from datetime import datetime
from functools import cache
from typing import Any
from uuid import UUID

from sqlalchemy import Select
from sqlalchemy.orm import Session

from contracts import sales as contract
from crmkit.clock import now
from crmkit.db import actor, fetch, one, select_named, visible
from crmkit.ids import new_id
from crmkit.messages import Event
from crmkit.outbox import emit, gathering
from crmkit.pages import page
from services.sales import colleagues, customers, money, orders, rules
from services.sales.models import Customer, Opportunity, StageEntry, money_column

_COMPUTED: dict[str, Any] = {
    "customer_name": Customer.display_name,
    "amount": money_column(Opportunity.amount_minor, Opportunity.currency),
}
COLUMNS: dict[str, Any] = {
    name: _COMPUTED[name] if name in _COMPUTED else getattr(Opportunity, name)
    for name in contract.Opportunity().fields
}


def create(
    session: Session,
    *,
    customer_id: UUID,
    title: str,
    amount: dict[str, Any],
    stage: str,
    **request: Any,
) -> dict[str, Any]:
    """Open a chance to sell and announce it; the opportunity.

    NotFound ``customer_not_found``, also for a customer so new that we have not heard yet; Conflict
    ``already_exists`` if the caller's own id is taken.
    """
    customer = fetch(session, Customer, customer_id)
    opportunity = Opportunity(
        id=request.get("id") or new_id(),
        customer_id=customer_id,
        title=title,
        amount_minor=money.to_minor(amount, "amount"),
        currency=amount["currency"],
        stage=stage,
        status="open",
        expected_on=request.get("expected_on"),
        **colleagues.ownership(session, request.get("owner_id"), customer),
    )
    session.add(opportunity)
    _announce(session, contract.OpportunityCreated, opportunity, stage=stage)
    _note(session, opportunity, None, stage, opportunity.created_at)
    return _shown(session, opportunity, customer)


def get(session: Session, *, opportunity_id: UUID) -> dict[str, Any]:
    """One opportunity; NotFound."""
    query = _columns().where(Opportunity.id == opportunity_id, visible(session, Opportunity))
    return one(session, query, "opportunity")


def find(session: Session, **asked: Any) -> dict[str, Any]:
    """A page of opportunities."""
    statement = _columns().where(visible(session, Opportunity))
    return page(session, statement, contract.ListOpportunities, COLUMNS, asked)


def update(
    session: Session, *, opportunity_id: UUID, if_match: int | None = None, **changes: Any
) -> dict[str, Any]:
    """Change what is given, null clearing it, and announce what is other than before.

    NotFound; Conflict ``stale_version`` when it was changed since the caller read it, and
    ``opportunity_closed`` once it is won or lost.
    """
    opportunity = fetch(session, Opportunity, opportunity_id, lock=True, if_match=if_match)
    rules.still_open(opportunity.status)
    if "amount" in changes:
        amount = changes.pop("amount")
        changes["amount_minor"] = money.to_minor(amount, "amount")
        changes["currency"] = amount["currency"]
    other = {k: v for k, v in changes.items() if getattr(opportunity, k) != v}
    for name, value in other.items():
        setattr(opportunity, name, value)
    if other:
        fields = {"amount_minor": "amount", "currency": "amount"}
        changed = sorted({fields.get(name, name) for name in other})
        _announce(session, contract.OpportunityUpdated, opportunity, changed=changed)
    return _shown(session, opportunity)


def move(session: Session, *, opportunity_id: UUID, stage: str) -> dict[str, Any]:
    """Put an open opportunity into another stage, forward or back.

    Into the stage it is in changes nothing. NotFound; Conflict ``stage_not_allowed`` once closed.
    """
    opportunity = fetch(session, Opportunity, opportunity_id, lock=True)
    before = rules.place(opportunity.status, opportunity.stage)
    if before != stage:
        opportunity.stage = rules.move(before, stage)
        _note(session, opportunity, before, stage, now())
        _announce(
            session,
            contract.OpportunityStageChanged,
            opportunity,
            from_stage=before,
            to_stage=stage,
        )
    return _shown(session, opportunity)


def win(
    session: Session,
    *,
    opportunity_id: UUID,
    lines: list[dict[str, Any]] | None = None,
    **terms: Any,
) -> dict[str, Any]:
    """Close an opportunity as won and place its order; the opportunity.

    The lines say what was really sold, so their sum becomes the total of the order and the amount
    of the opportunity, which was an estimate until now. Without lines, the order has one: the
    opportunity's title and amount. ``payment_due_on`` of null is an order without a day to pay
    by; when it is not given, 30 days after.

    Asking twice returns the same opportunity and announces nothing new. NotFound; Conflict
    ``stage_not_allowed`` when it was lost, ``other_currency`` when a line is not in the
    opportunity's.
    """
    opportunity = fetch(session, Opportunity, opportunity_id, lock=True)
    customer = session.get(Customer, opportunity.customer_id)
    before = rules.place(opportunity.status, opportunity.stage)
    if before != "won":
        rules.move(before, "won")
        order = orders.prepare(session, opportunity, customer, lines, terms)
        opportunity.status = "won"
        opportunity.amount_minor = order.total_minor
        opportunity.order_id = order.id
        opportunity.closed_at = order.submitted_at
        _note(session, opportunity, before, "won", order.submitted_at)
        with gathering(session):
            _announce(session, contract.OpportunityWon, opportunity, order_id=order.id)
            orders.submit(session, order)
    return _shown(session, opportunity, customer)


def lose(session: Session, *, opportunity_id: UUID, reason: str) -> dict[str, Any]:
    """Close an opportunity as lost and announce why; the opportunity.

    Asking twice changes nothing, the first reason stays. NotFound; Conflict
    ``stage_not_allowed`` when it was won.
    """
    opportunity = fetch(session, Opportunity, opportunity_id, lock=True)
    before = rules.place(opportunity.status, opportunity.stage)
    if before != "lost":
        opportunity.status = rules.move(before, "lost")
        opportunity.lost_reason = reason
        opportunity.closed_at = now()
        _note(session, opportunity, before, "lost", opportunity.closed_at)
        _announce(session, contract.OpportunityLost, opportunity, reason=reason)
    return _shown(session, opportunity)


@cache
def _columns() -> Select[Any]:
    return customers.joined(select_named(COLUMNS), Opportunity)


def _shown(
    session: Session, opportunity: Opportunity, customer: Customer | None = None
) -> dict[str, Any]:
    """The opportunity after a change, as ``get`` would show it, which costs another query."""
    session.flush()
    if customer is None:
        name = customers.name_of(session, opportunity.customer_id)
    else:
        name = customer.display_name
    amount = money.shown(opportunity.amount_minor, opportunity.currency)
    computed = {"customer_name": name, "amount": amount}
    return {
        column: computed[column] if column in computed else getattr(opportunity, column)
        for column in COLUMNS
    }


def _note(
    session: Session, opportunity: Opportunity, before: str | None, after: str, at: datetime
) -> None:
    """Add a step to the history that funnels are counted from."""
    session.add(
        StageEntry(
            opportunity_id=opportunity.id,
            from_stage=before,
            to_stage=after,
            entered_by=actor(session).initiator,
            entered_at=at,
        )
    )


def _announce(session: Session, event: type[Event], opportunity: Opportunity, **facts: Any) -> None:
    common = {
        "opportunity_id": opportunity.id,
        "customer_id": opportunity.customer_id,
        "title": opportunity.title,
        "amount": money.shown(opportunity.amount_minor, opportunity.currency),
        "owner_id": opportunity.owner_id,
        "team_path": opportunity.team_path,
    }
    emit(session, event, opportunity, {**common, **facts})
