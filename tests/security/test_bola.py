"""Broken object level authorization (OWASP API1, API5): every role at every row of the table.

What to expect is worked out here from roles, teams and owners, and never asked of the product.
"""

import re
from collections.abc import Iterator

import httpx
import pytest

from gateway.api import rows
from gateway.routes import LOGGED_IN, PUBLIC, Route
from tests.security.people import Person, Records, World, sees

ROWS = list(rows())
GUARDED = [row for row in ROWS if row.permission not in {PUBLIC, LOGGED_IN}]
ADDRESSED = [row for row in GUARDED if row.parameters]
COLLECTIONS = {
    row.path.rsplit("/", 1)[0]: row.parameters[0]
    for row in ROWS
    if row.method == "GET" and len(row.parameters) == 1 and row.path.endswith("}")
}
"""Path of a list → the path parameter of its records."""

EVERYBODYS = frozenset(("staff_id", "team_id"))
"""A directory of colleagues has no owner: whoever may read it at all sees all of it."""

NOWHERE = "0199c1f2-7c1e-7d1a-9d0e-6f0f8f7b2aff"


_COMPANY = {"/v1/staff", "/v1/teams"}
"""Lists that everybody who may sees whole."""
_TOKENS = ("", "Bearer", "Bearer cra_forged", "Bearer crm_forged", "Basic YWRtaW46YWRtaW4=")


def named(row: Route) -> str:
    return f"{row.method} {row.path}"


def at(row: Route, ids: dict[str, str]) -> str:
    """The address of the row for these records; an id that nothing has where there is none."""
    return re.sub(r"\{(\w+)\}", lambda found: ids.get(found[1], NOWHERE), row.path)


def refused(answer: httpx.Response, status: int) -> None:
    assert answer.status_code == status, f"{answer.request.url}: {answer.text}"
    assert answer.headers["content-type"] == "application/problem+json"


def visible(person: Person, row: Route, records: Records) -> bool:
    scope, parameter = person.may(row), row.parameters[0]
    if scope is None:
        return False
    if parameter in EVERYBODYS and row.permission.endswith(".read"):
        return True
    return parameter in records.places and _seen(person, row, records, parameter)


def _seen(person: Person, row: Route, records: Records, parameter: str) -> bool:
    """Whether a record lies in the scope of the row's permission.

    Whoever sees a customer reads its tickets too, whoever works on them.
    """
    scope = person.may(row)
    places = [records.places[parameter]]
    if row.method == "GET" and parameter == "ticket_id":
        places.append(records.places["customer_id"])
    return scope is not None and any(sees(person, scope, place) for place in places)


@pytest.mark.parametrize("row", GUARDED, ids=named)
class TestWithoutThePermission:
    def test_nobody_gets_further_whosever_record_it_is(self, row: Route, world: World) -> None:
        for person in world.people.values():
            if person.may(row) is not None:
                continue
            for records in (world.own, world.foreign):
                answer = person.try_row(row, at(row, records.ids), world.body(row, records))
                refused(answer, 403)
                assert answer.json()["permission"] == row.permission

    def test_nobody_gets_in_without_a_login(self, row: Route, world: World) -> None:
        client = world.people["stranger"]
        with Person(str(client.base_url), "nobody", ()) as nobody:
            # One each: who has no login is slowed down soon.
            nobody.headers["Authorization"] = _TOKENS[GUARDED.index(row) % len(_TOKENS)]
            refused(nobody.try_row(row, at(row, world.own.ids), world.body(row, world.own)), 401)


@pytest.mark.parametrize("row", ADDRESSED, ids=named)
class TestSomebodyElsesRecord:
    def test_is_not_there(self, row: Route, world: World) -> None:
        for person in world.people.values():
            if person.may(row) is None:
                continue
            for records in (world.own, world.foreign):
                if row.parameters[0] in records.ids and not visible(person, row, records):
                    answer = person.try_row(row, at(row, records.ids), world.body(row, records))
                    refused(answer, 404)


class TestAbsence:
    def test_a_hidden_record_looks_like_one_that_nobody_has(self, world: World) -> None:
        person = world.people["stranger"]
        rows = [row for row in ADDRESSED if row.parameters[0] in world.own.ids]
        rows = [row for row in rows if person.may(row) not in {None, "all"}]
        assert len(rows) > 10
        for row in rows:
            body = world.body(row, world.own)
            hidden = person.try_row(row, at(row, world.own.ids), body).json()
            absent = person.try_row(row, at(row, {}), body).json()
            for different in ("request_id", "instance"):
                hidden.pop(different)
                absent.pop(different)
            assert hidden == absent, named(row)


