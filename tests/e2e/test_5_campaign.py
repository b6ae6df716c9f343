"""Step 5: a campaign goes by e-mail and SMS to those who agreed, and every recipient is counted."""

import uuid

import httpx

from crmkit.local.stack import LocalStack
from crmkit.testing import eventually
from tests.talking import Api, Json, MailInbox, email_of


def test_a_campaign_reaches_those_who_agreed_and_accounts_for_everybody(
    api: Api, mails: MailInbox, stack: LocalStack
) -> None:
    tag = f"fair-{uuid.uuid4().hex[:8]}"
    consent = {"source": "fair", "proof": "Signed at the stand.", "granted": True}
    both = api.new_customer(
        tags=[tag],
        contact_points=[
            {"kind": "email", "value": f"{tag}@customers.example"},
            {"kind": "phone", "value": "010-9876-5400"},
        ],
        consents=[{"channel": "email", **consent}, {"channel": "sms", **consent}],
    )
    mail_only = api.new_customer(tags=[tag], name={"full": "Ann Lee"}, language="en", country="US")
    nobody = api.new_customer(tags=[tag], consents=[])
    campaign = api.create(
        "/v1/campaigns",
        name="Spring fair",
        channels=["email", "sms"],
        audience={"tags": [tag]},
        default_language="ko",
        contents=[
            {
                "language": "ko",
                "subject": "{{ name }} 님, 박람회에 초대합니다",
                "email_body": "{{ name }} 님 안녕하세요.",
                "sms_body": "{{ name }} 님, 박람회에서 만나요.",
            },
            {
                "language": "en",
                "subject": "{{ name }}, meet us at the fair",
                "email_body": "Dear {{ name }}, meet us at the fair.",
                "sms_body": "{{ name }}, meet us at the fair.",
            },
        ],
    )
    path = f"/v1/campaigns/{campaign['id']}"

    def reachable() -> bool:
        # Customers come to marketing by events, a moment after they are registered.
        return bool(api.read(f"{path}/audience")["matching"] == 3)

    eventually(reachable)
    api.act(path, "launch")
    done = api.until(path, lambda c: bool(c["status"] == "completed"), seconds=90)

    counts: Json = done["counts"]
    assert sum(n for state, n in counts.items() if state != "audience") == counts["audience"] == 6
    assert counts["suppressed"] == 3
    assert counts["accepted"] + counts["delivered"] == 3
    assert "김하늘 님, 박람회" in mails.one_to(email_of(both), about="박람회")["subject"]
    assert "Ann Lee, meet us" in mails.one_to(email_of(mail_only), about="fair")["subject"]
    assert mails.to(email_of(nobody)) == []
    sms = httpx.get(f"{stack.addresses()['sms_inbox_url']}/api/messages", timeout=30).text
    assert "박람회에서 만나요" in sms


def test_launching_twice_sends_once(api: Api, mails: MailInbox) -> None:
    tag = f"once-{uuid.uuid4().hex[:8]}"
    customer = api.new_customer(tags=[tag])
    campaign = api.create(
        "/v1/campaigns",
        name="Once",
        channels=["email"],
        audience={"tags": [tag]},
        default_language="en",
        contents=[{"language": "en", "subject": "Only once", "email_body": "Hello {{ name }}."}],
    )
    path = f"/v1/campaigns/{campaign['id']}"
    eventually(lambda: api.read(f"{path}/audience")["matching"] == 1)
    api.act(path, "launch")
    api.act(path, "launch")
    api.until(path, lambda c: bool(c["status"] == "completed"), seconds=90)
    about = [mail for mail in mails.to(email_of(customer)) if mail["subject"] == "Only once"]
    assert len(about) == 1


def campaign_to(api: Api, tag: str, subject: str) -> Json:
    """A campaign by e-mail to one customer, once it is over."""
    campaign = api.create(
        "/v1/campaigns",
        name=subject,
        channels=["email"],
        audience={"tags": [tag]},
        default_language="en",
        contents=[{"language": "en", "subject": subject, "email_body": "Hello {{ name }}."}],
    )
    path = f"/v1/campaigns/{campaign['id']}"
    eventually(lambda: api.read(f"{path}/audience")["matching"] == 2)
    api.act(path, "launch")
    return api.until(path, lambda c: bool(c["status"] == "completed"), seconds=90)


def test_whoever_presses_unsubscribe_gets_no_more_campaigns(api: Api, mails: MailInbox) -> None:
    tag = f"out-{uuid.uuid4().hex[:8]}"
    leaving, staying = api.new_customer(tags=[tag]), api.new_customer(tags=[tag])
    campaign_to(api, tag, "First")
    headers = dict(mails.one_to(email_of(leaving), about="First")["headers"])
    assert headers["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    link = headers["List-Unsubscribe"].strip("<>")

    page = httpx.get(link, timeout=30)
    assert (page.status_code, httpx.head(link, timeout=30).status_code) == (200, 200)
    assert page.headers["content-type"].startswith("text/html")
    path = f"/v1/customers/{leaving['id']}"
    assert api.read(path)["consents"][0]["granted"] is True

    for _ in range(2):
        answer = httpx.post(link, data={"List-Unsubscribe": "One-Click"}, timeout=30)
        assert (answer.status_code, answer.json()) == (200, {"channel": "email"})
    withdrawn = api.until(path, lambda c: not c["consents"][0]["granted"])["consents"][0]
    assert (withdrawn["channel"], withdrawn["source"]) == ("email", "unsubscribe link")

    second = campaign_to(api, tag, "Second")
    assert (second["counts"]["suppressed"], second["counts"]["accepted"]) == (1, 1)
    mails.one_to(email_of(staying), about="Second")
    assert [mail["subject"] for mail in mails.to(email_of(leaving))] == ["First"]


def test_the_button_of_the_page_unsubscribes_too(api: Api, mails: MailInbox) -> None:
    tag = f"page-{uuid.uuid4().hex[:8]}"
    customer, _ = api.new_customer(tags=[tag]), api.new_customer(tags=[tag])
    campaign_to(api, tag, "Page")
    headers = dict(mails.one_to(email_of(customer), about="Page")["headers"])
    token = headers["List-Unsubscribe"].strip("<>").rpartition("/")[2]
    nobody = {"Authorization": ""}
    answer = api.answer("POST", f"/v1/unsubscribes/{token}", **nobody)
    assert answer.status_code == 200, answer.text
    assert api.answer("POST", "/v1/unsubscribes/made-up", **nobody).status_code == 404
    path = f"/v1/customers/{customer['id']}"
    api.until(path, lambda c: not c["consents"][0]["granted"])
