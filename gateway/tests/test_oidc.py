"""Logging in through an OpenID provider: ID tokens by values, the whole way with a real one."""

import asyncio
import base64
import hmac
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, urlsplit
from uuid import UUID

import httpx
import pytest
from joserfc import jwt
from joserfc.jwk import ECKey, RSAKey
from sqlalchemy import update

from crmkit.clock import now
from crmkit.context import Context
from crmkit.errors import Unavailable
from crmkit.ids import new_id
from crmkit.settings import Settings
from crmkit.testing import eventually
from gateway.app import Gateway
from gateway.identity import oidc, openid, staff
from gateway.identity.models import OidcLogin
from gateway.identity.openid import Provider, Talks, Untrusted
from gateway.resources import THREADS, Resources
from gateway.routes import Table
from gateway.tests import openid_provider
from gateway.tests.conftest import BUS_ROWS, ROUTES, SETTINGS, Bus, Http
from gateway.tests.test_mfa import actions, code_of, forget, turn_on, verify
from gateway.tests.test_sign_in import PASSWORD, Member, sign_in, somebody_waits
from gateway.tests.test_sign_in import member as member

REDIRECT = "https://crm.example/login/callback"
PROVIDER = Provider("https://idp.example", "crm", "secret", REDIRECT, False, False)
KEY = RSAKey.generate_key(2048, {"kid": "one", "use": "sig"})
MOMENT = datetime(2026, 11, 22, tzinfo=UTC)


def signed(key=KEY, alg: str = "RS256", **changes) -> str:
    at = int(MOMENT.timestamp())
    claims = {
        "iss": PROVIDER.issuer,
        "aud": PROVIDER.client_id,
        "sub": "kim",
        "exp": at + 300,
        "iat": at,
        "nonce": "n",
    } | changes
    kept = {name: value for name, value in claims.items() if value is not None}
    return jwt.encode({"alg": alg, "kid": key.kid}, kept, key, algorithms=[alg])


