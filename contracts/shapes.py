"""Fields and shapes that several contracts share."""

from typing import Any

from marshmallow import ValidationError, fields, validate

from crmkit.messages import Reply

LANGUAGES = ("en", "ko", "ja", "zh-Hans", "zh-Hant")
CURRENCIES = ("KRW", "JPY", "CNY", "TWD", "HKD", "USD", "EUR", "GBP")
CHANNELS = ("email", "sms")


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
    return fields.AwareDateTime(format="iso", **options)


class Money(Reply):
    """An amount as a decimal string, so that no float ever rounds it, and its ISO 4217 currency."""

    amount = fields.Decimal(required=True, as_string=True, places=None, allow_nan=False)
    currency = choice(CURRENCIES, required=True)


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