class TestLists:
    def test_hold_what_one_may_see_and_nothing_else(self, world: World) -> None:
        rows = {row.path: row for row in GUARDED if row.method == "GET"}
        lists = {path: at for path, at in COLLECTIONS.items() if at in world.own.ids}
        lists = {path: at for path, at in lists.items() if path in rows and path not in _COMPANY}
        assert len(lists) > 5
        for path, parameter in lists.items():
            row = rows[path]
            for person in world.people.values():
                if person.may(row) is None:
                    continue
                listed = {one["id"] for one in _all(person, path)}
                for records in (world.own, world.foreign):
                    expected = _seen(person, row, records, parameter)
                    assert (records.ids[parameter] in listed) == expected, (person.name, path)

    @pytest.mark.parametrize(
        "path", ["/v1/opportunities", "/v1/orders", "/v1/tasks", "/v1/tickets", "/v1/feedback"]
    )
    def test_hold_nothing_more_for_who_asks_by_a_foreign_id(self, path: str, world: World) -> None:
        customer = world.own.ids["customer_id"]
        asked = {"filter[customer_id]": customer}
        answer = world.people["stranger"].get(path, params=asked)
        if answer.status_code != 403:
            assert answer.json()["items"] == []


def _all(person: Person, path: str) -> Iterator[dict[str, str]]:
    cursor = None
    for _ in range(20):
        query = {"limit": "200"} | ({"cursor": cursor} if cursor else {})
        page = person.read(path, **query)
        yield from page["items"]
        cursor = page["page"]["next"]
        if cursor is None:
            return


class TestNestedIds:
    """Records named in a body, or further on in an address, are as foreign as any."""

    @pytest.mark.parametrize("command", ["create_opportunity", "create_task", "record_feedback"])
    def test_in_a_body_are_not_there(self, command: str, world: World) -> None:
        row = next(one for one in ROWS if one.command.name == command)
        for name in ("stranger", "other_agent", "other_manager"):
            person = world.people[name]
            if person.may(row) is not None:
                body = world.body(row, world.own)
                answer = person.try_row(row, row.path, body)
                assert answer.status_code in {403, 404, 422}, f"{name}: {answer.text}"

    def test_of_an_owner_are_refused_who_is_nobody(self, world: World) -> None:
        owner = world.people["owner"]
        path = f"/v1/customers/{world.own.ids['customer_id']}/actions/transfer"
        answer = owner.answer("POST", path, {"owner_id": NOWHERE})
        assert answer.status_code in {404, 409, 422}

    def test_in_an_address_must_belong_together(self, world: World) -> None:
        admin = world.people["admin"]
        session = world.own.ids["session_id"]
        path = f"/v1/staff/{world.foreign.ids['staff_id']}/sessions/{session}"
        refused(admin.delete(path), 404)

    def test_of_sessions_of_others_are_not_ones_own(self, world: World) -> None:
        session = world.foreign.ids["session_id"]
        for person in world.people.values():
            if person.name not in {"stranger", "erp"}:
                refused(person.delete(f"/v1/me/sessions/{session}"), 404)


class TestOnesOwnRecord:
    """The other half: that nothing above passes only because everything is refused."""

    def test_is_read_by_all_who_may(self, world: World) -> None:
        ids = world.own.ids | {"campaign_id": world.campaign}
        rows = [row for row in ADDRESSED if row.method == "GET"]
        rows = [row for row in rows if all(parameter in ids for parameter in row.parameters)]
        assert len(rows) > 5
        for row in rows:
            for person in world.people.values():
                scope = person.may(row)
                if scope == "all" or (scope is not None and visible(person, row, world.own)):
                    answer = person.try_row(row, at(row, ids), None)
                    assert answer.status_code == 200, (person.name, named(row))

    @pytest.mark.parametrize(
        "command", ["update_customer", "record_consent", "create_opportunity", "create_task"]
    )
    def test_is_changed_by_its_owner(self, command: str, world: World) -> None:
        row = next(one for one in ROWS if one.command.name == command)
        owner = world.people["owner"]
        path = at(row, world.own.ids)
        version = owner.read(path)["version"] if row.needs_version else 1
        answer = owner.try_row(row, path, world.body(row, world.own), version)
        assert answer.is_success, answer.text
