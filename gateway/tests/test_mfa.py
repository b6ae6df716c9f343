"""The second factor, sessions and API keys over HTTP, with a real database behind."""

import asyncio
import base64
from datetime import timedelta
from urllib.parse import parse_qs, urlsplit

import pytest
from sqlalchemy import select, update

from crmkit.clock import now
from crmkit.context import Context
from crmkit.ids import new_id
from crmkit.settings import Settings
from gateway.app import Gateway
from gateway.audit import AuditEntry
from gateway.identity import totp
from gateway.identity.models import (
    ApiKey,
    LoginChallenge,
    LoginFailure,
    RecoveryCode,
    SecondFactor,
)
from gateway.resources import Resources
from gateway.routes import Table
from gateway.tests.conftest import BUS_ROWS, ROUTES, SETTINGS, Bus, Http
from gateway.tests.test_sign_in import PASSWORD, Member, forget, sign_in
from gateway.tests.test_sign_in import http as http
from gateway.tests.test_sign_in import member as member

pytestmark = pytest.mark.server
VERIFY = "/v1/sessions/actions/verify"


def code_of(secret: bytes) -> str:
    """The code of now, which is good for half a minute at least."""
    return totp.code(secret, totp.step_at(now()))


def next_step(database) -> None:
    """Let the app show a code that was not used yet."""
    with database.transaction(Context()) as session:
        session.execute(update(SecondFactor).values(last_step=0))


def start(http: Http) -> bytes:
    answer = http("POST", "/v1/me/mfa/actions/start", json={"password": PASSWORD})
    assert answer.status_code == 200, answer.text
    secret = parse_qs(urlsplit(answer.json()["otpauth_uri"]).query)["secret"][0]
    assert secret == answer.json()["secret"]
    return base64.b32decode(secret)


def turn_on(http: Http) -> tuple[bytes, list[str]]:
    secret = start(http)
    answer = http("POST", "/v1/me/mfa/actions/confirm", json={"code": code_of(secret)})
    assert answer.status_code == 200, answer.text
    next_step(http.app.resources.database)
    return secret, answer.json()["recovery_codes"]


@pytest.fixture
def enrolled(http, member):
    """A member with a second factor, logged in by password before it was turned on."""
    http.role = sign_in(http, member.email).json()["access_token"]
    return turn_on(http)


def challenge_of(http: Http, member: Member) -> str:
    answer = sign_in(http, member.email)
    assert (answer.status_code, answer.json()["code"]) == (401, "mfa_required")
    return answer.json()["challenge"]


def verify(http: Http, challenge: str, code: str):
    return http("POST", VERIFY, json={"challenge": challenge, "code": code})


class TestSettingUp:
    def test_counts_only_once_a_code_confirmed_it(self, http, member):
        http.role = sign_in(http, member.email).json()["access_token"]
        start(http)
        assert http("GET", "/v1/me/mfa").json()["enabled"] is False
        assert sign_in(http, member.email).status_code == 201
        _, codes = turn_on(http)
        assert len(set(codes)) == 10
        shown = http("GET", "/v1/me/mfa").json()
        assert (shown["enabled"], shown["recovery_codes_left"]) == (True, 10)

    def test_wants_the_password_and_the_right_code(self, http, member):
        http.role = sign_in(http, member.email).json()["access_token"]
        wrong = http("POST", "/v1/me/mfa/actions/start", json={"password": "x"})
        assert (wrong.status_code, wrong.json()["code"]) == (403, "wrong_password")
        early = http("POST", "/v1/me/mfa/actions/confirm", json={"code": "123456"})
        assert (early.status_code, early.json()["code"]) == (409, "mfa_not_started")
        secret, step = start(http), totp.step_at(now())
        good = {totp.code(secret, near) for near in range(step - 1, step + 3)}
        bad = next(code for code in map("{:06}".format, range(5)) if code not in good)
        answer = http("POST", "/v1/me/mfa/actions/confirm", json={"code": bad})
        assert (answer.status_code, answer.json()["code"]) == (403, "wrong_code")

    def test_raises_the_session_that_asks_and_ends_the_others(self, http, member):
        other = sign_in(http, member.email).json()
        http.role = sign_in(http, member.email).json()["access_token"]
        turn_on(http)
        (left,) = http("GET", "/v1/me/sessions").json()["items"]
        assert (left["current"], left["method"]) == (True, "password+totp")
        http.role = other["access_token"]
        assert http("GET", "/v1/me").status_code == 401
        refresh = {"refresh_token": other["refresh_token"]}
        assert http("POST", "/v1/sessions/actions/refresh", json=refresh).status_code == 401

    def test_is_slowed_down_after_five_wrong_codes_even_for_the_right_one(self, http, member):
        http.role = sign_in(http, member.email).json()["access_token"]
        path, secret = "/v1/me/mfa/actions/confirm", start(http)
        statuses = [http("POST", path, json={"code": "abcdef"}).status_code for _ in range(5)]
        assert statuses == [403] * 5
        answer = http("POST", path, json={"code": code_of(secret)})
        assert (answer.status_code, answer.json()["code"]) == (429, "too_many_attempts")

    def test_is_refused_while_one_is_on(self, http, enrolled):
        answer = http("POST", "/v1/me/mfa/actions/start", json={"password": PASSWORD})
        assert (answer.status_code, answer.json()["code"]) == (409, "mfa_is_on")

    def test_keeps_neither_secret_nor_codes_readable(self, http, member, enrolled, database):
        secret, codes = enrolled
        with database.reading(Context()) as session:
            factor = session.get_one(SecondFactor, member.id)
            kept = factor.secret.encode() + b"".join(
                session.scalars(select(RecoveryCode.code_hash))
            )
        assert secret not in kept
        assert base64.b32encode(secret) not in kept
        assert all(code.encode() not in kept for code in codes)


