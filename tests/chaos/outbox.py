"""Events put into an outbox as ``crmkit.outbox.emit`` writes them, without the change they tell."""

from collections.abc import Iterable
from uuid import UUID

import psycopg

from crmkit import codec

TASK_DONE = "crm.sales.task.done.v1"
"""An event that does no harm to anybody, whatever task it names."""
HANDLER = "notifications.on_task_done"
"""Who handles it."""

Announced = tuple[UUID, str, UUID, int]
"""The id of an event, its type, its record, and its number among those of the record."""


def announce(dsn: str, events: Iterable[Announced]) -> None:
    """Put events into the outbox of sales in one transaction; their facts are those of a task."""
    rows = [
        (*event, codec.dumps({"task_id": event[2], "customer_id": None}).decode())
        for event in events
    ]
    with psycopg.connect(dsn) as database, database.cursor() as cursor:
        cursor.executemany(
            "insert into outbox (event_id, type, aggregate_id, aggregate_version, payload, context,"
            " created_at) values (%s, %s, %s, %s, %s, '{}', now())",
            rows,
        )
