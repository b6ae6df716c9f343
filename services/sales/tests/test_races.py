"""What must hold when several ask at once: real transactions on real connections."""

from concurrent.futures import ThreadPoolExecutor
from datetime import date
from decimal import Decimal
from threading import Barrier

import pytest
from sqlalchemy import func, select

from contracts import sales as contract
from contracts import service_desk
from crmkit.context import Context
from crmkit.errors import Conflict
from crmkit.ids import new_id
from crmkit.testing import announced, empty, envelope
from services.sales import opportunities, orders, tasks
from services.sales.models import Base, Customer, Order, Payment, Task

pytestmark = pytest.mark.server


@pytest.fixture
def live(database):
    """The database itself, emptied afterwards."""
    yield database
    empty(database, Base.metadata)


@pytest.fixture
def buyer(live):
    identity = new_id()
    with live.transaction(Context()) as session:
        facts = {"display_name": "김민수", "language": "ko", "team_path": "/hq/seoul/"}
        session.add(Customer(id=identity, owner_id=new_id(), as_of_version=1, **facts))
    return identity


@pytest.fixture
def made(live, buyer):
    with live.transaction(Context()) as session:
        return opportunities.create(
            session,
            customer_id=buyer,
            title="Ten licences",
            amount={"amount": Decimal(100), "currency": "USD"},
            stage="proposal",
        )


def at_once(live, use_case, *requests):
    """What each of several requests that begin together comes to: an answer or a code."""
    gate = Barrier(len(requests))

    def one(request):
        gate.wait(60)
        try:
            with live.transaction(Context()) as session:
                return use_case(session, **request)
        except Conflict as refusal:
            return refusal.code

    with ThreadPoolExecutor(len(requests)) as pool:
        return list(pool.map(one, requests))


def count(session, model):
    return session.scalar(select(func.count()).select_from(model))


def test_two_wins_place_one_order(live, made):
    request = {"opportunity_id": made["id"]}
    first, second = at_once(live, opportunities.win, request, request)
    assert first == second
    with live.transaction(Context()) as session:
        assert count(session, Order) == 1
        assert len(announced(session, contract.OrderSubmitted)) == 1


def test_payments_never_come_to_more_than_the_total(live, made):
    with live.transaction(Context()) as session:
        won = opportunities.win(session, opportunity_id=made["id"])
    request = {
        "order_id": won["order_id"],
        "amount": {"amount": Decimal(60), "currency": "USD"},
        "received_on": date(2026, 12, 1),
    }
    answers = at_once(live, orders.record_payment, request, request, request)
    assert answers.count("overpaid") == 2
    with live.transaction(Context()) as session:
        assert count(session, Payment) == 1


def test_two_announcements_of_a_survey_raise_one_task(live, buyer):
    facts = {
        "survey_id": new_id(),
        "ticket_id": new_id(),
        "ticket_number": "T-2026-000007",
        "customer_id": buyer,
        "score": 1,
        "comment": "",
    }
    event = service_desk.CustomerDetractorFlagged
    requests = [{"event": envelope(event, facts)} for _ in range(3)]
    assert at_once(live, tasks.follow_up, *requests) == [None, None, None]
    with live.transaction(Context()) as session:
        assert count(session, Task) == 1
        assert len(announced(session, contract.TaskAssigned)) == 1
