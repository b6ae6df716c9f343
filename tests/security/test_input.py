"""What nobody should be able to send: foreign columns, bombs, odd types, headers in values.

Mass assignment (OWASP API3), limits (API4) and header injection, over every row of the table.
"""

import json
import uuid
from collections.abc import Iterator
from itertools import count
from typing import Any
from urllib.parse import quote

import httpx
import pytest
from sqlalchemy import inspect

from crmkit import catalog
from crmkit.errors import Invalid
from crmkit.messages import load
from gateway.api import rows
from gateway.routes import PUBLIC, Route
from gateway.schemas import ID, sample
from tests.security.people import Person, World
from tests.talking import Json, MailInbox, email_of

ROWS = list(rows())
WITH_BODY = [row for row in ROWS if row.takes_body]
DESTRUCTIVE = frozenset(("sign_out", "end_my_session"))


def named(row: Route) -> str:
    return f"{row.method} {row.path}"


def columns(owner: str) -> set[str]:
    """Every column of every table of an owner: what somebody might try to set."""
    mappers = catalog.models(owner).Base.registry.mappers
    return {column.key for mapper in mappers for column in inspect(mapper.class_).columns}


def apart(row: Route) -> frozenset[str]:
    return frozenset((*row.parameters, "if_match"))


def forbidden(row: Route) -> list[str]:
    """Columns that are no fields of the row's command."""
    declared = {one.data_key or name for name, one in row.command().fields.items()}
    return sorted(columns(row.command.owner) - declared)


class TestMassAssignment:
    @pytest.mark.parametrize("row", WITH_BODY, ids=named)
    def test_of_any_column_is_refused_by_name(self, row: Route) -> None:
        valid = sample(row.command, without=apart(row))
        assert forbidden(row)
        for column in forbidden(row):
            with pytest.raises(Invalid) as refusal:
                load(row.command, valid | {column: "x"})
            assert refusal.value.details[column] == ["Unknown field."]

    @pytest.mark.parametrize("row", [r for r in WITH_BODY if r.permission != PUBLIC], ids=named)
    def test_is_refused_by_the_running_system(self, row: Route, world: World) -> None:
        body = world.body(row, world.own) | dict.fromkeys(forbidden(row), "x")
        answer = world.people["admin"].try_row(row, _address(row), body)
        assert answer.status_code == 422, answer.text
        named_fields = {error["pointer"] for error in answer.json()["errors"]}
        assert {f"/{column}" for column in forbidden(row)} <= named_fields


def _address(row: Route, value: str = ID) -> str:
    path = row.path
    for parameter in row.parameters:
        path = path.replace(f"{{{parameter}}}", value)
    return path


_ODD: tuple[Any, ...] = (
    None,
    -1,
    10**30,
    1.5,
    True,
    "",
    "x" * 100_000,
    "\u202e\ud7ff\uffff",
    "'; drop table customer; --",
    "{{7*7}}${7*7}",
    [],
    [[]],
    {},
    {"$ne": None},
)
_RAW = (
    b"",
    b"null",
    b"[]",
    b"{",
    b'{"a": NaN}',
    b'{"a": 1e999}',
    b'{"a": "\xff"}',
    b'{"a": "\\u0000"}',
    b'{"a": "\\ud800"}',
    b'{"a": 1, "a": 2}',
    b'{"a":' * 5000,
    b'{"a": ' + b"[" * 30 + b"]" * 30 + b"}",
    b'{"a": [' + b"1," * 20_000 + b"1]}",
    b"\xef\xbb\xbf{}",
)
_IDS = ("x", "0", "%00", "..%2f..%2fetc", "'", "x" * 3000, ID.upper(), f"{{{ID}}}", "%ff")
_QUERIES = (
    "limit=0",
    "limit=201",
    "limit=-1",
    "limit=1e3",
    f"limit={10**30}",
    "cursor=x",
    "cursor=" + "A" * 900,
    "sort=password_hash",
    "sort=-id%20desc;",
    "fields=password_hash",
    "fields=" + "id," * 300,
    "filter[id]=x",
    "filter[__class__]=x",
    "filter[created_at][gte]=x",
    "filter[created_at][like]=x",
    "filter=x",
    "filter[",
    "count=all",
    "unknown=1",
    "limit=1&limit=2",
    "&".join(f"a{n}=1" for n in range(101)),
    "q=%ff",
    "q=%00",
    "q=" + quote("%' or 1=1 --"),
)


_NUMBERS = count()


def wrong(row: Route) -> Iterator[bytes]:
    """Bodies in which one field at a time is of the wrong kind, then all."""
    valid = sample(row.command, without=apart(row))
    names = [
        one.data_key or name
        for name, one in row.command().fields.items()
        if (one.data_key or name) not in apart(row)
    ]
    for number, name in enumerate(names):
        for odd in (_ODD[number % len(_ODD)], _ODD[(number * 5 + 3) % len(_ODD)]):
            yield json.dumps(valid | {name: odd}).encode()
    for odd in _ODD:
        yield json.dumps(dict.fromkeys(names, odd)).encode()


