"""What the parker makes of a message, whatever its headers say."""

from types import SimpleNamespace
from typing import Any

import pytest

from contracts import sales
from crmkit import parker, topology

QUEUE = topology.event_queue(sales.OrderSubmitted, "customers", "on_order_submitted")


def found(
    body: bytes = b"{}",
    *,
    headers: Any = None,
    exchange: str = "crm.parking",
    key: str = "order.submitted.v1",
    sender: str | None = "sales",
) -> parker.Found:
    method = SimpleNamespace(exchange=exchange, routing_key=key)
    return parker.found(method, SimpleNamespace(headers=headers, user_id=sender), body)


def died(queue: str, exchange: str = "sales.events") -> dict[str, Any]:
    return {"x-death": [{"queue": queue, "exchange": exchange, "reason": "rejected"}]}


class TestFound:
    def test_belongs_to_the_handler_that_did_not_take_it(self) -> None:
        message = found(headers=died(QUEUE))
        assert (message.owner, message.consumer) == ("customers", "customers.on_order_submitted")
        assert message.row["error"].startswith("rejected: ")

    def test_belongs_to_the_handler_though_it_was_smuggled_into_its_queue(self) -> None:
        message = found(headers=died(QUEUE, exchange=""), key=QUEUE, sender="marketing")
        assert (message.owner, message.source) == ("customers", "sales")
        assert message.row["error"] == "rejected: forged: Not sent by sales."

    def test_belongs_to_its_source_when_nobody_listens_to_it(self) -> None:
        message = found(exchange="sales.events", key="order.eaten.v1")
        assert (message.owner, message.consumer) == ("sales", None)
        assert message.row["error"] == "unrouted: There is no such event."

    def test_belongs_to_its_source_when_the_erp_refused_it(self) -> None:
        message = found(headers=died(topology.ERP_QUEUE))
        assert (message.owner, message.consumer) == ("sales", "erp")

    def test_is_one_row_however_often_it_comes(self) -> None:
        assert found(headers=died(QUEUE)).row["id"] == found(headers=died(QUEUE)).row["id"]
        assert found(headers=died(QUEUE)).row["id"] != found(headers=died("other")).row["id"]

    def test_tells_what_it_can_of_what_cannot_be_read(self) -> None:
        row = found(b'{"id": 5, "subject": "order/1", "type": 7}', headers=died(QUEUE)).row
        assert (row["subject"], row["type"], row["event_id"]) == ("order/1", None, None)

    @pytest.mark.parametrize(
        "headers", [None, {}, {"x-death": 5}, {"x-death": []}, {"x-death": [5]}, died("\0", "\0")]
    )
    @pytest.mark.parametrize(
        "body", [b"", b"\xff", b"5", b"[" * 5000, b'{"id": 5}', b'{"type": "\\u0000"}']
    )
    def test_can_be_kept_whatever_it_says(self, headers: Any, body: bytes) -> None:
        message = found(body, headers=headers, exchange="x")
        assert message.owner == "gateway"
        assert not any("\0" in value for value in message.row.values() if isinstance(value, str))