def _segment(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def claims_of(token: str, *keys):
    known = {"keys": [key.as_dict(private=False) for key in (keys or (KEY,))]}
    return openid.claims_of(token, known, PROVIDER, nonce="n", moment=MOMENT)


class TestClaims:
    def test_are_taken_when_the_provider_signed_them_for_us_now(self):
        assert claims_of(signed())["sub"] == "kim"
        curve = ECKey.generate_key("P-256", {"kid": "two"})
        assert claims_of(signed(curve, "ES256"), KEY, curve)["sub"] == "kim"

    @pytest.mark.parametrize(
        "changes",
        [
            {"iss": "https://evil.example"},
            {"iss": None},
            {"aud": "another"},
            {"aud": ["another"]},
            {"aud": ["crm", "another"]},
            {"aud": ["crm", "another"], "azp": "another"},
            {"azp": "another"},
            {"aud": None},
            {"nonce": "m"},
            {"nonce": None},
            {"exp": int(MOMENT.timestamp()) - 31},
            {"exp": None},
            {"iat": None},
            {"iat": int(MOMENT.timestamp()) + 3600},
            {"nbf": int(MOMENT.timestamp()) + 3600},
            {"sub": None},
            {"sub": ""},
            {"sub": 5},
            {"sub": "x" * 256},
        ],
    )
    def test_prove_nothing_when_one_does_not_fit(self, changes):
        with pytest.raises(Untrusted):
            claims_of(signed(**changes))

    def test_prove_nothing_under_another_key(self):
        other = RSAKey.generate_key(2048, {"kid": "one"})
        with pytest.raises(Untrusted):
            claims_of(signed(other))

    def test_prove_nothing_unsigned_or_signed_with_the_public_key(self):
        header, body, _ = signed().split(".")
        unsigned = "eyJhbGciOiJub25lIn0." + body + "."
        signing = _segment(b'{"alg":"HS256","kid":"one"}') + "." + body
        mac = hmac.digest(KEY.as_pem(private=False), signing.encode(), "sha256")
        forged = f"{signing}.{_segment(mac)}"
        for token in (unsigned, forged, "", "a.b.c", header):
            with pytest.raises(Untrusted):
                claims_of(token)

    def test_of_several_audiences_name_us_as_the_client(self):
        assert claims_of(signed(aud=["crm", "x"], azp="crm"))["azp"] == "crm"

    @pytest.mark.parametrize(
        ("amr", "expected"),
        [
            (["mfa"], True),
            (["pwd", "otp"], True),
            (["swk", "pin"], True),
            (["pwd", "hwk", "user"], True),
            (["pwd"], False),
            (["pwd", "pin"], False),
            (["otp"], False),
            (["hwk"], False),
            (["sms", "otp"], False),
            ([], False),
            (None, False),
            ("mfa", False),
        ],
    )
    def test_tell_whether_two_factors_were_asked_for(self, amr, expected: bool):
        assert openid.strong({"amr": amr}) is expected


class TestRequest:
    def test_challenge_fits_the_vector_of_rfc_7636(self):
        verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
        assert openid.challenge_of(verifier) == "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"

    def test_goes_over_https_only(self):
        plain = Provider("http://idp.example", "crm", "", REDIRECT, False, False)
        with pytest.raises(Unavailable, match="not https"):
            asyncio.run(openid.metadata(plain, Talks()))


@pytest.fixture(autouse=True)
def patience_with_the_provider(monkeypatch):
    """Where a test does not say otherwise, it has all the time that it needs."""
    monkeypatch.setattr(openid, "_SECONDS", 60.0)


@pytest.fixture
def listener():
    """Takes connections and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener


@pytest.fixture
def silent(listener):
    """The address of a provider that does so."""
    return f"http://127.0.0.1:{listener.getsockname()[1]}"


class Jumping(asyncio.SelectorEventLoop):
    """A loop whose clock knows no time but what is waited for, and goes there at once."""

    def __init__(self) -> None:
        self._passed = 0.0
        super().__init__()
        self._look = self._selector.select
        self._selector.select = self._jump

    def time(self) -> float:
        return self._passed

    def _jump(self, seconds: float | None = None):
        self._passed += seconds or 0.0
        return self._look(seconds and 0.0)


class Idp:
    """Stands for the provider's addresses: what each answers, and which were asked."""

    def __init__(self, *keys) -> None:
        self.asked: list[str] = []
        self.token, self.keys, self.seconds = "", keys, 0.0

    async def ask(self, provider, method, url, **_):
        self.asked.append(url.rpartition("/")[2])
        await asyncio.sleep(self.seconds)
        names = ("authorization_endpoint", "token_endpoint", "jwks_uri")
        at = {name: f"{provider.issuer}/{name}" for name in names}
        shown = [key.as_dict(private=False) for key in self.keys]
        answers = {"token_endpoint": {"id_token": self.token}, "jwks_uri": {"keys": shown}}
        return 200, answers.get(self.asked[-1], {"issuer": provider.issuer, **at})


def signed_now(key=KEY) -> str:
    at = int(now().timestamp())
    return signed(key, iat=at, exp=at + 300)


class TestTalks:
    @pytest.fixture
    def idp(self, monkeypatch):
        idp = Idp(KEY)
        idp.token = signed_now()
        monkeypatch.setattr(openid, "_ask", idp.ask)
        return idp

    def exchange(self, talks: Talks):
        return asyncio.run(openid.exchange(PROVIDER, talks, "code", "verifier", nonce="n"))

    def test_take_three_seconds_together_however_many_answers_they_need(self, idp, monkeypatch):
        monkeypatch.setattr(openid, "_SECONDS", 3.0)
        idp.seconds = 1.2
        talk = openid.exchange(PROVIDER, Talks(), "code", "verifier", nonce="n")
        with asyncio.Runner(loop_factory=Jumping) as runner:
            with pytest.raises(Unavailable, match="in time"):
                runner.run(talk)
            assert (len(idp.asked), runner.get_loop().time()) == (3, pytest.approx(3.0))

    def test_ask_once_in_a_while_for_what_stays_the_same(self, idp, monkeypatch):
        talks = Talks()
        for _ in range(2):
            assert self.exchange(talks)["sub"] == "kim"
        first = ["openid-configuration", "token_endpoint", "jwks_uri"]
        assert idp.asked == [*first, "token_endpoint"]
        idp.asked.clear()
        monkeypatch.setattr(openid, "_FRESH_SECONDS", 0.0)
        talks = Talks()
        for _ in range(2):
            self.exchange(talks)
        assert idp.asked == first * 2

    def test_ask_for_the_keys_anew_when_another_one_signed(self, idp):
        self.exchange(talks := Talks())
        other = RSAKey.generate_key(2048, {"kid": "two", "use": "sig"})
        idp.keys, idp.token = (other,), signed_now(other)
        idp.asked.clear()
        for _ in range(2):
            assert self.exchange(talks)["sub"] == "kim"
        assert idp.asked == ["token_endpoint", "jwks_uri", "token_endpoint"]
        idp.token = signed_now(KEY)
        with pytest.raises(Untrusted):
            self.exchange(talks)

    def test_do_not_wait_for_a_resolver_that_went_silent(self, monkeypatch):
        over = threading.Event()
        monkeypatch.setattr(openid, "_SECONDS", 0.2)
        monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: over.wait(60))

        async def ask() -> float:
            began = time.monotonic()
            with pytest.raises(Unavailable):
                await openid.metadata(PROVIDER, Talks())
            took = time.monotonic() - began
            over.set()  # The end of the loop waits for its threads.
            return took

        assert asyncio.run(ask()) < 30

    def test_are_refused_at_once_when_many_go_on(self, silent, monkeypatch):
        monkeypatch.setattr(openid, "_SECONDS", 0.3)
        provider, talks = Provider(silent, "crm", "secret", REDIRECT, False, True), Talks()
        ended: list[str] = []

        async def ask() -> None:
            with pytest.raises(Unavailable) as refusal:
                await openid.metadata(provider, talks)
            ended.append(refusal.value.message.partition(": ")[2])

        async def crowd() -> None:
            await asyncio.gather(*(ask() for _ in range(openid.MOST_TALKS + 1)))

        asyncio.run(crowd())
        late = ["It does not answer in time."] * openid.MOST_TALKS
        assert ended == ["Too many ask it just now.", *late]
        assert talks.going_on == 0


