"""Events for the relay to send: rows in an outbox as ``crmkit.outbox.emit`` writes them."""

import json
import uuid
from typing import Any

import psycopg

from contracts.customers import CustomerLifecycleChanged
from crmkit.ids import new_id

OWNER = "customers"
EVENT = CustomerLifecycleChanged
"""It goes to the ERP's queue and to the feed and no service handles it, so what is measured is the
way of an event and not the work it causes."""

_COLUMNS = "event_id, type, aggregate_id, aggregate_version, payload, context, created_at"
_ONE = f"insert into outbox ({_COLUMNS}) values (%s, %s, %s, 2, %s, %s, clock_timestamp())"
_MANY = f"""
insert into outbox ({_COLUMNS})
select gen_random_uuid(), %(type)s, c.id, 2, jsonb_build_object('customer_id', c.id,
    'from_stage', 'suspect', 'to_stage', 'prospect', 'cause', 'bench'), %(context)s, now()
from generate_series(1, %(count)s) n
join (select id, row_number() over () as place, count(*) over () as total from customer) c
    on c.place = n %% c.total + 1
"""
_CONTEXT = json.dumps({"request_id": str(uuid.UUID(int=7)), "initiator": "system"})


def announce(database: "psycopg.Connection[Any]", customer_id: str) -> str:
    """Commit one event; its id."""
    event_id = str(new_id())
    facts = {
        "customer_id": customer_id,
        "from_stage": "suspect",
        "to_stage": "prospect",
        "cause": "bench",
    }
    row = (event_id, EVENT.type, customer_id, json.dumps(facts), _CONTEXT)
    database.execute(_ONE, row)
    return event_id


def pile_up(database: "psycopg.Connection[Any]", count: int) -> None:
    """So many events at once, of many customers."""
    database.execute(_MANY, {"type": EVENT.type, "context": _CONTEXT, "count": count})
    database.execute("analyze outbox")


def empty(database: "psycopg.Connection[Any]") -> None:
    """Forget all events, sent or not."""
    database.execute("truncate outbox")
