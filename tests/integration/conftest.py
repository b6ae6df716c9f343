"""Connections to the broker as one of its users."""

import uuid
from collections.abc import Iterator
from typing import Any

import pika
import pytest

from crmkit import codec
from crmkit.local.stack import LocalStack


class As:
    """A connection to the broker as one of its users."""

    def __init__(self, stack: LocalStack, user: str) -> None:
        self.user = user
        uri = stack.env()[f"{user.upper()}_AMQP_URI"]
        self.connection = pika.BlockingConnection(pika.URLParameters(uri))
        self.channel = self.connection.channel()

    def publish(self, exchange: str, key: str, body: bytes, **properties: Any) -> None:
        values: dict[str, Any] = {
            "content_type": "application/json",
            "user_id": self.user,
            "delivery_mode": 2,
        }
        self.channel.basic_publish(
            exchange, key, body, pika.BasicProperties(**(values | properties))
        )

    def order(self, customer_id: str, *, event_id: str = "") -> bytes:
        """A valid announcement of an order."""
        order_id = str(uuid.uuid4())
        facts = {
            "order_id": order_id,
            "number": "SO-TEST",
            "customer_id": customer_id,
            "opportunity_id": None,
            "total": {"amount": "1", "currency": "USD"},
            "lines": [],
            "owner_id": None,
            "team_path": "/",
            "payment_due_on": None,
            "submitted_at": "2026-11-22T00:00:00Z",
        }
        return codec.dumps(
            {
                "specversion": "1.0",
                "id": event_id or str(uuid.uuid4()),
                "source": "/crm/sales",
                "type": "crm.sales.order.submitted.v1",
                "subject": f"order/{order_id}",
                "time": "2026-11-22T00:00:00Z",
                "aggregateversion": 1,
                "data": facts,
            }
        )


@pytest.fixture
def acting(stack: LocalStack) -> Iterator[Any]:
    """Makes connections as a user of the broker."""
    made: list[As] = []

    def connect(user: str) -> As:
        made.append(As(stack, user))
        return made[-1]

    yield connect
    for one in made:
        if one.connection.is_open:
            one.connection.close()