# The whole way, with a provider in a process of its own.


@pytest.fixture(scope="module")
def issuer():
    with openid_provider.running() as issuer:
        yield issuer


@pytest.fixture(scope="module")
def client(issuer):
    """Who we are to the provider, which knows our one address to come back to."""
    body = {"redirect_uris": [REDIRECT]}
    return httpx.post(f"{issuer}/oauth2/clients", json=body).json()


def gateway_for(database, issuer, client, **changes) -> Gateway:
    settings = {
        **SETTINGS.environ,
        "OIDC_ISSUER": issuer,
        "OIDC_CLIENT_ID": client["client_id"],
        "OIDC_CLIENT_SECRET": client["client_secret"],
        "OIDC_REDIRECT_URI": REDIRECT,
        **changes,
    }
    resources = Resources(Settings(settings), Bus(), database)  # type: ignore[arg-type]
    return Gateway(resources, Table([*BUS_ROWS, *ROUTES]))


@pytest.fixture
def http(database, issuer, client):
    with asyncio.Runner() as runner:
        yield Http(gateway_for(database, issuer, client), runner, role="")


def start(http: Http):
    answer = http("POST", "/v1/sessions/actions/start-oidc")
    assert answer.status_code == 200, answer.text
    return answer.json()


def at_provider(started, subject: str) -> dict[str, str]:
    """What the provider sends back for who logs in there as ``subject``."""
    answer = httpx.post(started["authorization_url"], data={"sub": subject})
    assert answer.status_code == 302, answer.text
    to = urlsplit(answer.headers["location"])
    assert f"{to.scheme}://{to.netloc}{to.path}" == REDIRECT
    back = {name: values[0] for name, values in parse_qs(to.query).items()}
    return {"state": back["state"], "code": back["code"], "binding": started["binding"]}


