"""Fields and shapes that several contracts share."""

from datetime import date
from typing import Any, ClassVar

from marshmallow import ValidationError, fields, validate

from crmkit.messages import Reply

LANGUAGES = ("en", "ko", "ja", "zh-Hans", "zh-Hant")
CURRENCIES = ("KRW", "JPY", "CNY", "TWD", "HKD", "USD", "EUR", "GBP")
CHANNELS = ("email", "sms")
EARLIEST_YEAR, LATEST_YEAR = 1900, 2200

_TIME_ZONES = {
    "ko": "Asia/Seoul",
    "ja": "Asia/Tokyo",
    "zh-Hans": "Asia/Shanghai",
    "zh-Hant": "Asia/Taipei",
}
COMPANY_TIME_ZONE = "Asia/Seoul"


def time_zone_of(language: str | None) -> str:
    """The zone to reckon and write times in for somebody of whom only the language is known."""
    return _TIME_ZONES.get(language or "", COMPANY_TIME_ZONE)


def text(most: int = 200, *, least: int = 1, **options: Any) -> fields.String:
    """A string of a bounded length, which is never blank unless ``least`` is 0."""

    def not_blank(value: str) -> None:
        if least and not value.strip():
            raise ValidationError("Must not be blank.")

    return fields.String(validate=[validate.Length(least, most), not_blank], **options)


def choice(values: tuple[str, ...], **options: Any) -> fields.String:
    """One of a few words."""
    return fields.String(validate=validate.OneOf(values), **options)


def language(**options: Any) -> fields.String:
    """A language Rapport speaks, as a BCP 47 tag."""
    return choice(LANGUAGES, **options)


def country(**options: Any) -> fields.String:
    """A country, ISO 3166-1 alpha-2."""
    return fields.String(validate=validate.Regexp(r"^[A-Z]{2}$", error="Two capitals."), **options)


def moment(**options: Any) -> fields.AwareDateTime:
    """A time with its offset; ISO 8601."""
    return fields.AwareDateTime(format="iso", validate=_in_our_time, **options)


def day(**options: Any) -> fields.Date:
    """A date without a time; ISO 8601."""
    return fields.Date(validate=_in_our_time, **options)


def _in_our_time(value: date) -> None:
    # At the ends of the calendar another zone or one day more is a time that no datetime holds.
    if not EARLIEST_YEAR <= value.year <= LATEST_YEAR:
        raise ValidationError(f"Must be between the years {EARLIEST_YEAR} and {LATEST_YEAR}.")


class Money(Reply):
    """An amount as a decimal string, so that no float ever rounds it, and its ISO 4217 currency."""

    amount = fields.Decimal(required=True, as_string=True, places=None, allow_nan=False)
    currency = choice(CURRENCIES, required=True)

    example: ClassVar[dict[str, Any]] = {"amount": "1234.50", "currency": "USD"}


class Record(Reply):
    """What every stored record shows."""

    id = fields.UUID(required=True)
    version = fields.Integer(required=True)
    created_at = moment(required=True)
    updated_at = moment(required=True)


class Owned(Record):
    """A record that belongs to a member of staff and a team."""

    owner_id = fields.UUID(required=True, allow_none=True)
    team_path = fields.String(required=True)