class TestLogin:
    def test_takes_two_steps(self, http, member, enrolled):
        answer = verify(http, challenge_of(http, member), code_of(enrolled[0]))
        assert answer.status_code == 201
        http.role = answer.json()["access_token"]
        (current,) = [s for s in http("GET", "/v1/me/sessions").json()["items"] if s["current"]]
        assert current["method"] == "password+totp"

    def test_takes_each_code_once(self, http, member, enrolled):
        code = code_of(enrolled[0])
        assert verify(http, challenge_of(http, member), code).status_code == 201
        again = verify(http, challenge_of(http, member), code)
        assert (again.status_code, again.json()["code"]) == (401, "wrong_code")

    def test_takes_each_challenge_once(self, http, member, enrolled, database):
        challenge = challenge_of(http, member)
        assert verify(http, challenge, code_of(enrolled[0])).status_code == 201
        next_step(database)
        again = verify(http, challenge, code_of(enrolled[0]))
        assert (again.status_code, again.json()["code"]) == (401, "challenge_invalid")

    def test_takes_no_challenge_that_is_old_or_invented(self, http, member, enrolled, database):
        assert verify(http, "crl_x", "123456").json()["code"] == "challenge_invalid"
        challenge = challenge_of(http, member)
        with database.transaction(Context()) as session:
            session.execute(update(LoginChallenge).values(expires_at=now()))
        answer = verify(http, challenge, code_of(enrolled[0]))
        assert answer.json()["code"] == "challenge_invalid"

    def test_takes_each_recovery_code_once_however_it_is_typed(self, http, member, enrolled):
        code = enrolled[1][0]
        typed = code.upper().replace("-", " ")
        assert verify(http, challenge_of(http, member), typed).status_code == 201
        again = verify(http, challenge_of(http, member), code)
        assert (again.status_code, again.json()["code"]) == (401, "wrong_code")
        assert http("GET", "/v1/me/mfa").json()["recovery_codes_left"] == 9

    def test_is_slowed_down_after_five_wrong_codes_even_for_the_right_one(
        self, http, member, enrolled, database
    ):
        challenge = challenge_of(http, member)
        statuses = [verify(http, challenge, "abc-defg").status_code for _ in range(5)]
        assert statuses == [401] * 5
        answer = verify(http, challenge_of(http, member), code_of(enrolled[0]))
        assert (answer.status_code, answer.json()["code"]) == (429, "too_many_attempts")
        with database.transaction(Context()) as session:
            moved = LoginFailure.last_at - timedelta(minutes=1)
            session.execute(update(LoginFailure).values(last_at=moved))
        assert verify(http, challenge, code_of(enrolled[0])).status_code == 201

    def test_takes_one_of_a_crowd_with_the_same_code(self, http, member, enrolled):
        challenges = [challenge_of(http, member) for _ in range(4)]
        code = code_of(enrolled[0])

        async def crowd():
            bodies = [{"json": {"challenge": one, "code": code}} for one in challenges]
            return await asyncio.gather(*(http._send("POST", VERIFY, body) for body in bodies))

        statuses = sorted(answer.status_code for answer in http.runner.run(crowd()))
        assert statuses == [201, 401, 401, 401]

    def test_of_who_left_meanwhile_is_over(self, http, member, enrolled):
        challenge = challenge_of(http, member)
        path = f"/v1/staff/{member.id}"
        tag = http("GET", path).headers["etag"]
        http("PATCH", path, json={"active": False}, headers={"if-match": tag})
        assert verify(http, challenge, code_of(enrolled[0])).status_code == 401


