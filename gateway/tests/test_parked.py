"""The list of what is parked, when the owners answer, and when one does not."""

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest

from crmkit import catalog, codec
from crmkit.db import Database, Encoded
from crmkit.errors import Unavailable
from crmkit.messages import Command
from gateway.api.ops import ROUTES
from gateway.app import Gateway
from gateway.resources import Resources
from gateway.routes import Table
from gateway.tests.conftest import SETTINGS, Bus, Doorkeeper, Http, Quiet

pytestmark = pytest.mark.server


def item(owner: str, at: str) -> dict[str, Any]:
    identity = "0199c1f2-7c1e-7d1a-9d0e-6f0f8f7b2a11"
    return {"id": identity, "owner": owner, "kind": "event", "at": at}


def page(*items: dict[str, Any]) -> Encoded:
    return Encoded(codec.dumps({"items": items, "page": {"next": None, "limit": 50, "count": 1}}))


@pytest.fixture
def bus() -> Bus:
    return Bus()


@pytest.fixture
def http(bus: Bus, database: Database) -> Iterator[Http]:
    made = Gateway(Resources(SETTINGS, bus, database), Table(ROUTES))  # type: ignore[arg-type]
    made.bearers = Doorkeeper()  # type: ignore[assignment]
    made.refusals = Quiet()  # type: ignore[assignment]
    with asyncio.Runner() as runner:
        yield Http(made, runner)


class TestList:
    def test_asks_all_owners_and_puts_their_answers_in_order(self, http: Http, bus: Bus) -> None:
        def answer(command: type[Command], _: dict[str, Any]) -> Encoded:
            # Without a fraction a time is shorter, and sorts wrongly as text.
            seconds = {"sales": "05.5Z", "customers": "05Z"}.get(command.owner)
            return page(item(command.owner, f"2026-11-22T00:00:{seconds}")) if seconds else page()

        bus.answer = answer
        answered = http("GET", "/v1/ops/parked?count=exact")
        assert [one["owner"] for one in answered.json()["items"]] == ["sales", "customers"]
        assert answered.json()["page"]["count"] == len(catalog.services())
        assert {command.owner for command, _, _ in bus.asked} == set(catalog.services())
        assert "degraded" not in answered.headers

    def test_names_whoever_does_not_answer(self, http: Http, bus: Bus) -> None:
        def answer(command: type[Command], _: dict[str, Any]) -> Encoded:
            if command.owner == "sales":
                raise Unavailable("service_unavailable", "The service sales does not answer.")
            return page()

        bus.answer = answer
        answered = http("GET", "/v1/ops/parked")
        assert (answered.status_code, answered.headers["degraded"]) == (200, "sales")
        assert http("GET", "/v1/ops/parked?filter[owner]=sales").status_code == 503

    def test_asks_one_owner_when_one_is_named(self, http: Http, bus: Bus) -> None:
        bus.answer = lambda command, _: page(item(command.owner, "2026-11-22T00:00:05Z"))
        answered = http("GET", "/v1/ops/parked?filter[owner]=sales&fields=owner,kind")
        assert answered.json()["items"] == [{"owner": "sales", "kind": "event"}]
        assert [command.owner for command, _, _ in bus.asked] == ["sales"]

    def test_is_for_whoever_may_see_it(self, http: Http) -> None:
        http.role = "director"
        assert http("GET", "/v1/ops/parked").status_code == 403


class TestActions:
    @pytest.mark.parametrize("owner", ["nobody", None])
    def test_need_an_owner_that_there_is(self, http: Http, bus: Bus, owner: str | None) -> None:
        path = "/v1/ops/parked/0199c1f2-7c1e-7d1a-9d0e-6f0f8f7b2a11/actions/replay"
        assert http("POST", path, json={"owner": owner}).status_code == 422
        assert bus.asked == []