def finish(http: Http, back: dict[str, str], **changes: str):
    return http("POST", "/v1/sessions/actions/finish-oidc", json=back | changes)


def link(http: Http, member: Member, issuer: str, subject: str):
    http.role = sign_in(http, member.email).json()["access_token"]
    body = {"password": PASSWORD, "issuer": issuer, "subject": subject}
    return http("POST", "/v1/me/identities", json=body)


@pytest.mark.server
class TestLogin:
    def test_lets_in_whom_an_administrator_linked(self, http, member, issuer, database):
        subject = new_id().hex
        assert link(http, member, issuer, subject).status_code == 201
        answer = finish(http, at_provider(start(http), subject))
        assert answer.status_code == 201, answer.text
        http.role = answer.json()["access_token"]
        assert http("GET", "/v1/me").json()["id"] == member.id
        assert http("GET", "/v1/me/sessions").json()["items"][0]["method"] == "oidc"
        assert actions(database, actor=f"staff:{member.id}")[-2:] == [
            "identity.linked",
            "login.succeeded",
        ]

    def test_refuses_whom_nobody_linked_whatever_address_they_show(self, http, member, issuer):
        answer = finish(http, at_provider(start(http), member.email))
        assert (answer.status_code, answer.json()["code"]) == (403, "identity_unknown")

    def test_takes_each_state_once(self, http, member, issuer):
        link(http, member, issuer, subject := new_id().hex)
        back = at_provider(start(http), subject)
        assert finish(http, back).status_code == 201
        again = finish(http, back)
        assert (again.status_code, again.json()["code"]) == (401, "oidc_state_invalid")

    def test_refuses_whoever_did_not_start_it(self, http, member, issuer):
        link(http, member, issuer, subject := new_id().hex)
        back = at_provider(start(http), subject)
        stranger = start(http)["binding"]
        assert finish(http, back, binding=stranger).json()["code"] == "oidc_state_invalid"
        assert finish(http, back).json()["code"] == "oidc_state_invalid"

    def test_refuses_a_code_of_another_login(self, http, member, issuer):
        """Code injection: the stolen code fits neither the verifier nor the nonce."""
        link(http, member, issuer, subject := new_id().hex)
        stolen, own = at_provider(start(http), subject), at_provider(start(http), "x")
        answer = finish(http, own, code=stolen["code"])
        assert (answer.status_code, answer.json()["code"]) == (401, "oidc_refused")

    def test_refuses_the_answer_of_another_issuer(self, http, member, issuer):
        link(http, member, issuer, subject := new_id().hex)
        back = at_provider(start(http), subject)
        assert finish(http, back, iss="https://evil.example").json()["code"] == "oidc_refused"

    def test_is_over_after_ten_minutes(self, http, member, issuer, database):
        back = at_provider(start(http), "x")
        with database.transaction(Context()) as session:
            session.execute(update(OidcLogin).values(expires_at=now() - timedelta(seconds=1)))
        assert finish(http, back).json()["code"] == "oidc_state_invalid"

    def test_asks_for_our_second_factor_unless_the_provider_did(self, http, member, issuer):
        link(http, member, issuer, subject := new_id().hex)
        link(http, member, issuer, "strong")
        secret, _ = turn_on(http)
        answer = finish(http, at_provider(start(http), subject))
        assert (answer.status_code, answer.json()["code"]) == (401, "mfa_required")
        assert verify(http, answer.json()["challenge"], code_of(secret)).status_code == 201
        assert finish(http, at_provider(start(http), "strong")).status_code == 201

    def test_keeps_nobody_else_waiting_when_the_provider_went_silent(
        self, database, member, client, listener, silent, monkeypatch
    ):
        monkeypatch.setattr(openid, "MOST_TALKS", THREADS + 2)

        async def status(http: Http, path: str, **options) -> int:
            return (await http._send("POST", path, options)).status_code

        async def crowd(http: Http) -> list[int]:
            start, talks = "/v1/sessions/actions/start-oidc", http.app.resources.talks
            starts = [asyncio.create_task(status(http, start)) for _ in range(THREADS + 2)]
            while talks.going_on < len(starts):
                await asyncio.sleep(0)
            body = {"email": member.email, "password": PASSWORD}
            assert await status(http, "/v1/sessions", json=body) == 201
            assert talks.going_on == len(starts)
            listener.close()  # Whoever waits for it need not wait any longer.
            return await asyncio.gather(*starts)

        with asyncio.Runner() as runner:
            http = Http(gateway_for(database, silent, client), runner, role="")
            assert runner.run(crowd(http)) == [503] * (THREADS + 2)

    def test_opens_nothing_once_it_said_that_the_provider_is_too_slow(
        self, http, member, issuer, database, monkeypatch
    ):
        link(http, member, issuer, subject := new_id().hex)
        back, ask = at_provider(start(http), subject), openid._ask

        async def slowly(*asked, **options):
            await asyncio.sleep(0.3)
            return await ask(*asked, **options)

        with monkeypatch.context() as slow:
            slow.setattr(openid, "_SECONDS", 0.5)
            slow.setattr(openid, "_ask", slowly)
            answer = finish(http, back)
        assert (answer.status_code, answer.json()["code"]) == (503, "provider_unavailable")
        assert answer.json()["retryable"] is False
        done = actions(database, actor=f"staff:{member.id}")
        assert done == ["login.succeeded", "identity.linked"]
        assert finish(http, back).json()["code"] == "oidc_state_invalid"

    def test_waits_for_who_takes_the_identity_away_just_now(self, http, member, issuer, database):
        identity = link(http, member, issuer, subject := new_id().hex).json()
        back = at_provider(start(http), subject)
        with ThreadPoolExecutor(1) as pool, database.transaction(Context()) as session:
            oidc.unlink_identity(
                session, staff_id=UUID(member.id), identity_id=UUID(identity["id"])
            )
            answer = pool.submit(finish, http, back)
            eventually(lambda: somebody_waits(database))
        assert answer.result().json()["code"] == "identity_unknown"

    def test_of_who_left_is_refused(self, http, member, issuer):
        link(http, member, issuer, subject := new_id().hex)
        tag = http("GET", f"/v1/staff/{member.id}").headers["etag"]
        headers = {"if-match": tag}
        http("PATCH", f"/v1/staff/{member.id}", json={"active": False}, headers=headers)
        answer = finish(http, at_provider(start(http), subject))
        assert answer.json()["code"] == "identity_unknown"

    def test_goes_back_to_the_registered_address_only(self, http):
        url = start(http)["authorization_url"].replace("callback", "elsewhere")
        assert httpx.get(url).status_code == 400

    def test_is_not_there_without_a_provider(self, database):
        gateway = Gateway(Resources(SETTINGS, Bus(), database), Table(ROUTES))
        with asyncio.Runner() as runner:
            answer = Http(gateway, runner)("POST", "/v1/sessions/actions/start-oidc")
        assert (answer.status_code, answer.json()["code"]) == (404, "oidc_not_configured")

    def test_says_so_when_the_provider_is_away(self, database, client):
        gateway = gateway_for(database, "http://127.0.0.1:9", client)
        with asyncio.Runner() as runner:
            answer = Http(gateway, runner)("POST", "/v1/sessions/actions/start-oidc")
        assert (answer.status_code, answer.json()["code"]) == (503, "provider_unavailable")