class TestTurningOff:
    def test_wants_password_and_code(self, http, member, enrolled, database):
        path = "/v1/me/mfa/actions/turn-off"
        code = code_of(enrolled[0])
        wrong = http("POST", path, json={"password": PASSWORD, "code": "abcdefg"})
        assert (wrong.status_code, wrong.json()["code"]) == (403, "wrong_code")
        wrong = http("POST", path, json={"password": "x", "code": code})
        assert (wrong.status_code, wrong.json()["code"]) == (403, "wrong_password")
        next_step(database)
        assert http("POST", path, json={"password": PASSWORD, "code": code}).status_code == 204
        assert sign_in(http, member.email).status_code == 201
        off = http("POST", path, json={"password": PASSWORD, "code": code})
        assert (off.status_code, off.json()["code"]) == (409, "mfa_is_off")

    def test_by_a_colleague_ends_all_sessions(self, http, member, enrolled):
        first, path = http.role, f"/v1/staff/{member.id}/actions/reset-mfa"
        http.role = sign_in(http, new_member(http, "admin").email).json()["access_token"]
        assert http("POST", path).status_code == 204
        forget(http)
        http.role = first
        assert http("GET", "/v1/me").status_code == 401
        assert sign_in(http, member.email).status_code == 201


START, CHANGE = "/v1/me/mfa/actions/start", "/v1/me/actions/change-password"


def start_with(http: Http, password: str):
    return http("POST", START, json={"password": password})


def change_with(http: Http, password: str, new: str = f"{PASSWORD} anew"):
    return http("POST", CHANGE, json={"current_password": password, "new_password": new})


class TestThePasswordOfWhoIsLoggedIn:
    def test_is_slowed_down_after_five_wrong_ones_even_for_the_right_one(self, http, member):
        http.role = sign_in(http, member.email).json()["access_token"]
        wrong = [start_with(http, "x") for _ in range(3)]
        wrong += [change_with(http, "x") for _ in range(2)]
        assert [one.status_code for one in wrong] == [403] * 5
        assert {one.json()["code"] for one in wrong} == {"wrong_password"}
        for answer in (start_with(http, PASSWORD), change_with(http, PASSWORD)):
            assert (answer.status_code, answer.json()["code"]) == (429, "too_many_attempts")
            assert 1 <= int(answer.headers["retry-after"]) <= 31
        assert sign_in(http, member.email).status_code == 201

    def test_is_not_counted_when_it_is_right(self, http, member):
        http.role = sign_in(http, member.email).json()["access_token"]
        for _ in range(6):
            assert change_with(http, PASSWORD, "password1234").status_code == 422
        for _ in range(4):
            start_with(http, "x")
        assert start_with(http, PASSWORD).status_code == 200
        assert start_with(http, "x").status_code == 403
        assert change_with(http, PASSWORD).status_code == 200

    def test_guessed_with_a_code_at_hand_keeps_nobody_from_logging_in(self, http, member, enrolled):
        code = code_of(enrolled[0])
        body = {"password": "x", "code": code}
        path = "/v1/me/mfa/actions/turn-off"
        statuses = [http("POST", path, json=body).status_code for _ in range(6)]
        assert statuses == [403] * 5 + [429]
        assert verify(http, challenge_of(http, member), code).status_code == 201


class TestOneself:
    def test_gets_no_new_password_without_the_current_one(self, http, member):
        http.role = sign_in(http, member.email).json()["access_token"]
        colleague = new_member(http)
        answers = []
        for identity in (member.id, colleague.id):
            path = f"/v1/staff/{identity}"
            tag = http("GET", path).headers["etag"]
            body = {"password": f"{PASSWORD} anew"}
            answers.append(http("PATCH", path, json=body, headers={"if-match": tag}))
        assert [answer.status_code for answer in answers] == [403, 200]
        assert answers[0].json()["code"] == "own_password"
        assert CHANGE in answers[0].json()["detail"]
        assert sign_in(http, member.email).status_code == 201

    def test_loses_no_second_factor_without_a_code(self, http, member, enrolled):
        answer = http("POST", f"/v1/staff/{member.id}/actions/reset-mfa")
        assert (answer.status_code, answer.json()["code"]) == (403, "own_factor")
        assert http("GET", "/v1/me/mfa").json()["enabled"] is True


