"""The rules of customers, with values."""

import pytest

from services.customers import rules


class TestStageAfterOrder:
    @pytest.mark.parametrize(
        ("stage", "orders", "after"),
        [
            ("prospect", 1, "first_buyer"),
            ("first_buyer", 2, "repeat"),
            ("repeat", 4, "repeat"),
            ("repeat", 5, "loyal"),
            ("lost", 2, "recovered"),
            ("recovered", 3, "repeat"),
            ("lost", 1, "first_buyer"),
        ],
    )
    def test_follows_the_number_of_orders(self, stage: str, orders: int, after: str) -> None:
        assert rules.stage_after_order(stage, orders) == after


class TestStageAfterOpportunity:
    def test_makes_a_prospect_of_a_suspect_and_leaves_buyers_alone(self) -> None:
        assert rules.stage_after_opportunity("suspect") == "prospect"
        assert rules.stage_after_opportunity("loyal") == "loyal"


class TestConsents:
    def test_only_marketing_that_was_granted_opens_a_channel(self) -> None:
        consents = [
            {"channel": "sms", "purpose": "marketing", "granted": True},
            {"channel": "email", "purpose": "marketing", "granted": False},
        ]
        assert rules.open_channels(consents) == ["sms"]
