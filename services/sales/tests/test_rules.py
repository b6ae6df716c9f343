"""Decisions of sales, as values."""

from datetime import UTC, date, datetime

import pytest

from contracts import sales as contract
from crmkit.errors import Conflict
from services.sales import rules


class TestMove:
    @pytest.mark.parametrize("at", contract.STAGES)
    @pytest.mark.parametrize("to", [*contract.STAGES, "won", "lost"])
    def test_goes_from_any_open_stage_to_any_other_and_to_its_end(self, at, to):
        if at != to:
            assert rules.move(at, to) == to

    @pytest.mark.parametrize("end", ["won", "lost"])
    @pytest.mark.parametrize("to", [*contract.STAGES, "won", "lost"])
    def test_goes_nowhere_from_an_end(self, end, to):
        with pytest.raises(Conflict) as refusal:
            rules.move(end, to)
        assert refusal.value.code == "stage_not_allowed"
        assert refusal.value.details == {"stage": end, "allowed": []}

    def test_names_what_is_allowed(self):
        with pytest.raises(Conflict) as refusal:
            rules.move("proposal", "proposal")
        assert refusal.value.details["allowed"] == ["lost", "negotiation", "qualification", "won"]

    def test_knows_every_stage_and_end_of_the_contract(self):
        ends = set(contract.STATUSES) - {"open"}
        assert set(rules.MOVES) == set(contract.STAGES) | ends
        assert set().union(*rules.MOVES.values()) == set(rules.MOVES)


class TestPlace:
    def test_is_the_stage_while_open_and_the_end_afterwards(self):
        assert rules.place("open", "proposal") == "proposal"
        assert rules.place("won", "proposal") == "won"


class TestStillOpen:
    def test_refuses_what_is_closed(self):
        rules.still_open("open")
        with pytest.raises(Conflict, match="opportunity_closed"):
            rules.still_open("lost")


class TestFinishTask:
    def test_ends_an_open_task(self):
        assert rules.finish_task("open", "done") == "done"

    def test_refuses_to_end_a_cancelled_one(self):
        with pytest.raises(Conflict) as refusal:
            rules.finish_task("cancelled", "done")
        assert refusal.value.details == {"status": "cancelled", "allowed": []}

    def test_knows_every_status_of_the_contract(self):
        assert set(rules.TASK_MOVES) == set(contract.TASK_STATUSES)


class TestPayable:
    @pytest.mark.parametrize("status", contract.ORDER_STATUSES)
    def test_takes_money_for_orders_that_stand(self, status):
        if status in ("rejected", "cancelled"):
            with pytest.raises(Conflict, match="order_not_payable"):
                rules.payable(status)
        else:
            rules.payable(status)


class TestPaidAfter:
    def test_adds_up_to_the_total_and_no_further(self):
        assert rules.paid_after(40, 60, 100, "KRW") == 100
        with pytest.raises(Conflict) as refusal:
            rules.paid_after(40, 61, 100, "KRW")
        assert refusal.value.code == "overpaid"
        assert refusal.value.details == {"open": {"amount": "60", "currency": "KRW"}}


class TestSameCurrency:
    def test_refuses_another(self):
        rules.same_currency("KRW", "KRW")
        with pytest.raises(Conflict) as refusal:
            rules.same_currency("USD", "KRW")
        assert refusal.value.details == {"expected": "KRW", "given": "USD"}


class TestOrderNumber:
    def test_has_the_year_and_six_digits_or_more(self):
        assert rules.order_number(2026, 123) == "SO-2026-000123"
        assert rules.order_number(2027, 1_234_567) == "SO-2027-1234567"


class TestNextDay:
    @pytest.mark.parametrize(
        ("time_zone", "day"), [("Asia/Seoul", 3), ("Asia/Tokyo", 3), ("Asia/Shanghai", 2)]
    )
    def test_is_tomorrow_where_the_owner_works(self, time_zone, day):
        # Half past midnight on the 2nd in Seoul and Tokyo, still the 1st in Shanghai.
        at = datetime(2026, 11, 1, 15, 30, tzinfo=UTC)
        assert rules.next_day(time_zone, at) == date(2026, 11, day)


class TestPaymentDueOn:
    def test_is_thirty_days_later(self):
        assert rules.payment_due_on(date(2026, 11, 22)) == date(2026, 12, 22)


class TestFollowUp:
    def test_is_titled_in_the_language_of_its_owner(self):
        assert rules.follow_up_title("ja") == "ご不満のあるお客様への連絡"
        assert rules.follow_up_title(None) == rules.follow_up_title("en")

    def test_tells_ticket_score_and_comment(self):
        assert rules.follow_up_reason(2, 5, "T-2026-000007", " 너무 늦어요 ") == (
            "T-2026-000007 · 2/5 · 너무 늦어요"
        )

    def test_does_without_a_comment(self):
        assert rules.follow_up_reason(1, 5, "T-2026-000007", " ") == "T-2026-000007 · 1/5"