class TestRecoveryCodes:
    def test_are_replaced_by_ten_others(self, http, member, enrolled):
        path = "/v1/me/mfa/actions/renew-recovery-codes"
        body = {"password": PASSWORD, "code": code_of(enrolled[0])}
        answer = http("POST", path, json=body)
        assert answer.status_code == 200
        assert not set(answer.json()["recovery_codes"]) & set(enrolled[1])
        old = verify(http, challenge_of(http, member), enrolled[1][0])
        assert old.status_code == 401


class TestPolicy:
    @pytest.fixture
    def http(self, database):
        settings = Settings({**SETTINGS.environ, "MFA_REQUIRED_ROLES": "admin, director"})
        gateway = Gateway(Resources(settings, Bus(), database), Table([*BUS_ROWS, *ROUTES]))
        with asyncio.Runner() as runner:
            yield Http(gateway, runner, role="")

    def test_lets_who_needs_a_factor_do_nothing_but_set_it_up(self, http, member):
        http.role = sign_in(http, member.email).json()["access_token"]
        refused = http("GET", "/v1/staff")
        assert (refused.status_code, refused.json()["code"]) == (403, "mfa_setup_required")
        assert http("GET", "/v1/me/mfa").json()["required"] is True
        assert http("GET", "/v1/me").json()["permissions"] == {}
        turn_on(http)
        forget(http)
        assert http("GET", "/v1/staff").status_code == 200

    def test_lets_who_needs_a_factor_change_telephones(self, http, member):
        http.role = sign_in(http, member.email).json()["access_token"]
        secret, _ = turn_on(http)
        body = {"password": PASSWORD, "code": code_of(secret)}
        assert http("POST", "/v1/me/mfa/actions/turn-off", json=body).status_code == 204
        forget(http)
        refused = http("GET", "/v1/staff")
        assert (refused.status_code, refused.json()["code"]) == (403, "mfa_setup_required")
        turn_on(http)
        forget(http)
        assert http("GET", "/v1/staff").status_code == 200

    def test_wants_a_factor_that_is_still_on(self, http, member):
        http.role = sign_in(http, member.email).json()["access_token"]
        turn_on(http)
        forget(http)
        admin, colleague = http.role, new_member(http)
        theirs = http.role = sign_in(http, colleague.email).json()["access_token"]
        secret, _ = turn_on(http)
        body = {"password": PASSWORD, "code": code_of(secret)}
        assert http("POST", "/v1/me/mfa/actions/turn-off", json=body).status_code == 204
        http.role, path = admin, f"/v1/staff/{colleague.id}"
        tag = http("GET", path).headers["etag"]
        http("PATCH", path, json={"roles": ["director"]}, headers={"if-match": tag})
        forget(http)
        http.role = theirs
        refused = http("GET", "/v1/staff")
        assert (refused.status_code, refused.json()["code"]) == (403, "mfa_setup_required")


