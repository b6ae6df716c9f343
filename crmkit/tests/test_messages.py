"""Contracts and envelopes, with values."""

from datetime import UTC, datetime
from typing import Any

import pytest
from marshmallow import fields

from contracts import gateway, sales
from crmkit import codec
from crmkit.context import NOBODY, Actor, Context, from_headers, to_headers
from crmkit.errors import Conflict, CrmError, Invalid, NotFound, from_wire, to_wire
from crmkit.ids import new_id
from crmkit.messages import Command, cloud_event, load, open_envelope, snake


class Greet(Command):
    """Only here."""

    name_ = fields.String(data_key="name", required=True)


class TestNames:
    def test_a_command_knows_its_own(self) -> None:
        assert (sales.WinOpportunity.owner, sales.WinOpportunity.name) == (
            "sales",
            "win_opportunity",
        )

    def test_an_event_knows_its_own(self) -> None:
        assert sales.OrderSubmitted.type == "crm.sales.order.submitted.v1"
        assert sales.OrderSubmitted.routing_key == "order.submitted.v1"

    def test_do_not_tell_in_which_file_of_its_owner_a_contract_lies(self) -> None:
        assert gateway.staff.AddStaff.owner == "gateway"
        assert gateway.staff.StaffJoined.type == "crm.gateway.staff.joined.v1"

    @pytest.mark.parametrize(
        ("camel", "snaked"), [("WinOpportunity", "win_opportunity"), ("Get360View", "get360_view")]
    )
    def test_snake(self, camel: str, snaked: str) -> None:
        assert snake(camel) == snaked


class TestLoad:
    def test_refuses_what_it_does_not_know_by_name(self) -> None:
        with pytest.raises(Invalid) as refusal:
            load(Greet, {"name": "a", "shoe": 1})
        assert list(refusal.value.details) == ["shoe"]

    def test_points_into_nested_fields(self) -> None:
        with pytest.raises(Invalid) as refusal:
            load(
                sales.CreateOpportunity,
                {
                    "customer_id": str(new_id()),
                    "title": "x",
                    "amount": {"amount": "1", "currency": "?"},
                },
            )
        assert list(refusal.value.details) == ["amount.currency"]


def row(**changes: Any) -> dict[str, Any]:
    task = {
        "task_id": str(new_id()),
        "customer_id": None,
        "a later field": "consumers ignore it",
    }
    values = {
        "event_id": new_id(),
        "aggregate_id": new_id(),
        "aggregate_version": 3,
        "payload": task,
        "context": {"request_id": "r-1", "initiator": "system", "traceparent": None},
        "created_at": datetime(2026, 11, 22, 3, 4, 5, tzinfo=UTC),
    }
    return values | changes


class TestEnvelope:
    def test_is_a_cloud_event(self) -> None:
        body = codec.loads(cloud_event(row(), sales.TaskDone, 4711))
        assert body["specversion"] == "1.0"
        assert body["type"] == "crm.sales.task.done.v1"
        assert body["sequence"] == "00000000000000004711"
        assert body["time"] == "2026-11-22T03:04:05Z"
        assert "traceparent" not in body
        assert all(name.isalnum() and name.islower() for name in body)

    def test_comes_back_with_the_request_it_belongs_to(self) -> None:
        body = codec.loads(cloud_event(row(), sales.TaskDone, 1))
        event = open_envelope(sales.TaskDone, body)
        assert event.version == 3
        assert event.context.request_id == "r-1"
        assert event.context.causation_id == str(event.id)
        assert "a later field" not in event.data

    @pytest.mark.parametrize("missing", ["id", "time", "type", "data", "aggregateversion"])
    def test_refuses_what_is_none(self, missing: str) -> None:
        body = codec.loads(cloud_event(row(), sales.TaskDone, 1))
        del body[missing]
        with pytest.raises(Invalid):
            open_envelope(sales.TaskDone, body)


class TestHeaders:
    context = Context(
        actor=Actor(new_id(), "staff", "team", "/hq/seoul/"),
        language="ko",
        deadline=17,
        command_id="c",
        fingerprint="f",
    )

    def test_carry_the_context_there_and_back(self) -> None:
        assert from_headers(to_headers(self.context), trusted=True) == self.context

    def test_an_actor_that_nobody_vouches_for_is_nobody(self) -> None:
        assert from_headers(to_headers(self.context), trusted=False).actor is NOBODY

    @pytest.mark.parametrize("odd", [5, None, [], {}, "{", "{}", '{"id": 1}', b"\xff"])
    def test_odd_headers_count_as_absent(self, odd: Any) -> None:
        headers = dict.fromkeys(to_headers(self.context), odd)
        context = from_headers(headers, trusted=True)
        assert context.actor is NOBODY


class TestErrors:
    def test_cross_the_bus_as_what_they_are(self) -> None:
        error = from_wire(to_wire(Conflict("no", "No.", {"a": 1})))
        assert (type(error), error.code, error.details) == (Conflict, "no", {"a": 1})

    def test_it_tells_that_what_is_missing_may_be_on_its_way(self) -> None:
        refusal = NotFound("customer_not_found", "There is no such customer.")
        assert not from_wire(to_wire(refusal)).may_come
        refusal.may_come = True
        assert from_wire(to_wire(refusal)).may_come

    def test_a_bug_tells_nothing_of_itself(self) -> None:
        wire = to_wire(KeyError("the secret"))
        assert "secret" not in str(wire)
        assert type(from_wire(wire)) is CrmError

    def test_every_one_has_a_status(self) -> None:
        assert (NotFound.status, Invalid.status) == (404, 422)
