"""Seeded rows stand beside those of the use cases and cannot be told from them."""

from decimal import Decimal

import pytest
from sqlalchemy import func, inspect, select

from contracts import sales as contract
from crmkit import codec
from crmkit.messages import load
from crmkit.testing import rolled_back
from demo import company as demo
from services.sales import opportunities, orders, seed, tasks
from services.sales.models import Base, Customer, Opportunity, Order, Payment, StageEntry

pytestmark = pytest.mark.server

COUNT = 120
PAGES = [
    (opportunities, contract.ListOpportunities, contract.Opportunity),
    (orders, contract.ListOrders, contract.Order),
    (tasks, contract.ListTasks, contract.Task),
]


@pytest.fixture
def session(owned):
    """Of the role that `crm seed` logs in as."""
    with rolled_back(owned) as session:
        yield session


@pytest.fixture
def seeded(session):
    connection = session.connection().connection.dbapi_connection
    told = []
    seed.seed(connection, demo, COUNT, told.append)
    assert sum(told) == COUNT
    return session


@pytest.mark.parametrize(("noun", "query", "reply"), PAGES)
def test_lists_show_them_as_their_contracts_say(seeded, noun, query, reply):
    found = noun.find(seeded, **load(query, {"limit": 200}))["items"]
    assert found
    for row in found:
        load(reply, codec.loads(codec.dumps(row)))
        assert row["customer_name"]


def test_every_column_but_those_that_may_be_null_is_written(seeded):
    for mapper in Base.registry.mappers:
        written = seed._COPIES[mapper.local_table.name].split(", ")
        columns = {c.name for c in inspect(mapper).columns if c.identity is None}
        assert set(written) == columns


def test_versions_count_the_steps_of_each_opportunity(seeded):
    counted = select(func.count()).where(StageEntry.opportunity_id == Opportunity.id)
    rows = seeded.execute(
        select(Opportunity.version, Opportunity.event_number, counted.scalar_subquery())
    ).all()
    assert len(rows) == COUNT
    assert all(version == number == steps for version, number, steps in rows)


def test_what_the_use_cases_would_have_written_has_the_same_counts(world, seeded):
    made = world.opportunity()
    for stage in ("proposal", "negotiation"):
        opportunities.move(world.session, opportunity_id=made["id"], stage=stage)
    won = opportunities.win(world.session, opportunity_id=made["id"])
    own = seeded.get(Opportunity, won["id"])
    theirs = seeded.scalars(
        select(Opportunity).where(Opportunity.status == "won", Opportunity.id != own.id)
    ).first()
    for name in ("version", "event_number", "status", "stage"):
        assert getattr(theirs, name) == getattr(own, name)
    paid = orders.record_payment(
        world.session,
        order_id=won["order_id"],
        amount={key: Decimal(v) if key == "amount" else v for key, v in won["amount"].items()},
        received_on=demo.AS_OF.date(),
    )
    own = seeded.get(Order, paid["id"])
    theirs = seeded.scalars(
        select(Order).where(Order.paid_minor == Order.total_minor, Order.id != own.id)
    ).first()
    for name in ("version", "event_number", "status"):
        assert getattr(theirs, name) == getattr(own, name)
    assert set(theirs.lines[0]) == set(own.lines[0])


def test_numbers_of_orders_go_on_after_them(world, seeded):
    most = seeded.scalar(select(func.count()).select_from(Order))
    won = world.won()
    number = orders.get(world.session, order_id=won["order_id"])["number"]
    assert int(number.rsplit("-", 1)[1]) == most + 1


def test_payments_add_up(seeded):
    came_in = select(func.coalesce(func.sum(Payment.amount_minor), 0)).where(
        Payment.order_id == Order.id
    )
    rows = seeded.execute(
        select(Order.paid_minor, Order.total_minor, came_in.scalar_subquery())
    ).all()
    assert all(paid == noted for paid, _, noted in rows)
    assert {paid == total for paid, total, _ in rows} == {True, False}


def test_customers_are_those_of_the_demo(seeded):
    customer = demo.customer(7)
    copy = seeded.get(Customer, customer.id)
    assert (copy.display_name, copy.owner_id) == (customer.name, customer.owner_id)
    assert copy.as_of_version == 1
