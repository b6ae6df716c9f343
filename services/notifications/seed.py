"""The demo company as notifications knows it: copies of customers and colleagues."""

from collections.abc import Callable
from types import ModuleType
from typing import Any

import psycopg

_COLLEAGUE = (
    "copy colleague (id, name, email, language, team_path, active, as_of_version) from stdin"
)
_CUSTOMER = (
    "copy customer (id, as_of_version, kind, name, language, country, email, mobile, consents,"
    " owner_id, team_path) from stdin"
)


def seed(
    connection: psycopg.Connection[Any],
    demo: ModuleType,
    count: int,
    report: Callable[[int], None],
) -> None:
    """Write the copies of the staff and of the first ``count`` customers of the demo company."""
    cursor = connection.cursor()
    with cursor.copy(_COLLEAGUE) as copy:
        for person in demo.STAFF:
            copy.write_row(
                (
                    person.id,
                    person.name,
                    person.email,
                    person.language,
                    person.team_path,
                    True,
                    1,
                )
            )
    with cursor.copy(_CUSTOMER) as copy:
        for number, customer in enumerate(demo.customers(count), 1):
            copy.write_row(_row(customer))
            if number % 1000 == 0:
                report(1000)
    report(count % 1000)


def _row(customer: Any) -> tuple[Any, ...]:
    return (
        customer.id,
        1,
        customer.kind,
        customer.name,
        customer.language,
        customer.country,
        customer.email,
        customer.phone,
        sorted(channel for channel, answer in customer.consents if answer == "granted"),
        customer.owner_id,
        customer.team_path,
    )
