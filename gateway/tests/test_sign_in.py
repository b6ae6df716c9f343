"""Logging in and out over HTTP, with a real database behind."""

import asyncio
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from uuid import UUID

import pytest
from sqlalchemy import func, select, text, update

from crmkit.context import Context
from crmkit.ids import new_id
from crmkit.testing import empty, eventually
from gateway.app import Gateway
from gateway.identity import passwords, staff, teams
from gateway.identity.models import Base, LoginSession, Staff
from gateway.limits import Limit
from gateway.resources import Resources
from gateway.routes import Table
from gateway.tests.conftest import BUS_ROWS, ROUTES, SETTINGS, Bus, Http

pytestmark = pytest.mark.server
PASSWORD = "a long sentence to log in with"


@dataclass
class Member:
    email: str
    id: str


@pytest.fixture
def member(database) -> Iterator[Member]:
    """Somebody new with the role admin; what these tests do is committed."""
    name = new_id().hex
    with database.transaction(Context()) as session:
        team = teams.create_team(session, name="T", slug=name)
        made = staff.add_staff(
            session,
            name="N",
            email=f"{name}@x.example",
            team_id=team["id"],
            roles=["admin"],
            password=PASSWORD,
        )
    yield Member(made["email"], str(made["id"]))
    empty(database, Base.metadata)


@pytest.fixture
def http(database):
    gateway = Gateway(Resources(SETTINGS, Bus(), database), Table([*BUS_ROWS, *ROUTES]))
    with asyncio.Runner() as runner:
        yield Http(gateway, runner, role="")
    empty(database, Base.metadata)


def sign_in(http: Http, email: str, password: str = PASSWORD):
    return http("POST", "/v1/sessions", json={"email": email, "password": password})


def forget(http: Http) -> None:
    """Let the five seconds pass in which a token is remembered."""
    http.app.bearers.forget()


def somebody_waits(database) -> bool:
    """Whether a transaction waits for a lock that another one holds."""
    with database.reading(Context()) as session:
        return session.scalar(text("select exists (select from pg_locks where not granted)"))


class TestSignIn:
    def test_opens_a_session_that_says_who_asks(self, http, member):
        answer = sign_in(http, member.email.upper())
        assert answer.status_code == 201
        tokens = answer.json()
        assert tokens["expires_in"] == 3600
        http.role = tokens["access_token"]
        me = http("GET", "/v1/me").json()
        assert (me["id"], me["permissions"]) == (member.id, {"*": "all"})

    def test_answers_alike_to_a_wrong_password_and_an_unknown_address(self, http, member):
        wrong = sign_in(http, member.email, "x" * 12).json()
        unknown = sign_in(http, f"nobody-{member.email}").json()
        assert wrong["code"] == "wrong_credentials"
        different = {"request_id"}
        assert {k: v for k, v in wrong.items() if k not in different} == {
            k: v for k, v in unknown.items() if k not in different
        }

    def test_is_slowed_down_after_five_wrong_passwords_even_for_the_right_one(self, http, member):
        statuses = [sign_in(http, member.email, "wrong").status_code for _ in range(5)]
        assert statuses == [401] * 5
        answer = sign_in(http, member.email)
        assert (answer.status_code, answer.json()["code"]) == (429, "too_many_attempts")
        assert 1 <= int(answer.headers["retry-after"]) <= 31

    @pytest.mark.parametrize(
        ("change", "status"),
        [
            ({"password_hash": "of another password"}, 401),
            ({"active": False}, 401),
            ({"password_hash": passwords.hashed(PASSWORD)}, 201),
        ],
    )
    def test_looks_again_at_what_changed_while_the_password_was_checked(
        self, http, member, database, monkeypatch, change, status: int
    ):
        fits, changes = passwords.fits, [change]

        def meanwhile(password: str, known: str | None) -> bool:
            right = fits(password, known)
            if changes:
                with database.transaction(Context()) as session:
                    changed = update(Staff).where(Staff.id == member.id)
                    session.execute(changed.values(**changes.pop()))
            return right

        monkeypatch.setattr(passwords, "fits", meanwhile)
        assert sign_in(http, member.email).status_code == status
        with database.reading(Context()) as session:
            opened = select(func.count()).where(LoginSession.staff_id == member.id)
            assert session.scalar(opened) == (status == 201)

    def test_waits_for_who_changes_the_password_just_now(self, http, member, database):
        with ThreadPoolExecutor(1) as pool, database.transaction(Context()) as session:
            staff.change_staff(session, staff_id=UUID(member.id), password=f"{PASSWORD} anew")
            answer = pool.submit(sign_in, http, member.email)
            eventually(lambda: somebody_waits(database))
        assert (answer.result().status_code, answer.result().json()["code"]) == (
            401,
            "wrong_credentials",
        )

    def test_is_slowed_down_for_addresses_nobody_has_too(self, http):
        email = f"{new_id().hex}@nobody.example"
        statuses = [sign_in(http, email, "wrong").status_code for _ in range(6)]
        assert statuses == [401] * 5 + [429]

    def test_lets_no_crowd_of_attempts_through_at_once(self, http, member):
        async def crowd():
            body = {"json": {"email": member.email, "password": "wrong"}}
            return await asyncio.gather(
                *(http._send("POST", "/v1/sessions", dict(body)) for _ in range(12))
            )

        statuses = sorted(answer.status_code for answer in http.runner.run(crowd()))
        assert statuses == [401] * 5 + [429] * 7

    @pytest.mark.parametrize("body", [{}, {"email": 1, "password": []}, {"email": "a", "x": 1}])
    def test_refuses_what_does_not_fit(self, http, body):
        assert http("POST", "/v1/sessions", json=body).status_code == 422

    def test_has_a_limit_of_its_own_for_each_address(self, http):
        http.app.limits["login"] = Limit("login", 0.001, 1)
        statuses = [sign_in(http, f"{new_id().hex}@x.example").status_code for _ in range(2)]
        assert statuses == [401, 429]


