"""What becomes of a request for a record of which the asked service has not heard yet."""

from typing import Any

import pytest

from crmkit import codec
from crmkit.db import Encoded
from crmkit.errors import NotFound
from gateway.limits import Limit
from gateway.patience import PAUSES_SECONDS
from gateway.schemas import ID

PATH = f"/v1/customers/{ID}"


@pytest.fixture(autouse=True)
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """As many questions in less time."""
    monkeypatch.setattr("gateway.patience.PAUSES_SECONDS", (0.0,) * len(PAUSES_SECONDS))


def missing_until(asked: int, *, may_come: bool = True) -> Any:
    """How a service answers that knows the record once it has been asked that often."""
    times = 0

    def answer(*_: Any) -> Encoded:
        nonlocal times
        times += 1
        if times < asked:
            refusal = NotFound("customer_not_found", "There is no such customer.")
            refusal.may_come = may_come
            raise refusal
        return Encoded(codec.dumps({"id": ID}))

    return answer


class TestARecordOnItsWay:
    def test_is_asked_for_until_it_came(self, http, bus):
        bus.answer = missing_until(3)
        assert http("GET", PATH).status_code == 200
        assert len(bus.asked) == 3

    def test_is_asked_for_under_the_same_key(self, http, bus):
        bus.answer = missing_until(2)
        assert http("POST", "/v1/customers", json={}).status_code == 201
        (_, _, first), (_, _, second) = bus.asked
        assert first.command_id == second.command_id is not None

    def test_is_given_up_in_the_end(self, http, bus):
        bus.answer = missing_until(100)
        answer = http("GET", PATH)
        assert (answer.status_code, answer.json()["code"]) == (404, "customer_not_found")
        assert len(bus.asked) == len(PAUSES_SECONDS) + 1

    def test_is_paid_for_each_time(self, http, bus, gateway):
        gateway.limits["default"] = Limit("default", 0.001, 3)
        bus.answer = missing_until(100)
        answer = http("GET", PATH)
        assert (answer.status_code, answer.json()["code"]) == (429, "too_many_requests")
        assert len(bus.asked) == 3

    def test_is_not_asked_for_again_when_it_cannot_come(self, http, bus):
        bus.answer = missing_until(2, may_come=False)
        assert http("GET", PATH).status_code == 404
        assert len(bus.asked) == 1
