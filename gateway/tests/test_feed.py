"""The feed: cursors, choosing and masking events, and collecting a batch."""

import pytest

from contracts.gateway.staff import StaffJoined
from crmkit import codec
from gateway.feed import cursor, events
from gateway.feed.reader import Batch
from gateway.problems import Problem

KEY = b"k" * 32


class TestCursor:
    @pytest.mark.parametrize("position", [0, 1, 2**40])
    def test_brings_the_position_back(self, position: int):
        assert cursor.unseal(cursor.seal(position, KEY), KEY) == position

    @pytest.mark.parametrize("forged", ["", "x", "AAAA", "é", cursor.seal(5, b"other" * 8)])
    def test_is_only_taken_when_we_signed_it(self, forged: str):
        with pytest.raises(Problem) as refusal:
            cursor.unseal(forged, KEY)
        assert (refusal.value.status, refusal.value.code) == (400, "cursor_invalid")


class TestWanted:
    event = {"type": "crm.sales.order.submitted.v1", "subject": "order/1"}

    @pytest.mark.parametrize(
        ("types", "subject", "expected"),
        [
            (None, None, True),
            ("crm.sales.*", None, True),
            ("crm.customers.*, crm.sales.order.*", None, True),
            ("crm.customers.*", None, False),
            ("CRM.sales.*", None, False),
            (None, "order/1", True),
            (None, "order/2", False),
            ("crm.sales.*", "order/2", False),
        ],
    )
    def test_chooses(self, types: str | None, subject: str | None, expected: bool):
        assert events.wanted(types, subject).fits(self.event) is expected


class TestMasked:
    def test_leaves_ids_only_of_a_person(self):
        data = StaffJoined.example
        shown = events.masked({"id": "e1", "dataclassification": "personal", "data": data})
        assert shown["data"] == {"staff_id": data["staff_id"], "team_id": data["team_id"]}
        assert shown["datamasked"] is True

    def test_leaves_other_events_alone(self):
        event = {"id": "e1", "dataclassification": "internal", "data": {"name": "Seoul"}}
        assert events.masked(event) == event


def body(number: int, kind: str = "crm.sales.order.submitted.v1") -> bytes:
    event = {"id": number, "type": kind, "source": "/crm/sales", "subject": "order/1", "data": {}}
    return codec.dumps(event)


class TestBatch:
    @pytest.mark.parametrize(
        "nonsense", [b"", b"{", b"[]", b"5", b"{}", b'{"type": null, "subject": 5, "data": []}']
    )
    def test_passes_over_what_is_no_event(self, nonsense: bytes):
        batch = Batch(events.Wanted(("*",)), limit=10, start=0, position=0)
        batch.take(0, nonsense, "sales")
        batch.take(1, body(1), "sales")
        assert ([one["id"] for one in batch.items], batch.position) == ([1], 2)

    @pytest.mark.parametrize("sender", [None, "", "marketing", "gateway"])
    def test_passes_over_what_another_than_the_owner_sent(self, sender: str | None):
        batch = Batch(events.Wanted(), limit=10, start=0, position=0)
        batch.take(0, body(0), sender)
        batch.take(1, body(1), "sales")
        assert ([one["id"] for one in batch.items], batch.position) == ([1], 2)

    def test_skips_what_lies_before_the_cursor(self):
        batch = Batch(events.Wanted(), limit=10, start=5, position=5)
        for position in range(3, 8):
            batch.take(position, body(position), "sales")
        assert [one["id"] for one in batch.items] == [5, 6, 7]
        assert batch.position == 8

    def test_moves_on_past_events_that_do_not_fit(self):
        batch = Batch(events.Wanted(("crm.customers.*",)), limit=10, start=0, position=0)
        batch.take(0, body(0), "sales")
        assert (batch.items, batch.position) == ([], 1)

    def test_stops_at_the_limit(self):
        batch = Batch(events.Wanted(), limit=2, start=0, position=0)
        for position in range(5):
            batch.take(position, body(position), "sales")
        assert (len(batch.items), batch.position) == (2, 2)

    def test_notices_that_events_after_the_cursor_are_gone(self):
        batch = Batch(events.Wanted(), limit=2, start=5, position=5)
        batch.take(90, body(90), "sales")
        assert batch.lost == 90

    def test_begins_without_a_cursor_wherever_the_stream_does(self):
        batch = Batch(events.Wanted(), limit=2, start=0, position=0)
        batch.take(90, body(90), "sales")
        assert (batch.lost, batch.position) == (None, 91)
