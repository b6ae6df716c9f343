"""Step 6: reminders fire once at their time, or not at all when their fact is settled."""

from datetime import UTC, datetime, timedelta
from typing import Any

from crmkit.testing import eventually
from tests.talking import Api, Json, MailInbox


def in_seconds(seconds: float) -> str:
    return (datetime.now(UTC) + timedelta(seconds=seconds)).isoformat()


def inbox(api: Api, reminder: Json) -> list[Json]:
    items = api.read("/v1/inbox", limit=200)["items"]
    return [item for item in items if item["reminder_id"] == reminder["id"]]


def test_a_reminder_reaches_inbox_and_mail_once(api: Api, mails: MailInbox) -> None:
    for kind in ("follow_up", "birthday", "contract_expiry", "payment_due"):
        title = f"{kind} {in_seconds(0)}"
        reminder = api.create("/v1/reminders", kind=kind, title=title, due_at=in_seconds(1))
        path = f"/v1/reminders/{reminder['id']}"
        fired = api.until(path, lambda r: r["fired_at"] is not None)
        assert fired["status"] in ("fired", "armed")
        assert len(eventually(lambda reminder=reminder: inbox(api, reminder))) == 1
        mails.one_to("admin@rapport.example", about=title)
    assert len([m for m in mails.to("admin@rapport.example") if title in m["subject"]]) == 1


def test_a_settled_fact_disarms_its_reminder(api: Api) -> None:
    customer = api.new_customer()
    opportunity = api.create(
        "/v1/opportunities",
        customer_id=customer["id"],
        title="Soon decided",
        amount={"amount": "100", "currency": "USD"},
    )
    reminder = api.create(
        "/v1/reminders",
        kind="follow_up",
        title="Call again",
        due_at=in_seconds(3600),
        subject_type="opportunity",
        subject_id=opportunity["id"],
    )
    won = api.act(f"/v1/opportunities/{opportunity['id']}", "win")
    path = f"/v1/reminders/{reminder['id']}"
    api.until(path, lambda r: bool(r["status"] == "auto_resolved"))

    payment = api.create(
        "/v1/reminders",
        kind="payment_due",
        title="Money",
        due_at=in_seconds(3600),
        subject_type="order",
        subject_id=won["order_id"],
    )
    paid: dict[str, Any] = {
        "amount": {"amount": "100", "currency": "USD"},
        "received_on": "2026-11-22",
    }
    api.act(f"/v1/orders/{won['order_id']}", "record-payment", **paid)
    path = f"/v1/reminders/{payment['id']}"
    api.until(path, lambda r: bool(r["status"] == "auto_resolved"))
