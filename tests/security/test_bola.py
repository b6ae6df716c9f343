"""Broken object level authorization (OWASP API1, API5): every role at every row of the table.

What to expect is worked out here from roles, teams and owners, and never asked of the product.
"""

import re
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
from marshmallow import fields

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


def _new_opportunity(world: World) -> str:
    # Of a customer of its own: what is won of it changes that customer, a moment later.
    body = _body("create_opportunity", world) | {"customer_id": _new_customer(world)}
    return str(world.people["owner"].create("/v1/opportunities", **body)["id"])


def _new_order(world: World) -> str:
    won = world.people["owner"].act(f"/v1/opportunities/{_new_opportunity(world)}", "win")
    return str(won["order_id"])


def _new_customer(world: World) -> str:
    return str(world.people["owner"].new_customer()["id"])


def _new_task(world: World) -> str:
    return str(world.people["owner"].create("/v1/tasks", **_body("create_task", world))["id"])


def _new_reminder(world: World) -> str:
    body = _body("create_reminder", world) | {"due_at": "2035-01-02T03:04:05Z"}
    return str(world.people["owner"].create("/v1/reminders", **body)["id"])


def _body(command: str, world: World) -> dict[str, Any]:
    return world.body(next(row for row in ROWS if row.command.name == command), world.own)


_FRESH: dict[str, Callable[[World], str]] = {
    "customer_id": _new_customer,
    "opportunity_id": _new_opportunity,
    "order_id": _new_order,
    "task_id": _new_task,
    "reminder_id": _new_reminder,
}
"""Records that their owner may do everything with, made anew for each row that changes them."""
OWNERS_WRITES = [row for row in ADDRESSED if row.method != "GET" and row.parameters[0] in _FRESH]


class TestOnesOwnRecordAlone:
    """The same request, word for word, of one who may and one who may not."""

    @pytest.mark.parametrize("row", OWNERS_WRITES, ids=named)
    def test_is_changed_by_its_owner_and_by_no_stranger(self, row: Route, world: World) -> None:
        owner, stranger = world.people["owner"], world.people["stranger"]
        assert stranger.may(row) == owner.may(row) == "own"
        identity = _FRESH[row.parameters[0]](world)
        path = at(row, {row.parameters[0]: identity})
        record = path.split("/actions/")[0]
        before = owner.read(record)
        body = world.body(row, world.own)
        refused(stranger.try_row(row, path, body, before["version"]), 404)
        assert owner.read(record)["version"] == before["version"]
        answer = owner.try_row(row, path, body, before["version"])
        if row.command.name == "acknowledge_reminder":
            # It is not due for years, which only who may see it is told.
            refused(answer, 409)
            return
        assert answer.is_success, answer.text
        changed = owner.get(record)
        assert changed.status_code == 404 or changed.json()["version"] > before["version"]

    def test_covers_every_row_that_changes_such_a_record(self) -> None:
        assert len(OWNERS_WRITES) > 10
        assert {row.parameters[0] for row in OWNERS_WRITES} == _FRESH.keys()

    def test_of_the_desk_is_worked_on_by_its_team_and_by_no_other(self, world: World) -> None:
        """A ticket goes through its whole life by its agent; the other desk sees nothing of it."""
        ticket = f"/v1/tickets/{world.own.ids['ticket_id']}"
        team = world.own.places["ticket_id"][1]
        desks = [world.people["agent"], world.people["other_agent"]]
        (ours,) = [agent for agent in desks if agent.team_path == team]
        (others,) = [agent for agent in desks if agent.team_path != team]
        for verb in ("start", "assign", "resolve", "reopen"):
            row = next(one for one in ROWS if one.command.name == f"{verb}_ticket")
            path, body = f"{ticket}/actions/{verb}", world.body(row, world.own)
            if verb == "assign":
                body = {"owner_id": ours.id}
            refused(others.try_row(row, path, body), 404)
            answer = ours.try_row(row, path, body)
            assert answer.is_success, f"{verb}: {answer.text}"

    def test_of_marketing_is_changed_by_marketing_and_by_no_seller(self, world: World) -> None:
        marketer, owner = world.people["marketer"], world.people["owner"]
        campaign = f"/v1/campaigns/{world.campaign}"
        version = f'"v{marketer.read(campaign)["version"]}"'
        refused(owner.answer("PATCH", campaign, {"name": "N"}, If_Match=version), 403)
        assert marketer.answer("PATCH", campaign, {"name": "N"}, If_Match=version).is_success
        refused(owner.answer("POST", f"{campaign}/actions/cancel", {}), 403)
        assert marketer.answer("POST", f"{campaign}/actions/cancel", {}).is_success


class TestForeignIdsOfOnesChoosing:
    """Clients choose the ids of what they make: another's id neither shows nor overwrites it."""

    @pytest.mark.parametrize(
        ("parameter", "command"),
        [
            ("customer_id", "register_customer"),
            ("opportunity_id", "create_opportunity"),
            ("task_id", "create_task"),
            ("reminder_id", "create_reminder"),
            ("feedback_id", "record_feedback"),
        ],
    )
    def test_for_a_new_record_are_taken(self, parameter: str, command: str, world: World) -> None:
        row = next(one for one in ROWS if one.command.name == command)
        identity, stranger = world.own.ids[parameter], world.people["stranger"]
        who = stranger if stranger.may(row) else world.people["other_agent"]
        record = f"{row.path}/{identity}"
        before = world.people["admin"].read(record)
        answer = who.try_row(row, row.path, world.body(row, world.foreign) | {"id": identity})
        refused(answer, 409)
        assert set(answer.json()) <= PROBLEM_FIELDS, "A refusal tells nothing of the record."
        assert world.people["admin"].read(record) == before

    @pytest.mark.parametrize(
        ("command", "parameter"),
        [
            ("create_opportunity", "customer_id"),
            ("create_task", "customer_id"),
            ("record_feedback", "customer_id"),
        ],
    )
    def test_in_a_body_look_like_ids_that_nobody_has(
        self, command: str, parameter: str, world: World
    ) -> None:
        row = next(one for one in ROWS if one.command.name == command)
        stranger = world.people["stranger"]
        answers = []
        for identity in (world.own.ids[parameter], NOWHERE):
            body = world.body(row, world.own) | {parameter: identity}
            answers.append(stranger.try_row(row, row.path, body))
        hidden, absent = answers
        assert hidden.status_code == absent.status_code >= 400
        assert hidden.json()["code"] == absent.json()["code"]

    @pytest.mark.parametrize(
        ("command", "path"),
        [
            ("create_opportunity", "/v1/opportunities"),
            ("create_task", "/v1/tasks"),
            ("record_feedback", "/v1/feedback"),
        ],
    )
    def test_in_a_body_are_ones_own_to_name(self, command: str, path: str, world: World) -> None:
        made = world.people["owner"].create(path, **_body(command, world))
        assert made["customer_id"] == world.own.ids["customer_id"]

    def test_never_come_in_lists(self) -> None:
        """No row takes a list of records: the day one does, it belongs into this matrix."""
        for row in ROWS:
            for name, one in row.command().fields.items():
                inner = one.inner if isinstance(one, fields.List) else None
                assert not isinstance(inner, fields.UUID), f"{named(row)} {name}"
                if isinstance(inner, fields.Nested):
                    foreign = [
                        n for n, f in inner.schema.fields.items() if isinstance(f, fields.UUID)
                    ]
                    assert foreign == [], f"{named(row)} {name}"


PROBLEM_FIELDS = {
    *("type", "title", "status", "detail", "instance"),
    *("code", "errors", "request_id", "retryable"),
}
