"""How things are written: filling in a text, money, dates and forms of address per language."""

import re
from collections.abc import Mapping
from datetime import date, datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

_PLACEHOLDER = re.compile(r"\{\{ *([a-z_]+) *\}\}")
_CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+")


def fill(text: str, values: Mapping[str, str]) -> str:
    """The text with each ``{{ name }}`` that ``values`` knows replaced; others stay as they are.

    Nothing is ever executed, and what was filled in is not looked at again.
    """
    return _PLACEHOLDER.sub(lambda found: values.get(found[1], found[0]), text)


def one_line(text: str) -> str:
    """The text without line breaks and control characters, so that it fits a header."""
    return " ".join(_CONTROLS.sub(" ", text).split())


# ISO 4217 minor units; of the Taiwan dollar, cents exist on paper only.
_DECIMALS = {"KRW": 0, "JPY": 0, "TWD": 0}
_SYMBOLS = {
    "KRW": "₩{}",
    "JPY": "JP¥{}",
    "CNY": "CN¥{}",
    "TWD": "NT${}",
    "HKD": "HK${}",
    "USD": "US${}",
    "EUR": "€{}",
    "GBP": "£{}",
}
_AT_HOME = {
    ("ko", "KRW"): "{}원",
    ("ja", "JPY"): "{}円",
    ("zh-Hans", "CNY"): "¥{}",
    ("en", "USD"): "${}",
}
"""How a currency is written where no other one is meant."""


def money(amount: Decimal, currency: str, language: str) -> str:
    """The amount as people who speak the language write it: 1,200,000원, ¥1,200.00."""
    decimals = _DECIMALS.get(currency, 2)
    if amount != amount.to_integral_value():
        decimals = max(decimals, 2)
    pattern = _AT_HOME.get((language, currency)) or _SYMBOLS.get(currency, f"{currency} {{}}")
    sign = "-" if amount < 0 else ""
    return sign + pattern.format(f"{abs(amount):,.{decimals}f}")


_DAYS = {
    "ko": "{d.year}년 {d.month}월 {d.day}일",
    "ja": "{d.year}年{d.month}月{d.day}日",
    "zh-Hans": "{d.year}年{d.month}月{d.day}日",
    "zh-Hant": "{d.year}年{d.month}月{d.day}日",
}
_MONTHS = (
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
)


def day(on: date, language: str) -> str:
    """The date in words: 2026년 11월 1일, 1 November 2026."""
    pattern = _DAYS.get(language)
    if pattern:
        return pattern.format(d=on)
    return f"{on.day} {_MONTHS[on.month - 1]} {on.year}"


def local_day(at: datetime, time_zone: str, language: str) -> str:
    """The date on which a moment falls in that zone, in words."""
    return day(at.astimezone(ZoneInfo(time_zone)).date(), language)


def moment(at: datetime, time_zone: str, language: str) -> str:
    """Date and time of day in that zone, which is named, as the reader may be elsewhere."""
    local = at.astimezone(ZoneInfo(time_zone))
    return f"{day(local.date(), language)} {local:%H:%M} ({time_zone})"


_ADDRESSED = {
    ("ko", "person"): "{} 님",
    ("ko", "organisation"): "{} 귀중",
    ("ja", "person"): "{} 様",
    ("ja", "organisation"): "{} 御中",
}


def addressed(name: str, kind: str, language: str) -> str:
    """The name as a letter begins with it; alone in Chinese: 先生 or 女士 would be a guess."""
    return _ADDRESSED.get((language, kind), "{}").format(one_line(name))
