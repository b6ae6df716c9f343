"""Step 4: a complaint becomes a ticket, is resolved, asked about and closed."""

import re

import httpx

from crmkit.testing import eventually
from tests.talking import Api, Json, MailInbox, email_of


def complain(api: Api, customer: Json) -> Json:
    """The ticket that the customer's complaint opened."""
    feedback = api.create(
        "/v1/feedback",
        customer_id=customer["id"],
        kind="complaint",
        subject="배송이 늦어요",
        body="지난주에 온다고 했는데 아직도 오지 않았습니다.",
    )
    return api.read(f"/v1/tickets/{feedback['ticket_id']}")


def survey_link(mails: MailInbox, customer: Json) -> str:
    """The link to the survey that the customer got by mail."""

    def probe() -> str | None:
        texts = [mail["text"] for mail in mails.to(email_of(customer))]
        links = [re.search(r"https?://\S+/s/[\w-]+", text) for text in texts]
        return next((link[0] for link in links if link), None)

    link = eventually(probe)
    assert link is not None
    return link


def test_a_complaint_is_worked_on_asked_about_and_closed(api: Api, mails: MailInbox) -> None:
    customer = api.new_customer()
    ticket = complain(api, customer)
    assert ticket["status"] == "assigned"
    assert ticket["owner_id"]

    path = f"/v1/tickets/{ticket['id']}"
    api.act(path, "resolve", outcome="오늘 퀵서비스로 보냈습니다.")
    link = survey_link(mails, customer)
    page = httpx.get(link, timeout=30)
    assert page.status_code == 200
    assert page.headers["content-type"].startswith("text/html")
    token = link.rpartition("/")[2]

    nobody = {"Authorization": ""}
    shown = api.get(f"/v1/surveys/{token}", headers=nobody)
    assert (shown.status_code, shown.json()["status"]) == (200, "sent")
    answer = api.answer(
        "POST", f"/v1/surveys/{token}/actions/answer", {"score": 1, "comment": "늦음"}, **nobody
    )
    assert answer.status_code == 200, answer.text
    again = api.answer("POST", f"/v1/surveys/{token}/actions/answer", {"score": 5}, **nobody)
    assert again.status_code == 409
    closed = api.until(path, lambda t: bool(t["status"] == "closed"))
    assert closed["score"] == 1

    def task() -> Json | None:
        tasks = api.read("/v1/tasks", **{"filter[customer_id]": customer["id"]})
        return next(iter(tasks["items"]), None)

    assert eventually(task)


def test_complaints_go_to_the_least_loaded_agent(api: Api) -> None:
    customer = api.new_customer()
    owners = {complain(api, customer)["owner_id"] for _ in range(3)}
    assert len(owners) == 3