@pytest.mark.server
class TestLinkByEmail:
    @pytest.fixture
    def http(self, database, issuer, client):
        gateway = gateway_for(database, issuer, client, OIDC_LINK_BY_EMAIL="verified")
        with asyncio.Runner() as runner:
            yield Http(gateway, runner, role="")

    @pytest.fixture
    def people(self, database, member):
        """Those whom the provider knows are staff here, too."""
        with database.transaction(Context()) as session:
            team = staff.get_staff(session, staff_id=member.id)["team_id"]
            for name in ("kim", "lee"):
                if not staff.families.who_has(session, f"{name}@idp.example"):
                    staff.add_staff(
                        session,
                        name="N",
                        email=f"{name}@idp.example",
                        team_id=team,
                        roles=["sales"],
                        password=PASSWORD,
                    )

    def test_takes_addresses_the_provider_verified(self, http, people):
        answer = finish(http, at_provider(start(http), "kim"))
        assert answer.status_code == 201
        assert answer.json()["staff"]["email"] == "kim@idp.example"
        assert finish(http, at_provider(start(http), "kim")).status_code == 201

    def test_takes_no_others(self, http, people, member):
        assert finish(http, at_provider(start(http), "lee")).status_code == 403
        assert finish(http, at_provider(start(http), member.email)).status_code == 403

    def test_never_takes_an_identity_that_a_colleague_took_away(self, http, people, member, issuer):
        kim = finish(http, at_provider(start(http), "kim")).json()["staff"]["id"]
        http.role = sign_in(http, member.email).json()["access_token"]
        path = f"/v1/staff/{kim}/identities"
        (identity,) = http("GET", path).json()["items"]
        assert http("DELETE", f"{path}/{identity['id']}").status_code == 204
        for _ in range(2):
            assert finish(http, at_provider(start(http), "kim")).status_code == 403
        assert http("GET", path).json()["items"] == []
        body = {"issuer": issuer, "subject": "kim"}
        assert http("POST", path, json=body).status_code == 201
        assert finish(http, at_provider(start(http), "kim")).status_code == 201