@pytest.fixture(scope="module")
def admins(world: World) -> Iterator[list[Person]]:
    """Several administrators, since the rate limit is per person."""
    admin = world.people["admin"]
    team_id = admin.read("/v1/me")["staff"]["team_id"]
    made = []
    for number in range(4):
        email, password = f"fuzz{number}@security.example", uuid.uuid4().hex
        admin.create(
            "/v1/staff",
            name="F",
            email=email,
            team_id=team_id,
            roles=["director"],
            password=password,
        )
        person = Person(str(admin.base_url), "fuzzer", ("director",))
        made.append(person.enter(email, password))
    yield made
    for person in made:
        person.close()


class TestNoServerError:
    """No request makes it fail (S11): each is answered, or refused in the one shape."""

    @staticmethod
    def send(
        admins: list[Person], row: Route, path: str, body: bytes | None
    ) -> httpx.Response | None:
        if row.command.name in DESTRUCTIVE:
            return None
        admins.append(person := admins.pop(0))
        headers = {"Idempotency-Key": str(uuid.uuid4()), "Content-Type": "application/json"}
        if row.needs_version:
            headers["If-Match"] = '"v1"'
        if row.permission == PUBLIC:
            # From another address each time, or the limit for logins would answer all of them.
            headers["X-Forwarded-For"] = f"198.18.{next(_NUMBERS) % 250}.{next(_NUMBERS) % 250}"
        answer = person.request(row.method, path, content=body, headers=headers)
        assert answer.status_code < 500, f"{named(row)} {path[:200]} {body!r:.200}: {answer.text}"
        if answer.status_code >= 400:
            assert answer.headers["content-type"] == "application/problem+json"
        return answer

    @pytest.mark.parametrize("row", WITH_BODY, ids=named)
    def test_by_any_body(self, row: Route, admins: list[Person]) -> None:
        for body in (*_RAW, *wrong(row)):
            self.send(admins, row, _address(row), body)

    @pytest.mark.parametrize(
        "row", [r for r in ROWS if r.parameters and r.method in {"GET", "POST"}], ids=named
    )
    def test_by_any_id(self, row: Route, admins: list[Person]) -> None:
        for value in _IDS:
            self.send(admins, row, _address(row, value), b"{}" if row.takes_body else None)

    @pytest.mark.parametrize(
        "row", [r for r in ROWS if r.method == "GET" and not r.parameters], ids=named
    )
    def test_by_any_query(self, row: Route, admins: list[Person]) -> None:
        for query in _QUERIES:
            self.send(admins, row, f"{row.path}?{query}", None)

    def test_by_a_body_that_is_too_large(self, admins: list[Person]) -> None:
        row = next(one for one in ROWS if one.command.name == "create_task")
        body = json.dumps({"title": "x" * 1_100_000}).encode()
        answer = self.send(admins, row, row.path, body)
        assert answer is not None
        assert answer.status_code == 413


class TestHeaderInjection:
    """Line ends in values start no header, neither of a mail nor of an answer (S14)."""

    EVIL = "Kim\r\nBcc: thief@evil.example\r\n\r\nHi"

    def test_a_name_adds_no_recipient_to_a_mail(self, world: World, mails: MailInbox) -> None:
        owner = world.people["owner"]
        points = [{"kind": "email", "value": f"{uuid.uuid4().hex}@customers.example"}]
        body: Json = {"name": {"family": self.EVIL, "given": "G"}, "contact_points": points}
        customer = owner.new_customer(**body)
        opportunity = owner.create(
            "/v1/opportunities",
            customer_id=customer["id"],
            title=self.EVIL,
            amount={"amount": "1.00", "currency": "USD"},
        )
        owner.act(f"/v1/opportunities/{opportunity['id']}", "win")
        mails.one_to(email_of(customer))
        assert mails.to("thief@evil.example") == []

    @pytest.mark.parametrize(
        "address",
        [
            "a@b.example\r\nBcc: thief@evil.example",
            "a@b.example, thief@evil.example",
            "a@b.example\nx",
            "<a@b.example>",
            "a@b.example;thief@evil.example",
        ],
    )
    def test_an_address_is_one_address(self, world: World, address: str) -> None:
        points = [{"kind": "email", "value": address}]
        body = {
            "kind": "person",
            "name": {"family": "F", "given": "G"},
            "language": "en",
            "country": "KR",
            "contact_points": points,
        }
        answer = world.people["owner"].answer("POST", "/v1/customers", body)
        assert answer.status_code == 422, answer.text

    @pytest.mark.parametrize(
        "path", ["/v1/%0d%0aset-cookie:%20a=b", "/problems/x%0d%0aset-cookie:a"]
    )
    def test_an_address_of_ours_adds_no_header(self, world: World, path: str) -> None:
        answer = world.people["owner"].get(path)
        assert "set-cookie" not in answer.headers
        assert answer.status_code == 404

    def test_a_request_id_is_not_echoed_when_it_is_odd(self, world: World) -> None:
        odd = "x" * 40 + ": <script>"
        answer = world.people["owner"].get("/v1/me", headers={"Request-Id": odd})
        assert answer.headers["request-id"] != odd


def test_every_owner_has_columns_that_nobody_may_set() -> None:
    for owner in catalog.owners():
        assert {"created_at", "version"} <= columns(owner), owner
