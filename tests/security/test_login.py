"""Guessing passwords: it slows down, and neither answer nor time tells who has an account (S6)."""

import time
import uuid
from statistics import median

import httpx
import pytest
from sqlalchemy import delete

from crmkit.context import Context
from crmkit.db import Database
from crmkit.local.stack import LocalStack
from gateway.identity.models import LoginFailure
from gateway.identity.passwords import nobodys
from gateway.limits import Limit
from gateway.tests.conftest import Http
from gateway.tests.test_sign_in import Member, sign_in
from gateway.tests.test_sign_in import http as http
from gateway.tests.test_sign_in import member as member

WRONG = "not the password at all"
TRIES = 15
ROUNDS = 4
CLOSE = 0.10


def guess(stack: LocalStack, email: str, address: str) -> httpx.Response:
    """One wrong login from an address that is nobody else's in these tests."""
    return httpx.post(
        f"{stack.base_url}/v1/sessions",
        json={"email": email, "password": WRONG},
        headers={"X-Forwarded-For": address},
        timeout=60,
    )


class TestTwentyWrongLogins:
    @pytest.mark.parametrize("known", [True, False], ids=["known", "unknown"])
    def test_are_not_all_looked_at(self, stack: LocalStack, known: bool) -> None:
        email = "misaki.suzuki@rapport.example" if known else "nobody@rapport.example"
        address = f"198.18.250.{1 + known}"
        answers = [guess(stack, email, address) for _ in range(20)]
        statuses = [answer.status_code for answer in answers]
        assert statuses[:5] == [401] * 5
        assert statuses[5:] == [429] * 15
        assert all(int(answer.headers["retry-after"]) > 0 for answer in answers[5:])
        assert {answer.json()["code"] for answer in answers[5:]} == {"too_many_attempts"}


@pytest.fixture
def hasty(http: Http) -> Http:
    """A gateway that lets one address try more often than once a second: failures alone end it."""
    http.app.limits["login"] = Limit("login", 1_000, 1_000)
    return http


@pytest.mark.server
class TestOnePassword:
    def test_is_tried_at_a_hundred_accounts_from_one_address_and_no_more(self, hasty: Http) -> None:
        answers = [sign_in(hasty, f"{uuid.uuid4().hex}@x.example", WRONG) for _ in range(102)]
        assert [answer.status_code for answer in answers] == [401] * 100 + [429] * 2
        assert {answer.json()["code"] for answer in answers[100:]} == {"too_many_attempts"}


@pytest.mark.server
class TestTheTime:
    """Measured as processor time: it does not depend on what else the machine has to do."""

    def seconds(self, hasty: Http, database: Database, email: str) -> float:
        with database.transaction(Context()) as session:
            session.execute(delete(LoginFailure))
        began = time.process_time()
        answer = sign_in(hasty, email, WRONG)
        spent = time.process_time() - began
        assert answer.status_code == 401
        return spent

    def test_a_wrong_login_takes_is_the_same_for_who_is_unknown(
        self, hasty: Http, member: Member, database: Database
    ) -> None:
        nobodys()  # As the gateway does before it takes the first request.
        known: list[float] = []
        unknown: list[float] = []
        apart = 1.0
        for _ in range(ROUNDS):
            for _ in range(TRIES):
                known.append(self.seconds(hasty, database, member.email))
                unknown.append(self.seconds(hasty, database, f"{uuid.uuid4().hex}@x.example"))
            apart = abs(median(known) / median(unknown) - 1)
            if apart < CLOSE / 2:
                break  # Further rounds are for machines that are busy with other things.
        assert apart < CLOSE, (median(known), median(unknown))

    def test_is_told_apart_when_it_is_not(
        self, hasty: Http, member: Member, database: Database, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """What the test above would see if nobody's password were not hashed."""
        monkeypatch.setattr(
            "gateway.identity.passwords.nobodys", lambda: "$argon2id$v=19$m=8,t=1,p=1$YQ$YQ"
        )
        known = median(self.seconds(hasty, database, member.email) for _ in range(5))
        email = "nobody@x.example"
        unknown = median(self.seconds(hasty, database, email) for _ in range(5))
        assert abs(known / unknown - 1) > CLOSE