@pytest.mark.server
class TestIdentities:
    def test_are_listed_linked_once_and_taken_away(self, http, member, issuer):
        subject = new_id().hex
        first = link(http, member, issuer, subject).json()
        assert link(http, member, issuer, subject).json() == first
        path = f"/v1/staff/{member.id}/identities"
        assert http("GET", path).json()["items"] == [first]
        assert http("DELETE", f"{path}/{first['id']}").status_code == 204
        forget(http)
        assert http("GET", "/v1/me").status_code == 401
        answer = finish(http, at_provider(start(http), subject))
        assert answer.json()["code"] == "identity_unknown"

    def test_of_ones_own_are_linked_with_the_password_only(self, http, member, issuer, database):
        body = {"issuer": issuer, "subject": new_id().hex}
        http.role = sign_in(http, member.email).json()["access_token"]
        answer = http("POST", f"/v1/staff/{member.id}/identities", json=body)
        assert (answer.status_code, answer.json()["code"]) == (403, "own_identity")
        wrong = http("POST", "/v1/me/identities", json=body | {"password": "not mine at all"})
        assert (wrong.status_code, wrong.json()["code"]) == (403, "wrong_password")
        assert http("GET", f"/v1/staff/{member.id}/identities").json()["items"] == []
        assert "identity.linked" not in actions(database, actor=f"staff:{member.id}")

    def test_belong_to_one_only(self, http, member, issuer, database):
        subject = new_id().hex
        link(http, member, issuer, subject)
        me = http("GET", "/v1/me").json()["staff"]
        with database.transaction(Context()) as session:
            other = staff.add_staff(
                session,
                name="O",
                email=f"{new_id().hex}@x.example",
                team_id=me["team_id"],
                roles=["sales"],
            )
        body = {"issuer": issuer, "subject": subject}
        headers = {"idempotency-key": new_id().hex}
        path = f"/v1/staff/{other['id']}/identities"
        answer = http("POST", path, json=body, headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (409, "identity_taken")
