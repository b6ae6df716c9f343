"""kill -9 of any one process in the middle of the story: nothing lost, nothing doubled."""

import threading
import time
import uuid
from collections import Counter
from typing import Any

import httpx
import pytest

from crmkit.local.stack import LocalStack
from crmkit.testing import eventually
from tests.talking import Api, Json, MailInbox, email_of

WINS = 12
VICTIMS = (
    "customers",
    "sales",
    "notifications",
    "relay",
    "sender",
    "gateway",
    "rabbitmq",
    "postgres",
)


def persistent(api: Api, path: str, body: Json) -> Json:
    """The answer to a POST that is repeated under one key until it is had, as a client would."""
    key = str(uuid.uuid4())

    def probe() -> Json | None:
        try:
            answer = api.answer("POST", path, body, Idempotency_Key=key)
        except httpx.TransportError as error:
            raise AssertionError(repr(error)) from None
        assert answer.is_success or answer.status_code in (409, 429, 500, 502, 503), answer.text
        assert answer.is_success, answer.text
        found: Json = answer.json()
        return found

    answered = eventually(probe, seconds=60, pause=0.3)
    assert answered is not None
    return answered


def message_id(mail: Json) -> str:
    return next(str(value) for name, value in mail["headers"] if name.lower() == "message-id")


@pytest.mark.parametrize("victim", VICTIMS)
def test_killing_it_loses_and_doubles_nothing(
    victim: str, stack: LocalStack, api: Api, mails: MailInbox
) -> None:
    customers = [api.new_customer() for _ in range(WINS)]
    opportunities = [
        api.create(
            "/v1/opportunities",
            customer_id=customer["id"],
            title=f"Before the end of {victim}",
            amount={"amount": "7", "currency": "USD"},
        )
        for customer in customers
    ]
    pid = stack.process(victim).pid
    killer = threading.Timer(0.15, stack.kill, (victim,))
    killer.start()
    orders: dict[str, Any] = {}
    for opportunity in opportunities:
        won = persistent(api, f"/v1/opportunities/{opportunity['id']}/actions/win", {})
        orders[opportunity["customer_id"]] = won["order_id"]
        time.sleep(0.05)
    killer.join()
    eventually(lambda: stack.process(victim).pid not in (None, pid))
    stack.wait_ready(victim, 60)

    for customer in customers:
        api.until(
            f"/v1/customers/{customer['id']}",
            lambda c: bool(c["lifecycle_stage"] == "first_buyer"),
            seconds=60,
        )
        mails.one_to(email_of(customer), seconds=60)
    placed = Counter(
        order["customer_id"]
        for customer in customers
        for order in api.read("/v1/orders", **{"filter[customer_id]": customer["id"]})["items"]
    )
    assert placed == Counter(customer["id"] for customer in customers)
    if victim != "sender":
        # A sender killed between the provider's yes and its own note sends a confirmation again
        # under the same Message-ID; nobody else may cause a second mail.
        assert all(len(mails.to(email_of(customer))) == 1 for customer in customers)
    else:
        for customer in customers:
            assert len({message_id(mail) for mail in mails.to(email_of(customer))}) == 1
