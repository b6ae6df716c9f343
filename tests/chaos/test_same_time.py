"""T14, T15: many clients ask for the same at the same time; one effect, no lost update."""

import threading
import uuid
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from crmkit.local.stack import LocalStack
from tests.chaos.checker import Databases
from tests.chaos.driving import Answer, Driver, some_customers, token_of
from tests.talking import Api

ASKERS = 50
WRITERS = 20


def person(family: str) -> dict[str, Any]:
    return {
        "kind": "person",
        "name": {"family": family, "given": "하늘"},
        "language": "ko",
        "country": "KR",
    }


def at_once(number: int, ask: Callable[[int], Any]) -> list[Any]:
    """What each of that many threads got, all starting at the same moment."""
    gate = threading.Barrier(number)

    def go(mine: int) -> Any:
        gate.wait()
        return ask(mine)

    with ThreadPoolExecutor(number) as pool:
        return list(pool.map(go, range(number)))


class TestOneKey:
    def test_fifty_at_once_have_one_effect(
        self, rapport: LocalStack, client: Api, databases: Databases, note: Callable[..., None]
    ) -> None:
        key, family, token = str(uuid.uuid4()), f"Same{uuid.uuid4().hex[:8]}", token_of(client)

        def ask(_: int) -> Answer:
            with Driver(rapport.base_url, token) as driver:
                return driver.ask("POST", "/v1/customers", person(family), Idempotency_Key=key)

        answers = at_once(ASKERS, ask)
        statuses = Counter(answer.status for answer in answers)
        made = [answer for answer in answers if answer.status == 201]
        replayed = sum("idempotent-replayed" in answer.headers for answer in made)
        rows = databases.number(
            "customers", "select count(*) from customer where name->>'family' = %s", family
        )
        note("T14", askers=ASKERS, effects=rows, replayed=replayed, refused_409=statuses[409])
        assert rows == 1
        assert set(statuses) <= {201, 409}
        assert replayed == len(made) - 1
        assert len({answer.json["id"] for answer in made}) == 1
        for answer in answers:
            if answer.status == 409:
                assert answer.json["code"] == "idempotency_key_in_use"
                assert "retry-after" in answer.headers

    def test_another_body_is_refused_and_the_same_answered_again(self, driver: Driver) -> None:
        key = str(uuid.uuid4())
        first = driver.ask("POST", "/v1/customers", person("김"), Idempotency_Key=key)
        other = driver.ask("POST", "/v1/customers", person("이"), Idempotency_Key=key)
        again = driver.ask("POST", "/v1/customers", person("김"), Idempotency_Key=key)
        assert (first.status, other.status, again.status) == (201, 422, 201)
        assert other.json["code"] == "idempotency_key_reused"
        assert again.headers["idempotent-replayed"] == "true"
        assert again.body == first.body

    def test_without_a_key_it_is_refused(self, rapport: LocalStack, client: Api) -> None:
        answer = client.post("/v1/customers", json=person("김"))
        assert answer.status_code == 400


class TestOneRecord:
    @pytest.mark.parametrize("edits", [5, pytest.param(100, marks=pytest.mark.chaos)])
    def test_no_edit_is_lost(
        self,
        edits: int,
        rapport: LocalStack,
        client: Api,
        databases: Databases,
        note: Callable[..., None],
    ) -> None:
        (customer,) = some_customers(client, 1, databases)
        opportunity = client.create(
            "/v1/opportunities",
            customer_id=customer,
            title="Counted",
            amount={"amount": "0", "currency": "KRW"},
        )
        path, token = f"/v1/opportunities/{opportunity['id']}", token_of(client)
        statuses: Counter[int] = Counter()

        def write(_: int) -> int:
            done = 0
            with Driver(rapport.base_url, token) as driver:
                while done < edits:
                    seen = driver.ask("GET", path)
                    amount = str(int(seen.json["amount"]["amount"]) + 1)
                    change = {"amount": {"amount": amount, "currency": "KRW"}}
                    tag = seen.headers["etag"]
                    answer = driver.ask("PATCH", path, change, If_Match=tag)
                    statuses[answer.status] += 1
                    done += answer.status == 200
            return done

        written = sum(at_once(WRITERS, write))
        after = client.read(path)
        note(
            "T15",
            writers=WRITERS,
            edits=written,
            counted=int(after["amount"]["amount"]),
            refused_412=statuses[412],
        )
        assert set(statuses) <= {200, 412}, statuses
        assert after["amount"]["amount"] == str(written)
        assert after["version"] == opportunity["version"] + written

    def test_a_version_must_be_named_and_be_the_last(
        self, client: Api, driver: Driver, databases: Databases
    ) -> None:
        (customer,) = some_customers(client, 1, databases)
        path = f"/v1/customers/{customer}"
        tag = driver.ask("GET", path).headers["etag"]
        change = {"language": "ja"}
        assert driver.ask("PATCH", path, change).status == 428
        assert driver.ask("PATCH", path, change, If_Match=tag).status == 200
        assert driver.ask("PATCH", path, change, If_Match=tag).status == 412
        assert driver.ask("PATCH", path, change, If_Match="v1").status == 400
