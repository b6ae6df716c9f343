"""Orders and payments against a real database."""

import re
from datetime import date
from decimal import Decimal

import pytest
from sqlalchemy import select, update

from contracts import sales as contract
from crmkit import codec
from crmkit.errors import Conflict, Invalid, NotFound
from crmkit.ids import new_id
from crmkit.messages import load
from crmkit.testing import announced, staff
from services.sales import orders
from services.sales.models import Order, Payment

pytestmark = pytest.mark.server


def pay(world, order_id, amount, currency="USD", **request):
    return orders.record_payment(
        world.session,
        order_id=order_id,
        amount={"amount": Decimal(amount), "currency": currency},
        received_on=date(2026, 12, 1),
        **request,
    )


def payments(world):
    return world.session.scalars(select(Payment).order_by(Payment.recorded_at)).all()


class TestGet:
    def test_shows_the_whole_order(self, world):
        won = world.won("1200", "KRW")
        order = orders.get(world.session, order_id=won["order_id"])
        assert set(order) == set(contract.Order().fields)
        load(contract.Order, codec.loads(codec.dumps(order)))
        assert order["customer_name"] == "김민수"
        assert order["status"] == "submitted"
        assert order["total"] == {"amount": "1200", "currency": "KRW"}
        assert order["paid"] == {"amount": "0", "currency": "KRW"}
        assert (order["owner_id"], order["team_path"]) == (world.kim.id, "/hq/seoul/")

    def test_has_a_number_of_its_own(self, world):
        numbers = [
            orders.get(world.session, order_id=world.won()["order_id"])["number"] for _ in range(3)
        ]
        assert len(set(numbers)) == 3
        assert all(re.fullmatch(r"SO-20\d\d-\d{6}", number) for number in numbers)

    def test_keeps_to_the_scope(self, world):
        won = world.won()
        world.act_as(staff("own"))
        with pytest.raises(NotFound, match="order_not_found"):
            orders.get(world.session, order_id=won["order_id"])


class TestFind:
    def test_lists_the_newest_first_within_the_scope(self, world):
        made = [world.won()["order_id"] for _ in range(2)]
        request = load(contract.ListOrders, {"filter": {"customer_id": str(world.buyer)}})
        found = orders.find(world.session, **request)["items"]
        assert [row["id"] for row in found] == made[::-1]
        assert found[0] == orders.get(world.session, order_id=made[1])
        world.act_as(staff("team", "/hq/tokyo/"))
        assert orders.find(world.session, **request)["items"] == []


class TestRecordPayment:
    def test_adds_up_and_says_when_all_is_paid(self, world):
        order_id = world.won("100")["order_id"]
        assert pay(world, order_id, "40")["paid"] == {"amount": "40.00", "currency": "USD"}
        paid = pay(world, order_id, "60", reference="TX 1")
        assert paid["paid"] == paid["total"]
        assert paid["status"] == "submitted"
        assert paid["version"] == 3
        facts = announced(world.session, contract.PaymentRecorded)
        assert [(str(f["amount"]["amount"]), f["paid_in_full"]) for f in facts] == [
            ("40.00", False),
            ("60.00", True),
        ]
        noted = payments(world)
        assert [f["payment_id"] for f in facts] == [payment.id for payment in noted]
        assert noted[1].reference == "TX 1"
        assert noted[1].recorded_by == f"staff:{world.kim.id}"

    def test_notes_a_payment_with_an_id_once(self, world):
        order_id, identity = world.won("100")["order_id"], new_id()
        once = pay(world, order_id, "100", id=identity)
        assert pay(world, order_id, "100", id=identity) == once
        assert len(payments(world)) == 1
        assert len(announced(world.session, contract.PaymentRecorded)) == 1

    def test_refuses_another_payment_under_the_same_id(self, world):
        order_id, identity = world.won("100")["order_id"], new_id()
        pay(world, order_id, "10", id=identity)
        with pytest.raises(Conflict, match="already_exists"):
            pay(world, order_id, "11", id=identity)

    def test_refuses_more_than_is_open_and_notes_nothing(self, world):
        order_id = world.won("100")["order_id"]
        pay(world, order_id, "99.99")
        with pytest.raises(Conflict) as refusal:
            pay(world, order_id, "0.02")
        assert refusal.value.code == "overpaid"
        assert refusal.value.details == {"open": {"amount": "0.01", "currency": "USD"}}
        assert len(payments(world)) == 1

    def test_refuses_another_currency(self, world):
        with pytest.raises(Conflict, match="other_currency"):
            pay(world, world.won("100")["order_id"], "1", "EUR")

    @pytest.mark.parametrize("amount", ["0", "-1", "0.001"])
    def test_refuses_what_is_no_payment(self, world, amount):
        with pytest.raises(Invalid) as refusal:
            pay(world, world.won("100")["order_id"], amount)
        assert list(refusal.value.details) == ["amount.amount"]

    def test_refuses_an_order_that_was_cancelled(self, world):
        order_id = world.won("100")["order_id"]
        world.session.execute(update(Order).values(status="cancelled"))
        with pytest.raises(Conflict, match="order_not_payable"):
            pay(world, order_id, "1")

    def test_keeps_to_the_scope(self, world):
        order_id = world.won("100")["order_id"]
        world.act_as(staff("own"))
        with pytest.raises(NotFound):
            pay(world, order_id, "1")
