"""The demo company's customers, written as ``register`` would have, but in bulk."""

from collections.abc import Callable, Iterator
from itertools import islice
from types import ModuleType
from typing import Any

import psycopg

from crmkit import codec
from services.customers import names

_CUSTOMER = (
    "copy customer (id, version, event_number, created_at, updated_at, owner_id, team_path, kind,"
    " name, display_name, reading, language, country, city, industry, birthday, source, tags,"
    " email, phone, contact_points, consents, lifecycle_stage, orders_count, search_keys,"
    " search_text) from stdin"
)
_CONSENT = (
    "copy consent_entry (id, customer_id, channel, purpose, granted, source, proof, recorded_by,"
    " recorded_at) from stdin"
)
_ORDERS = {"first_buyer": 1, "repeat": 3, "loyal": 6, "dormant": 2, "lost": 1}
_AT_ONCE = 2000
_PROOF = "Agreed on the paper form kept in the demo archive."


def seed(
    connection: psycopg.Connection[Any],
    demo: ModuleType,
    count: int,
    report: Callable[[int], None],
) -> None:
    """Write the first ``count`` customers of the demo company and the copy of its staff."""
    cursor = connection.cursor()
    with cursor.copy(
        "copy colleague (id, name, team_path, active, as_of_version) from stdin"
    ) as copy:
        for person in demo.STAFF:
            copy.write_row((person.id, person.name, person.team_path, True, 1))
    everybody = demo.customers(count)
    while some := list(islice(everybody, _AT_ONCE)):
        with cursor.copy(_CUSTOMER) as copy:
            for customer in some:
                copy.write_row(_row(customer))
        with cursor.copy(_CONSENT) as copy:
            for customer in some:
                for row in _ledger(customer):
                    copy.write_row(row)
        report(len(some))


def _row(customer: Any) -> tuple[Any, ...]:
    shown = customer.name
    points = [
        {"kind": "email", "value": customer.email, "primary": True},
        {"kind": "phone", "value": customer.phone, "primary": True, "textable": True},
    ]
    found_by = (shown, (customer.reading,), (customer.email,), (customer.phone,))
    return (
        customer.id,
        1,
        1,
        customer.created_at,
        customer.created_at,
        customer.owner_id,
        customer.team_path,
        customer.kind,
        codec.dumps(_name(customer)).decode(),
        shown,
        customer.reading or None,
        customer.language,
        customer.country,
        customer.city,
        customer.industry,
        customer.birthday,
        customer.source,
        [customer.list_kind],
        customer.email,
        customer.phone,
        codec.dumps(points).decode(),
        codec.dumps(_consents(customer)).decode(),
        customer.lifecycle,
        _ORDERS.get(customer.lifecycle, 0),
        _array(names.search_keys(*found_by)),
        names.search_text(*found_by),
    )


def _array(words: list[str]) -> str:
    """The words as PostgreSQL reads an array, since a list goes through psycopg word by word."""
    quoted = (word.replace("\\", "\\\\").replace('"', '\\"') for word in words)
    return '{"' + '","'.join(quoted) + '"}' if words else "{}"


def _name(customer: Any) -> dict[str, str]:
    if customer.organisation:
        return {"full": customer.organisation}
    return {"family": customer.family, "given": customer.given}


def _consents(customer: Any) -> list[dict[str, Any]]:
    return [
        {
            "channel": channel,
            "purpose": "marketing",
            "granted": answer == "granted",
            "source": customer.source,
            "proof": _PROOF,
            "recorded_at": customer.created_at,
        }
        for channel, answer in customer.consents
    ]


def _ledger(customer: Any) -> Iterator[tuple[Any, ...]]:
    for place, consent in enumerate(_consents(customer), 1):
        # Next to the customer's own id, so that the same seed writes the same ledger.
        identity = type(customer.id)(int=customer.id.int + place)
        yield (
            identity,
            customer.id,
            consent["channel"],
            consent["purpose"],
            consent["granted"],
            consent["source"],
            consent["proof"],
            "system",
            customer.created_at,
        )
