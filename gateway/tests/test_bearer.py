"""Who holds a token, over HTTP, with a real database behind."""

import asyncio
from collections.abc import Iterator

import pytest
from sqlalchemy import select, update

from crmkit.clock import now
from crmkit.context import Context
from crmkit.ids import new_id
from crmkit.testing import empty
from gateway.app import Gateway
from gateway.audit import AuditEntry
from gateway.identity.models import Base, LoginSession, SecondFactor
from gateway.limits import Limit
from gateway.resources import Resources
from gateway.routes import Table
from gateway.tests.conftest import BUS_ROWS, ROUTES, SETTINGS, Bus, Http
from gateway.tests.test_sign_in import forget, sign_in
from gateway.tests.test_sign_in import http as http
from gateway.tests.test_sign_in import member as member

pytestmark = pytest.mark.server


def looked_up(http: Http, monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """The tokens that are looked up from now on."""
    asked: list[bytes] = []
    find = http.app.bearers._look_up
    monkeypatch.setattr(
        http.app.bearers,
        "_look_up",
        lambda token, request: asked.append(token) or find(token, request),
    )
    return asked


class TestStrangers:
    @pytest.fixture
    def strict(self, http: Http) -> Http:
        http.app.limits["public"] = Limit("public", 0.001, 2)
        return http

    def test_are_not_looked_up_any_more_once_their_address_has_used_up_its_share(
        self, strict, monkeypatch
    ):
        asked = looked_up(strict, monkeypatch)
        statuses = []
        for number in range(4):
            strict.role = f"cra_{number}"
            statuses.append(strict("GET", "/v1/me").status_code)
        assert (statuses, len(asked)) == ([401, 401, 429, 429], 2)

    def test_share_what_is_left_by_64_bits_of_an_address(self, strict):
        statuses = []
        for address in ("2001:db8::1", "2001:db8::2", "2001:db8::3", "2001:db8:0:1::1"):
            strict.role, strict.address = "cra_x" + address[-1], address
            statuses.append(strict("GET", "/v1/me").status_code)
        assert statuses == [401, 401, 429, 401]

    def test_shut_nobody_out_who_works_at_the_same_address(self, strict, member, monkeypatch):
        strict.app.limits["login"] = Limit("login", 1, 60)
        token = sign_in(strict, member.email).json()["access_token"]
        strict.role = token
        assert strict("GET", "/v1/me").status_code == 200
        for number in range(3):
            strict.role = f"cra_{number}"
            strict("GET", "/v1/me")
        strict.role = token
        strict.app.bearers._seen[token.encode()].until = 0
        assert strict("GET", "/v1/me").status_code == 200

    def test_drive_nobody_out_of_memory(self, http, member, monkeypatch):
        # What is forgotten here is forgotten for want of room, and never for its age.
        monkeypatch.setattr("gateway.identity.bearer.CACHE_SECONDS", 3600.0)
        http.role = token = sign_in(http, member.email).json()["access_token"]
        assert http("GET", "/v1/me").status_code == 200
        monkeypatch.setattr("gateway.identity.bearer.MOST_CACHED", 3)
        for number in range(5):
            http.role = f"cra_{number}"
            http("GET", "/v1/me")
        asked = looked_up(http, monkeypatch)
        http.role = token
        assert http("GET", "/v1/me").status_code == 200
        assert asked == []


class TestFactor:
    """``MFA_REQUIRED_ROLES`` asks it of the session, not of its owner."""

    @pytest.fixture
    def http(self, database) -> Iterator[Http]:
        settings = SETTINGS.environ | {"MFA_REQUIRED_ROLES": "admin"}
        resources = Resources(type(SETTINGS)(settings), Bus(), database)
        with asyncio.Runner() as runner:
            yield Http(Gateway(resources, Table([*BUS_ROWS, *ROUTES])), runner, role="")
        empty(database, Base.metadata)

    @pytest.mark.parametrize(
        ("method", "confirmed", "may"),
        [
            ("password", False, False),
            ("password", True, False),
            ("password+totp", True, True),
            ("password+totp", False, False),
            ("password+recovery_code", True, True),
            ("oidc", True, False),
            ("oidc+mfa", False, True),
            ("oidc+totp", False, False),
        ],
    )
    def test_was_shown_and_is_still_on(
        self, http, member, database, method: str, confirmed: bool, may: bool
    ):
        http.role = sign_in(http, member.email).json()["access_token"]
        with database.transaction(Context()) as session:
            mine = LoginSession.staff_id == member.id
            session.execute(update(LoginSession).where(mine).values(method=method))
            if confirmed:
                factor = SecondFactor(staff_id=member.id, secret="sealed", confirmed_at=now())
                session.add(factor)
        forget(http)
        answer = http("GET", "/v1/staff")
        assert answer.status_code == (200 if may else 403), answer.text


class TestLongReading:
    def test_is_answered_to_nobody_whose_session_ended_meanwhile(
        self, http, member, database, monkeypatch
    ):
        monkeypatch.setattr("gateway.app.CACHE_SECONDS", 0.05)
        monkeypatch.setattr("gateway.identity.bearer.CACHE_SECONDS", 0.05)
        http.role = sign_in(http, member.email).json()["access_token"]
        answer = http.app.resources.client.call

        async def slowly(*asked, **how):
            await asyncio.sleep(0.1)
            return await answer(*asked, **how)

        monkeypatch.setattr(http.app.resources.client, "call", slowly)
        assert http("GET", "/v1/customers").status_code == 200

        async def too_slowly(*asked, **how):
            with database.transaction(Context()) as session:
                session.execute(update(LoginSession).values(ended_at=now()))
            return await slowly(*asked, **how)

        monkeypatch.setattr(http.app.resources.client, "call", too_slowly)
        assert http("GET", "/v1/customers").status_code == 401


class TestUseOfAKey:
    def test_is_noted_with_where_it_came_from_and_the_request(self, http, member, database):
        http.role = sign_in(http, member.email).json()["access_token"]
        made = http(
            "POST",
            "/v1/api-keys",
            json={"name": "ERP", "scopes": ["customers.read"]},
            headers={"idempotency-key": new_id().hex},
        ).json()
        http.role, http.address = made["secret"], "203.0.113.9"
        answer = http("GET", "/v1/customers")
        with database.reading(Context()) as session:
            # The log keeps what other tests did.
            used = {"action": "api_key.used", "subject": f"api_key/{made['id']}"}
            (entry,) = session.scalars(select(AuditEntry).filter_by(**used))
        assert (entry.address, entry.request_id) == ("203.0.113.9", answer.headers["request-id"])
