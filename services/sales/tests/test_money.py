"""Money, as values."""

from decimal import Decimal

import pytest

from contracts.shapes import CURRENCIES
from crmkit.errors import Invalid
from services.sales import money


def given(amount, currency):
    return {"amount": Decimal(amount), "currency": currency}


class TestToMinor:
    @pytest.mark.parametrize(
        ("amount", "currency", "minor"),
        [
            ("1200", "KRW", 1200),
            ("1200.00", "KRW", 1200),
            ("1200", "JPY", 1200),
            ("12.34", "CNY", 1234),
            ("12.3", "USD", 1230),
            ("1.2E+3", "EUR", 120_000),
            ("-0", "USD", 0),
            ("9999999999999.99", "USD", 999_999_999_999_999),
        ],
    )
    def test_counts_in_the_smallest_unit_of_the_currency(self, amount, currency, minor):
        assert money.to_minor(given(amount, currency), "amount") == minor

    @pytest.mark.parametrize(
        ("amount", "currency"),
        [
            ("0.5", "KRW"),
            ("1.5", "JPY"),
            ("0.001", "USD"),
            ("1.00000000000000000000000000000000000000001", "USD"),
            ("1E-999999", "USD"),
        ],
    )
    def test_refuses_more_decimals_than_the_currency_has(self, amount, currency):
        with pytest.raises(Invalid) as refusal:
            money.to_minor(given(amount, currency), "lines.0.unit_price")
        assert list(refusal.value.details) == ["lines.0.unit_price.amount"]

    @pytest.mark.parametrize("amount", ["-0.01", "-1", "1E+999999", "-1E+999999", "1E+15", "1E+13"])
    def test_refuses_what_no_order_comes_to(self, amount):
        with pytest.raises(Invalid) as refusal:
            money.to_minor(given(amount, "USD"), "amount")
        assert list(refusal.value.details) == ["amount.amount"]

    def test_refuses_nothing_where_something_must_come_in(self):
        with pytest.raises(Invalid):
            money.to_minor(given("0", "USD"), "amount", least=1)


class TestShown:
    @pytest.mark.parametrize("currency", CURRENCIES)
    @pytest.mark.parametrize("minor", [0, 1, 99, 100, 123_456_789, 999_999_999_999_999])
    def test_comes_back_as_it_was(self, minor, currency):
        text = money.shown(minor, currency)
        assert money.to_minor(given(**text), "amount") == minor
        assert "E" not in text["amount"]

    def test_has_the_decimals_of_its_currency(self):
        assert money.shown(5, "USD") == {"amount": "0.05", "currency": "USD"}
        assert money.shown(0, "USD") == {"amount": "0.00", "currency": "USD"}
        assert money.shown(5, "KRW") == {"amount": "5", "currency": "KRW"}
