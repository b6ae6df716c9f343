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

    def test_for_as_many_accounts_are_not_either(self, stack: LocalStack) -> None:
        """Trying one password at many accounts ends at a hundred from one address."""
        statuses = [
            guess(stack, f"{uuid.uuid4().hex}@rapport.example", "198.18.251.1").status_code
            for _ in range(101)
        ]
        assert statuses[0] == 401
        assert statuses[-1] == 429


@pytest.mark.server
class TestTheTime:
    """Measured as processor time: it does not depend on what else the machine has to do."""

    def seconds(self, http, database: Database, email: str) -> float:
        with database.transaction(Context()) as session:
            session.execute(delete(LoginFailure))
        began = time.process_time()
        answer = sign_in(http, email, WRONG)
        spent = time.process_time() - began
        assert answer.status_code == 401
        return spent

    def test_a_wrong_login_takes_is_the_same_for_who_is_unknown(
        self, http, member: Member, database: Database
    ) -> None:
        nobodys()  # As the gateway does before it takes the first request.
        known: list[float] = []
        unknown: list[float] = []
        apart = 1.0
        for _ in range(ROUNDS):
            for _ in range(TRIES):
                known.append(self.seconds(http, database, member.email))
                unknown.append(self.seconds(http, database, f"{uuid.uuid4().hex}@x.example"))
            apart = abs(median(known) / median(unknown) - 1)
            if apart < CLOSE / 2:
                break  # Further rounds are for machines that are busy with other things.
        assert apart < CLOSE, (median(known), median(unknown))

    def test_is_told_apart_when_it_is_not(
        self, http, member: Member, database: Database, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """What the test above would see if nobody's password were not hashed."""
        monkeypatch.setattr(
            "gateway.identity.passwords.nobodys", lambda: "$argon2id$v=19$m=8,t=1,p=1$YQ$YQ"
        )
        known = median(self.seconds(http, database, member.email) for _ in range(5))
        email = "nobody@x.example"
        unknown = median(self.seconds(http, database, email) for _ in range(5))
        assert abs(known / unknown - 1) > CLOSE
