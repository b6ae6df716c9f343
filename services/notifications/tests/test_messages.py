"""Single messages that events ask for, and the ledger as people see it."""

from datetime import UTC, date, datetime

import pytest
from sqlalchemy import select

from contracts import notifications as contract
from contracts import sales, service_desk
from crmkit.context import Actor
from crmkit.errors import Invalid, NotFound
from crmkit.ids import new_id
from crmkit.messages import load
from crmkit.testing import act_as, envelope, staff
from services.notifications import messages
from services.notifications.models import Message

pytestmark = pytest.mark.server


def order(customer_id, **changes):
    return envelope(
        sales.OrderSubmitted,
        {
            "order_id": new_id(),
            "number": "SO-2026-000123",
            "customer_id": customer_id,
            "opportunity_id": None,
            "total": {"amount": "1200000", "currency": "KRW"},
            "lines": [
                {
                    "description": "정수기 임대",
                    "quantity": 2,
                    "unit_price": {"amount": "600000", "currency": "KRW"},
                }
            ],
            "owner_id": None,
            "team_path": "/hq/seoul/",
            "payment_due_on": date(2026, 12, 31),
            "submitted_at": datetime(2026, 11, 22, 16, tzinfo=UTC),
            **changes,
        },
    )


def ledger(session):
    return session.scalars(
        select(Message).order_by(Message.id).execution_options(populate_existing=True)
    ).all()


def page(session, **asked):
    return messages.find(session, **load(contract.ListMessages, asked))


class TestConfirmOrder:
    def test_writes_in_the_language_of_the_customer(self, session, customer):
        messages.confirm_order(session, order(customer().id))
        (mail,) = ledger(session)
        assert mail.status == "queued"
        assert (mail.purpose, mail.lane) == ("transactional", "email")
        assert "SO-2026-000123" in mail.subject
        assert mail.body.startswith("김하늘 님, 안녕하세요.")
        assert "- 정수기 임대 × 2  600,000원" in mail.body
        assert "합계: 1,200,000원" in mail.body
        assert "주문일: 2026년 11월 23일" in mail.body  # already the 23rd in Seoul
        assert "결제 기한: 2026년 12월 31일" in mail.body

    def test_writes_once_however_often_it_is_told(self, session, customer):
        event = order(customer().id)
        messages.confirm_order(session, event)
        messages.confirm_order(session, event)
        assert len(ledger(session)) == 1

    def test_says_nothing_about_a_date_that_there_is_not(self, session, customer):
        messages.confirm_order(session, order(customer().id, payment_due_on=None))
        assert "기한" not in ledger(session)[0].body

    def test_waits_for_the_copy_of_the_customer(self, session):
        with pytest.raises(NotFound):
            messages.confirm_order(session, order(new_id()))

    def test_shows_why_a_customer_without_an_address_gets_nothing(self, session, customer):
        messages.confirm_order(session, order(customer(email=None).id))
        (mail,) = ledger(session)
        assert (mail.status, mail.reason) == ("suppressed", "no_address")


class TestAskSurvey:
    def test_sends_outcome_and_link(self, session, customer):
        facts = {
            "survey_id": new_id(),
            "ticket_id": new_id(),
            "ticket_number": "T-7",
            "customer_id": customer(language="ja", display_name="山田太郎").id,
            "subject": "{{ token }}の件",
            "outcome": "交換しました。\nご確認ください。",
            "token": "abc123",
            "expires_at": datetime(2026, 12, 1, tzinfo=UTC),
        }
        messages.ask_survey(session, envelope(service_desk.SurveyRequested, facts))
        (mail,) = ledger(session)
        assert mail.purpose == "service"
        assert "山田太郎 様" in mail.body
        assert "交換しました。\nご確認ください。" in mail.body
        assert "{{ public_url }}/s/abc123" in mail.body
        assert "「{{ token }}の件」" in mail.body  # what a customer wrote is not filled in


class TestAcknowledgeTicket:
    def test_names_the_ticket(self, session, customer):
        facts = {
            "ticket_id": new_id(),
            "number": "T-7",
            "customer_id": customer(language="en", display_name="Ann Lee").id,
            "subject": "It leaks",
            "priority": "high",
            "owner_id": None,
            "team_path": "/hq/seoul/",
        }
        messages.acknowledge_ticket(session, envelope(service_desk.TicketOpened, facts))
        (mail,) = ledger(session)
        assert mail.subject == "We have received your message (T-7)"
        assert "Dear Ann Lee," in mail.body


class TestLedger:
    def test_shows_the_messages_of_customers_one_may_see(self, session, customer):
        rep = staff("own")
        mine, other = customer(owner_id=rep.id), customer(team_path="/hq/tokyo/")
        for known in (mine, other):
            messages.confirm_order(session, order(known.id))
        assert len(page(session)["items"]) == 2
        act_as(session, rep)
        assert [m["customer_id"] for m in page(session)["items"]] == [mine.id]
        act_as(session, staff("subtree", "/hq/tokyo/"))
        (seen,) = page(session)["items"]
        assert seen["customer_id"] == other.id
        assert messages.get(session, message_id=seen["id"]) == seen
        act_as(session, rep)
        with pytest.raises(NotFound):
            messages.get(session, message_id=seen["id"])

    def test_shows_everybody_what_was_sent_to_themselves(self, session, colleague):
        person = colleague()
        messages.to_colleague(session, person, "reminder", dedupe_key="r", values={"title": "x"})
        act_as(session, staff("own", identity=person.id))
        assert len(page(session)["items"]) == 1
        act_as(session, staff("own"))
        assert page(session)["items"] == []

    def test_shows_nobody_what_went_to_customers_because_they_have_no_id(self, session, customer):
        messages.confirm_order(session, order(customer().id))
        act_as(session, Actor(kind="integration", scope="own"))
        assert page(session)["items"] == []

    def test_filters(self, session, customer):
        known = customer()
        messages.confirm_order(session, order(known.id))
        messages.confirm_order(session, order(customer(email=None).id))
        assert len(page(session, filter={"status": "suppressed"})["items"]) == 1
        assert len(page(session, filter={"customer_id": str(known.id)})["items"]) == 1
        with pytest.raises(Invalid):
            page(session, filter={"address": "x"})

    def test_fits_the_contract(self, session, customer):
        messages.confirm_order(session, order(customer().id))
        (shown,) = page(session)["items"]
        assert set(shown) == set(contract.Message().fields)