class TestSessions:
    def test_are_listed_and_ended_one_by_one(self, http, member):
        other = sign_in(http, member.email).json()["access_token"]
        http.role = sign_in(http, member.email).json()["access_token"]
        listed = http("GET", "/v1/me/sessions").json()["items"]
        assert [one["current"] for one in listed] == [True, False]
        assert listed[0]["address"] == "192.0.2.7"
        path = f"/v1/me/sessions/{listed[1]['id']}"
        assert http("DELETE", path).status_code == 204
        assert http("DELETE", path).status_code == 404
        assert len(http("GET", "/v1/me/sessions").json()["items"]) == 1
        http.role = other
        assert http("GET", "/v1/me").status_code == 401

    def test_of_others_are_not_there(self, http, member, database):
        mine = sign_in(http, member.email).json()["access_token"]
        http.role = mine
        stranger = new_member(http)
        sign_in(http, stranger.email)
        theirs = http("GET", f"/v1/staff/{stranger.id}/sessions").json()["items"][0]["id"]
        assert http("DELETE", f"/v1/me/sessions/{theirs}").status_code == 404
        assert http("DELETE", f"/v1/staff/{member.id}/sessions/{theirs}").status_code == 404

    def test_of_a_colleague_are_ended_by_who_may(self, http, member):
        http.role = sign_in(http, member.email).json()["access_token"]
        colleague = new_member(http)
        admin, tokens = http.role, []
        for _ in range(3):
            tokens.append(sign_in(http, colleague.email).json()["access_token"])
        path = f"/v1/staff/{colleague.id}/sessions"
        (newest, *_) = http("GET", path).json()["items"]
        assert http("DELETE", f"{path}/{newest['id']}").status_code == 204
        http.role = tokens[2]
        assert http("GET", "/v1/me").status_code == 401
        http.role = tokens[0]
        assert http("GET", "/v1/me").status_code == 200
        assert http("DELETE", f"/v1/staff/{member.id}/sessions").status_code == 403
        http.role = admin
        assert http("DELETE", path).status_code == 204
        forget(http)
        http.role = tokens[0]
        assert http("GET", "/v1/me").status_code == 401

    def test_of_an_api_key_are_none(self, http, member):
        http.role = sign_in(http, member.email).json()["access_token"]
        http.role = new_key(http)["secret"]
        assert http("GET", "/v1/me/sessions").json()["code"] == "no_person"
        assert http("GET", "/v1/me/mfa").status_code == 409

    def test_all_end_with_the_password(self, http, member):
        other = sign_in(http, member.email).json()
        http.role = sign_in(http, member.email).json()["access_token"]
        body = {"current_password": PASSWORD, "new_password": PASSWORD + " anew"}
        assert http("POST", "/v1/me/actions/change-password", json=body).status_code == 200
        forget(http)
        assert http("GET", "/v1/me").status_code == 401
        refresh = {"refresh_token": other["refresh_token"]}
        assert http("POST", "/v1/sessions/actions/refresh", json=refresh).status_code == 401


def new_member(http: Http, role: str = "sales") -> Member:
    """A colleague, taken on over HTTP."""
    team = http("GET", "/v1/me").json()["staff"]["team_id"]
    body = {
        "name": "C",
        "email": f"{new_id().hex}@x.example",
        "team_id": team,
        "roles": [role],
        "password": PASSWORD,
    }
    headers = {"idempotency-key": new_id().hex}
    made = http("POST", "/v1/staff", json=body, headers=headers)
    assert made.status_code == 201, made.text
    return Member(body["email"], made.json()["id"])


def new_key(http: Http, **fields):
    body = {"name": "ERP", "scopes": ["staff.read"], **fields}
    made = http("POST", "/v1/api-keys", json=body)
    assert made.status_code == 201, made.text
    return made.json() | {"tag": made.headers["etag"]}


def rotate(http: Http, key, **fields):
    path = f"/v1/api-keys/{key['id']}/actions/rotate"
    headers = {"if-match": http("GET", f"/v1/api-keys/{key['id']}").headers["etag"]}
    return http("POST", path, json=fields, headers=headers)


