"""Money in its two forms: decimal strings on the wire, integer minor units in the database."""

from decimal import Decimal
from typing import Any

from crmkit.errors import Invalid

WHOLE = ("KRW", "JPY")
"""Currencies without a minor unit (ISO 4217 exponent 0); all others we take have two digits."""

_HIGHEST_MINOR = 10**15
"""More than any order; far from what a bigint holds."""


def exponent(currency: str) -> int:
    """How many decimals the currency has: ISO 4217."""
    return 0 if currency in WHOLE else 2


def to_minor(money: dict[str, Any], field: str, *, least: int = 0) -> int:
    """The money in minor units; Invalid, naming the field, if it is no amount of its currency."""
    amount: Decimal = money["amount"]
    # Compared before any arithmetic: 1E+999999 is a short string and a very long integer.
    if not -_HIGHEST_MINOR < amount < _HIGHEST_MINOR:
        raise _invalid(field, "Must be smaller.")
    digits = exponent(money["currency"])
    rounded = amount.quantize(Decimal(1).scaleb(-digits))
    if rounded != amount:
        raise _invalid(field, f"{money['currency']} has {digits} decimals.")
    minor = int(rounded.scaleb(digits))
    if minor < least:
        raise _invalid(field, "Must not be negative." if least == 0 else "Must be more than 0.")
    return within(minor, field)


def within(minor: int, field: str) -> int:
    """The amount itself; Invalid, naming the field, if it is more than any order comes to."""
    if minor >= _HIGHEST_MINOR:
        raise _invalid(field, "Must be smaller.")
    return minor


def shown(minor: int, currency: str) -> dict[str, str]:
    """The money as it travels."""
    digits = exponent(currency)
    return {"amount": str(Decimal(minor).scaleb(-digits)), "currency": currency}


def _invalid(field: str, sentence: str) -> Invalid:
    return Invalid("invalid", "Some fields need attention.", {f"{field}.amount": [sentence]})