class TestTokens:
    def test_end_with_the_session(self, http, member):
        http.role = sign_in(http, member.email).json()["access_token"]
        assert http("DELETE", "/v1/sessions/current").status_code == 204
        forget(http)
        assert http("GET", "/v1/me").status_code == 401

    def test_are_renewed_and_spent(self, http, member):
        first = sign_in(http, member.email).json()
        path = "/v1/sessions/actions/refresh"
        second = http("POST", path, json={"refresh_token": first["refresh_token"]})
        assert second.status_code == 200
        reused = http("POST", path, json={"refresh_token": first["refresh_token"]})
        assert (reused.status_code, reused.json()["code"]) == (401, "refresh_token_invalid")
        http.role = second.json()["access_token"]
        assert http("GET", "/v1/me").status_code == 401

    @pytest.mark.parametrize("token", ["", "cra_x", "crm_x", "x" * 301, "a b", "é"])
    def test_that_nobody_made_let_nobody_in(self, http, token: str):
        headers = {"authorization": f"Bearer {token}".encode("latin-1")}
        assert http("GET", "/v1/me", headers=headers).status_code == 401

    def test_are_looked_up_once_by_a_crowd(self, http, member, monkeypatch):
        monkeypatch.setattr("gateway.identity.bearer.CACHE_SECONDS", 3600.0)
        http.role = sign_in(http, member.email).json()["access_token"]
        asked = []
        find = http.app.bearers._look_up
        monkeypatch.setattr(
            http.app.bearers, "_look_up", lambda *what: asked.append(what) or find(*what)
        )

        async def crowd():
            return await asyncio.gather(*(http._send("GET", "/v1/me", {}) for _ in range(10)))

        assert {answer.status_code for answer in http.runner.run(crowd())} == {200}
        assert len(asked) == 1


class TestStaffOverHttp:
    def test_is_created_once_under_one_key(self, http, member):
        http.role = sign_in(http, member.email).json()["access_token"]
        key = {"idempotency-key": new_id().hex}
        team = http("GET", "/v1/me").json()["staff"]["team_id"]
        body = {
            "name": "New",
            "email": f"{new_id().hex}@x.example",
            "team_id": team,
            "roles": ["sales"],
        }
        first = http("POST", "/v1/staff", json=body, headers=dict(key))
        again = http("POST", "/v1/staff", json=body, headers=dict(key))
        assert (first.status_code, again.status_code) == (201, 201)
        assert first.content == again.content
        assert "idempotent-replayed" not in first.headers
        assert again.headers["idempotent-replayed"] == "true"
        other = http("POST", "/v1/staff", json=body | {"name": "X"}, headers=dict(key))
        assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")
        assert http("GET", first.headers["location"]).json()["name"] == "New"

    def test_is_changed_with_the_version_one_saw(self, http, member):
        http.role = sign_in(http, member.email).json()["access_token"]
        path = f"/v1/staff/{member.id}"
        tag = http("GET", path).headers["etag"]
        changed = http("PATCH", path, json={"name": "M"}, headers={"if-match": tag})
        assert (changed.status_code, changed.json()["name"]) == (200, "M")
        stale = http("PATCH", path, json={"name": "O"}, headers={"if-match": tag})
        assert (stale.status_code, stale.json()["code"]) == (412, "stale_version")
        assert stale.json()["current_version"] == changed.json()["version"]

    def test_is_listed_in_pages(self, http, member):
        http.role = sign_in(http, member.email).json()["access_token"]
        first = http("GET", f"/v1/staff?filter[email]={member.email}&limit=1&count=exact").json()
        assert (first["items"][0]["id"], first["page"]["count"]) == (member.id, 1)
        assert http("GET", "/v1/staff?filter[shoe_size]=1").status_code == 400
        assert http("GET", "/v1/staff?limit=201").status_code == 400
        assert http("GET", "/v1/staff?cursor=x").status_code == 400


class TestApiKeysOverHttp:
    def test_let_another_system_in_until_they_are_revoked(self, http, member):
        token = http.role = sign_in(http, member.email).json()["access_token"]
        made = http("POST", "/v1/api-keys", json={"name": "ERP", "scopes": ["staff.read"]})
        assert made.status_code == 201
        http.role = made.json()["secret"]
        assert http("GET", "/v1/me").json()["kind"] == "integration"
        assert http("GET", "/v1/teams").json()["permission"] == "teams.read"
        http.role = token
        headers = {"if-match": made.headers["etag"]}
        revoked = http("DELETE", made.headers["location"], headers=headers)
        assert revoked.json()["revoked_at"] is not None
        forget(http)
        http.role = made.json()["secret"]
        assert http("GET", "/v1/me").status_code == 401
