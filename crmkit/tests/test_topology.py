"""What the definitions promise about every queue, in a cluster and on a single broker."""

import re
from typing import Any

import pytest

from crmkit import topology

PASSWORDS = dict.fromkeys(topology.users(), "secret")
# Their messages end with them, or expire: what waited in vain is told to whoever waited.
WITHOUT_PARKING = ("rpc-", "crm.")


def policy_of(queue: str, found: dict[str, Any]) -> dict[str, Any]:
    """What the broker applies to the queue; no two policies may match one, since one would win."""
    matching = [p["definition"] for p in found["policies"] if re.search(p["pattern"], queue)]
    assert len(matching) <= 1, f"{queue}: {matching}"
    return matching[0] if matching else {}


class TestDefinitions:
    @pytest.mark.parametrize("kind", ["classic", "quorum"])
    def test_one_setting_decides_what_queues_are_but_for_the_feed(self, kind: str) -> None:
        found = topology.definitions(PASSWORDS, kind)
        kinds = {q["name"]: q["arguments"]["x-queue-type"] for q in found["queues"]}
        assert kinds.pop(topology.FEED) == "stream"
        assert set(kinds.values()) == {kind}

    @pytest.mark.parametrize("kind", ["classic", "quorum"])
    def test_whatever_a_consumer_refuses_is_parked(self, kind: str) -> None:
        found = topology.definitions(PASSWORDS, kind)
        for queue in (q["name"] for q in found["queues"]):
            parks = policy_of(queue, found).get("dead-letter-exchange") == topology.PARKING
            assert parks is not queue.startswith(WITHOUT_PARKING), queue

    def test_parking_in_a_cluster_loses_nothing(self) -> None:
        found = topology.definitions(PASSWORDS, "quorum")
        policies = {q["name"]: policy_of(q["name"], found) for q in found["queues"]}
        parking = [p for p in policies.values() if "dead-letter-exchange" in p]
        assert parking
        for policy in parking:
            assert policy["dead-letter-strategy"] == "at-least-once"
            # Without it RabbitMQ falls back to at-most-once and only says so in its log.
            assert policy["overflow"] == "reject-publish"
            assert policy["delivery-limit"] > 0

    def test_an_erp_that_is_away_holds_nobody_up(self) -> None:
        for kind in ("classic", "quorum"):
            policy = policy_of(topology.ERP_QUEUE, topology.definitions(PASSWORDS, kind))
            assert "max-length" not in policy