class TestApiKeys:
    @pytest.fixture
    def admin(self, http, member) -> str:
        http.role = sign_in(http, member.email).json()["access_token"]
        return http.role

    def status(self, http: Http, secret: str) -> int:
        before, http.role = http.role, secret
        forget(http)
        try:
            return http("GET", "/v1/me").status_code
        finally:
            http.role = before

    @pytest.mark.parametrize(
        ("networks", "address", "status"),
        [
            ([], "203.0.113.9", 200),
            (["192.0.2.0/24"], "192.0.2.7", 200),
            (["192.0.2.0/24"], "198.51.100.1", 403),
            (["192.0.2.7"], "192.0.2.7", 200),
            (["192.0.2.7"], "::ffff:192.0.2.7", 200),
            (["2001:db8::/32"], "2001:db8::1", 200),
            (["2001:db8::/32"], "192.0.2.7", 403),
            (["192.0.2.0/24"], "unknown", 403),
        ],
    )
    def test_come_from_their_networks_only(self, http, admin, networks, address: str, status: int):
        key = new_key(http, networks=networks)
        http.address = address
        assert self.status(http, key["secret"]) == status

    @pytest.mark.parametrize("network", ["x.example", "192.0.2.1/24", "192.0.2.0/33"])
    def test_name_networks_that_are_some(self, http, admin, network: str):
        body = {"name": "ERP", "scopes": ["staff.read"], "networks": [network]}
        assert http("POST", "/v1/api-keys", json=body).status_code == 422

    def test_have_two_secrets_while_they_are_rotated(self, http, admin, database):
        key = new_key(http)
        second = rotate(http, key, overlap_hours=1)
        assert second.status_code == 200, second.text
        secrets = [key["secret"], second.json()["secret"]]
        assert [self.status(http, one) for one in secrets] == [200, 200]
        third = rotate(http, key)
        assert (third.status_code, third.json()["code"]) == (409, "rotation_running")
        with database.transaction(Context()) as session:
            ended = update(ApiKey).where(ApiKey.id == key["id"]).values(previous_ends_at=now())
            session.execute(ended)
        assert [self.status(http, one) for one in secrets] == [401, 200]

    def test_without_an_overlap_leave_the_new_secret_alone(self, http, admin):
        key = new_key(http)
        rotate(http, key)
        last = rotate(http, key, overlap_hours=0).json()
        assert last["previous_ends_at"] is None
        assert [self.status(http, one) for one in (key["secret"], last["secret"])] == [401, 200]

    def test_once_revoked_get_no_new_secret_and_lose_both(self, http, admin):
        key = new_key(http)
        second = rotate(http, key).json()
        tag = http("GET", f"/v1/api-keys/{key['id']}").headers["etag"]
        http("DELETE", f"/v1/api-keys/{key['id']}", headers={"if-match": tag})
        assert [self.status(http, one["secret"]) for one in (key, second)] == [401, 401]
        assert rotate(http, key).json()["code"] == "api_key_revoked"

    def test_are_noted_when_used(self, http, admin, database):
        key = new_key(http)
        self.status(http, key["secret"])
        assert actions(database, actor=f"integration:{key['id']}") == ["api_key.used"]


def actions(database, **where) -> list[str]:
    with database.reading(Context()) as session:
        query = select(AuditEntry.action).filter_by(**where).order_by(AuditEntry.position)
        return list(session.scalars(query))


class TestAuditOverHttp:
    def test_holds_logins_good_and_bad_and_logging_out(self, http, member, database):
        sign_in(http, member.email, "wrong")
        http.role = sign_in(http, member.email).json()["access_token"]
        http("DELETE", "/v1/sessions/current")
        assert actions(database, actor=f"staff:{member.id}") == [
            "login.succeeded",
            "session.ended",
        ]
        with database.reading(Context()) as session:
            failed = session.scalars(
                select(AuditEntry).filter_by(action="login.failed", subject=f"staff/{member.id}")
            ).one()
        assert (failed.actor, failed.address) == ("anonymous", "192.0.2.7")
        assert member.email not in str(failed.details)

    def test_holds_refusals_of_permission(self, http, member, database):
        http.role = sign_in(http, member.email).json()["access_token"]
        colleague = new_member(http)
        http.role = sign_in(http, colleague.email).json()["access_token"]
        assert http("GET", "/v1/audit-entries").status_code == 403
        assert actions(database, actor=f"staff:{colleague.id}")[-1] == "access.refused"

    def test_holds_a_stolen_refresh_token(self, http, member, database):
        spent = {"refresh_token": sign_in(http, member.email).json()["refresh_token"]}
        for _ in range(2):
            http("POST", "/v1/sessions/actions/refresh", json=spent)
        assert actions(database, actor=f"staff:{member.id}")[-1] == "session.token_reused"

    def test_holds_the_second_factor(self, http, member, enrolled, database):
        verify(http, challenge_of(http, member), "abcdefg")
        verify(http, challenge_of(http, member), enrolled[1][0])
        assert actions(database, actor=f"staff:{member.id}") == [
            "login.succeeded",
            "mfa.started",
            "mfa.turned_on",
            "login.challenged",
            "login.code_wrong",
            "login.challenged",
            "mfa.recovery_code_used",
            "login.succeeded",
        ]

    def test_is_read_in_pages_and_checked(self, http, member):
        http.role = sign_in(http, member.email).json()["access_token"]
        path = f"/v1/audit-entries?filter[actor]=staff:{member.id}&limit=1"
        page = http("GET", path).json()
        assert page["items"][0]["action"] == "login.succeeded"
        assert page["items"][0]["address"] == "192.0.2.7"
        assert http("GET", "/v1/audit-trail").json()["intact"] is True
        assert http("GET", "/v1/audit-entries?filter[details]=x").status_code == 400
