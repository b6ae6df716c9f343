"""kill -9 of any one process in the middle of the story: nothing lost, nothing doubled."""

import re
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
RECIPIENTS = 30
COMPLAINTS = 3
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
VICTIMS_OF_SERVICE = ("service_desk", "marketing", "notifications", "sender")


def persistent(api: Api, path: str, body: Json) -> Json:
    """The answer to a POST that is repeated under one key until it is had, as a client would."""
    key = str(uuid.uuid4())

    def probe() -> Json | None:
        try:
            answer = api.answer("POST", path, body, Idempotency_Key=key)
        except httpx.TransportError as error:
            raise AssertionError(repr(error)) from None
        assert answer.is_success or answer.status_code in (409, 429, 502, 503), answer.text
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


def launched_campaign(api: Api, tag: str) -> str:
    """The address of a campaign to all customers with that tag, which begins just now."""
    campaign = api.create(
        "/v1/campaigns",
        name=tag,
        channels=["email"],
        audience={"tags": [tag]},
        default_language="en",
        contents=[{"language": "en", "subject": tag, "email_body": "Hello {{ name }}."}],
    )
    path = f"/v1/campaigns/{campaign['id']}"
    eventually(lambda: api.read(f"{path}/audience")["matching"] == RECIPIENTS, seconds=30)
    persistent(api, f"{path}/actions/launch", {})
    return path


def complaint(api: Api, customer: Json) -> str:
    """The address of the ticket that a customer's complaint opened."""
    said = {"kind": "complaint", "subject": "Late", "body": "It has not come yet."}
    feedback = persistent(api, "/v1/feedback", {"customer_id": customer["id"], **said})
    return f"/v1/tickets/{feedback['ticket_id']}"


def survey_mails(mails: MailInbox, customer: Json) -> dict[str, set[str]]:
    """The Message-IDs of the mails with each survey's secret."""
    found: dict[str, set[str]] = {}
    for mail in mails.to(email_of(customer)):
        link = re.search(r"/s/([\w-]+)", mail["text"])
        if link:
            found.setdefault(link[1], set()).add(message_id(mail))
    return found


def answer_survey(api: Api, mails: MailInbox, customer: Json) -> None:
    """Answer the survey by the link in the mail, until the answer is known to be taken."""
    (token,) = eventually(lambda: survey_mails(mails, customer), seconds=60)

    def probe() -> bool:
        answer = api.answer("POST", f"/v1/surveys/{token}/actions/answer", {"score": 4})
        assert answer.status_code in (200, 409, 502, 503), answer.text
        return answer.is_success or answer.json()["code"] == "already_answered"

    eventually(probe, seconds=60, pause=0.3)


@pytest.mark.parametrize("victim", VICTIMS_OF_SERVICE)
def test_killing_it_leaves_complaint_and_campaign_whole(
    victim: str, stack: LocalStack, api: Api, mails: MailInbox
) -> None:
    tag = f"end-of-{victim}-{uuid.uuid4().hex[:8]}"
    recipients = [api.new_customer(tags=[tag]) for _ in range(RECIPIENTS)]
    unhappy = [api.new_customer() for _ in range(COMPLAINTS)]
    pid = stack.process(victim).pid
    campaign = launched_campaign(api, tag)
    killer = threading.Timer(0.15, stack.kill, (victim,))
    killer.start()
    tickets = [complaint(api, customer) for customer in unhappy]
    for ticket in tickets:
        persistent(api, f"{ticket}/actions/resolve", {"outcome": "It was sent again."})
    killer.join()
    for customer in unhappy:
        answer_survey(api, mails, customer)
    eventually(lambda: stack.process(victim).pid not in (None, pid))
    stack.wait_ready(victim, 60)

    for ticket, customer in zip(tickets, unhappy, strict=True):
        closed = api.until(ticket, lambda t: bool(t["status"] == "closed"), seconds=60)
        steps = Counter(step["to_status"] for step in closed["history"])
        assert (steps["resolved"], steps["closed"], closed["score"]) == (1, 1, 4)
        # A sender that was killed in between may send a mail twice, as one message.
        (messages,) = survey_mails(mails, customer).values()
        assert len(messages) == 1

    counts = api.until(campaign, lambda c: bool(c["status"] == "completed"), seconds=90)["counts"]
    audience = counts.pop("audience")
    assert sum(counts.values()) == audience == RECIPIENTS
    # What was in the hands of a killed sender is not sent again, as nobody knows if it left.
    assert counts["accepted"] + counts["unknown"] == RECIPIENTS
    assert counts["unknown"] == 0 or victim == "sender"
    got = [len([m for m in mails.to(email_of(c)) if m["subject"] == tag]) for c in recipients]
    assert max(got) == 1
    assert counts["accepted"] <= sum(got)
