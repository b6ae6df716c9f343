"""Messages of campaigns: taken in, held, let go, called back, claimed and reported."""

from collections import Counter
from datetime import timedelta

import pytest
from sqlalchemy import func, select, text, update

from contracts import marketing
from contracts import notifications as contract
from crmkit.ids import new_id
from crmkit.testing import announced, envelope
from services.notifications import campaigns, ledger, messages, people, receipts
from services.notifications.channels import Outcome
from services.notifications.models import Content, Message, Part, Report
from services.notifications.tests.test_people import flagged

pytestmark = pytest.mark.server

CONTENTS = [
    {
        "language": "ko",
        "subject": "{{ name }} 님께",
        "email_body": "{{ name }} 님 안녕하세요.",
        "sms_body": "{{ name }} 님!",
    },
    {"language": "en", "subject": "For {{ name }}", "email_body": "Dear {{ name }},"},
]


def batch(*customers, campaign_id=None, channel="email", contents=CONTENTS):
    return envelope(
        marketing.RecipientsHandedOff,
        {
            "batch_id": new_id(),
            "campaign_id": campaign_id or new_id(),
            "campaign_name": "Spring",
            "channel": channel,
            "default_language": "en",
            "contents": contents,
            "recipients": [
                {
                    "recipient_id": new_id(),
                    "customer_id": getattr(customer, "id", customer),
                    "address": f"c{number}@customers.example",
                    "name": "김하늘",
                    "language": getattr(customer, "language", "ko"),
                }
                for number, customer in enumerate(customers)
            ],
        },
    )


def told(campaign_id, kind, version):
    facts = {"campaign_id": campaign_id, "name": "Spring"}
    return envelope(kind, facts, version=version)


def ledger_of(session):
    query = select(Message).order_by(Message.address).execution_options(populate_existing=True)
    return session.scalars(query).all()


def statuses(session):
    return Counter(message.status for message in ledger_of(session))


def reported(session):
    return [r for f in announced(session, contract.MessagesReported) for r in f["results"]]


class TestTakeIn:
    def test_queues_each_recipient_in_its_language(self, session, customer):
        event = batch(customer(), customer(language="en"), customer(language="ja"))
        campaigns.take_in(session, event)
        rows = ledger_of(session)
        assert [m.subject for m in rows] == ["김하늘 님께", "For 김하늘", "For 김하늘"]
        assert {m.status for m in rows} == {"queued"}
        assert {m.lane for m in rows} == {"marketing_email"}
        assert rows[0].dedupe_key == (
            f"campaign:{event.data['campaign_id']}:{rows[0].recipient_id}"
        )
        assert len(session.scalars(select(Content)).all()) == 2
        assert reported(session) == []

    def test_takes_a_batch_once_however_often_it_comes(self, session, customer):
        event = batch(customer(), customer(consents=[]))
        campaigns.take_in(session, event)
        campaigns.take_in(session, event)
        assert len(ledger_of(session)) == 2
        assert len(reported(session)) == 1

    def test_suppresses_and_reports_who_withdrew(self, session, customer):
        event = batch(customer(), customer(consents=["sms"]))
        campaigns.take_in(session, event)
        assert statuses(session) == {"queued": 1, "suppressed": 1}
        (result,) = reported(session)
        assert result == {
            "recipient_id": event.data["recipients"][1]["recipient_id"],
            "state": "suppressed",
            "reason": "no_consent",
        }

    def test_lets_a_customer_it_has_not_heard_of_wait(self, session):
        campaigns.take_in(session, batch(new_id()))
        (message,) = ledger_of(session)
        assert message.status == "queued"
        assert message.next_at > message.created_at

    def test_refuses_what_has_no_text(self, session, customer):
        campaigns.take_in(session, batch(customer(), channel="sms", contents=CONTENTS[1:]))
        assert [r["reason"] for r in reported(session)] == ["no_text"]

    def test_of_a_paused_campaign_holds_and_of_a_cancelled_one_calls_back(self, session, customer):
        campaign_id = new_id()
        campaigns.pause(session, told(campaign_id, marketing.CampaignPaused, 2))
        campaigns.take_in(session, batch(customer(), campaign_id=campaign_id))
        assert statuses(session) == {"held": 1}
        campaigns.cancel(session, told(campaign_id, marketing.CampaignCancelled, 3))
        campaigns.take_in(session, batch(customer(), campaign_id=campaign_id))
        assert statuses(session) == {"cancelled": 2}
        assert {r["state"] for r in reported(session)} == {"cancelled"}
        assert len(reported(session)) == 2


class TestFollowCampaign:
    def test_holds_and_lets_go(self, session, customer):
        event = batch(customer())
        campaign_id = event.data["campaign_id"]
        campaigns.take_in(session, event)
        campaigns.pause(session, told(campaign_id, marketing.CampaignPaused, 2))
        assert statuses(session) == {"held": 1}
        campaigns.resume(session, told(campaign_id, marketing.CampaignResumed, 3))
        assert statuses(session) == {"queued": 1}

    def test_believes_the_newest_whatever_comes_last(self, session, customer):
        event = batch(customer())
        campaign_id = event.data["campaign_id"]
        campaigns.take_in(session, event)
        campaigns.resume(session, told(campaign_id, marketing.CampaignResumed, 3))
        campaigns.pause(session, told(campaign_id, marketing.CampaignPaused, 2))
        assert statuses(session) == {"queued": 1}

    def test_leaves_what_has_begun(self, session, customer):
        event = batch(customer(), customer())
        campaigns.take_in(session, event)
        ledger.claim(session, new_id(), "marketing_email", 1)
        campaigns.cancel(session, told(event.data["campaign_id"], marketing.CampaignCancelled, 2))
        assert statuses(session) == {"sending": 1, "cancelled": 1}

    def test_reports_at_most_500_at_a_time(self, session, customer):
        known = customer()
        first = batch(*[known] * 300)
        campaign_id = first.data["campaign_id"]
        campaigns.take_in(session, first)
        campaigns.take_in(session, batch(*[known] * 300, campaign_id=campaign_id))
        campaigns.cancel(session, told(campaign_id, marketing.CampaignCancelled, 2))
        assert sorted(r.size for r in session.scalars(select(Report))) == [100, 500]
        assert len({r["recipient_id"] for r in reported(session)}) == 600


class TestClaim:
    def test_gives_a_message_to_one_worker_only(self, session, customer):
        campaigns.take_in(session, batch(customer(), customer()))
        first = ledger.claim(session, new_id(), "marketing_email", 10)
        assert len(first) == 2
        assert first[0].body == "{{ name }} 님 안녕하세요."
        assert ledger.claim(session, new_id(), "marketing_email", 10) == []

    def test_takes_those_first_that_were_never_refused(self, session, customer):
        campaigns.take_in(session, batch(customer(), customer(), customer()))
        refused, *others = ledger.claim(session, new_id(), "marketing_email", 10)
        session.execute(update(Message).values(status="queued", attempts=0))
        session.execute(update(Message).where(Message.id == refused.id).values(attempts=1))
        *first, last = ledger.claim(session, new_id(), "marketing_email", 10)
        assert ({m.id for m in first}, last.id) == ({m.id for m in others}, refused.id)

    def test_looks_at_consent_again(self, session, customer):
        known = customer()
        campaigns.take_in(session, batch(known))
        customer(customer_id=known.id, version=2, consents=["sms"])
        assert ledger.claim(session, new_id(), "marketing_email", 10) == []
        assert statuses(session) == {"suppressed": 1}
        assert [r["state"] for r in reported(session)] == ["suppressed"]

    def test_waits_a_day_for_a_customer_it_has_not_heard_of(self, session):
        campaigns.take_in(session, batch(new_id()))
        due = update(Message).values(next_at=text("now()"))
        session.execute(due)
        assert ledger.claim(session, new_id(), "marketing_email", 10) == []
        (message,) = ledger_of(session)
        assert (message.status, message.attempts) == ("queued", 0)
        assert message.next_at > session.scalar(select(func.now())) + timedelta(seconds=20)
        session.execute(due.values(created_at=text("now() - interval '25 hours'")))
        assert ledger.claim(session, new_id(), "marketing_email", 10) == []
        (result,) = reported(session)
        assert (result["state"], result["reason"]) == ("suppressed", "customer_unknown")

    def test_sends_to_a_customer_it_heard_of_late(self, session, customer):
        late = new_id()
        campaigns.take_in(session, batch(late))
        due = update(Message).values(next_at=text("now()"))
        session.execute(due)
        assert ledger.claim(session, new_id(), "marketing_email", 10) == []
        customer(customer_id=late)
        session.execute(due)
        (message,) = ledger.claim(session, new_id(), "marketing_email", 10)
        assert message.attempts == 1
        assert ledger_of(session)[0].reason is None

    def test_sends_no_advertising_to_who_became_a_detractor(self, session, customer):
        known = customer()
        campaigns.take_in(session, batch(known))
        people.flag_detractor(session, flagged(known.id))
        assert ledger.claim(session, new_id(), "marketing_email", 10) == []
        assert [(r["state"], r["reason"]) for r in reported(session)] == [
            ("suppressed", "detractor")
        ]


class TestRecord:
    def claimed(self, session, *customers, channel="email"):
        campaigns.take_in(session, batch(*customers, channel=channel))
        worker = new_id()
        return worker, ledger.claim(session, worker, f"marketing_{channel}", 100)

    def record(self, session, worker, claimed, *kinds, **more):
        rows = [
            (m.id, m.lane, m.attempts, Outcome(kind, f"because {kind}", **more))
            for m, kind in zip(claimed, kinds, strict=True)
        ]
        ledger.record(session, worker, rows)

    def test_reports_what_is_final(self, session, customer):
        kinds = ("sent", "bounced", "failed", "unclear", "deferred", "not_begun")
        worker, claimed = self.claimed(session, *(customer() for _ in kinds))
        self.record(session, worker, claimed, *kinds)
        assert statuses(session) == {
            "sent": 1,
            "bounced": 1,
            "failed": 1,
            "unknown": 1,
            "queued": 2,
        }
        assert Counter(r["state"] for r in reported(session)) == {
            "accepted": 1,
            "bounced": 1,
            "failed": 1,
            "unknown": 1,
        }
        assert announced(session, contract.MessageSent) == []

    def test_changes_nothing_of_another_worker(self, session, customer):
        _, claimed = self.claimed(session, customer())
        self.record(session, new_id(), claimed, "sent")
        assert statuses(session) == {"sending": 1}
        assert reported(session) == []

    def test_corrects_a_doubt(self, session, customer):
        worker, claimed = self.claimed(session, customer())
        session.execute(update(Message).values(lease_until=text("now() - interval '1 second'")))
        assert ledger.expire(session) == 1
        self.record(session, worker, claimed, "sent")
        assert [r["state"] for r in reported(session)] == ["unknown", "accepted"]

    def test_hears_of_every_part_before_it_believes_in_a_delivery(self, session, customer):
        worker, (message,) = self.claimed(session, customer(), channel="sms")
        receipts.keep(session, "b", "delivered", None)  # before we know whose it is
        assert receipts.settle(session) == 0
        self.record(session, worker, [message], "sent", provider_ids=("a", "b"))
        assert receipts.settle(session) == 1
        assert statuses(session) == {"sent": 1}
        receipts.keep(session, "a", "delivered", None)
        receipts.settle(session)
        assert statuses(session) == {"delivered": 1}
        assert [r["state"] for r in reported(session)] == ["accepted", "delivered"]

    def test_of_a_lost_part_is_a_bounce(self, session, customer):
        worker, (message,) = self.claimed(session, customer(), channel="sms")
        self.record(session, worker, [message], "sent", provider_ids=("a", "b"))
        receipts.keep(session, "a", "bounced", "UNDELIV 001")
        receipts.settle(session)
        assert [(r["state"], r["reason"]) for r in reported(session)][1:] == [
            ("bounced", "UNDELIV 001")
        ]

    @pytest.mark.parametrize("kind", ["deferred", "not_begun"])
    def test_obeys_a_pause_and_a_cancel_that_came_meanwhile(self, session, customer, kind):
        worker, claimed = self.claimed(session, customer())
        campaign_id = ledger_of(session)[0].campaign_id
        campaigns.pause(session, told(campaign_id, marketing.CampaignPaused, 2))
        self.record(session, worker, claimed, kind)
        assert statuses(session) == {"held": 1}
        campaigns.resume(session, told(campaign_id, marketing.CampaignResumed, 3))
        session.execute(update(Message).values(next_at=text("now()")))
        claimed = ledger.claim(session, worker, "marketing_email", 100)
        campaigns.cancel(session, told(campaign_id, marketing.CampaignCancelled, 4))
        self.record(session, worker, claimed, kind)
        assert statuses(session) == {"cancelled": 1}
        assert [(r["state"], r["reason"]) for r in reported(session)] == [
            ("cancelled", "campaign_cancelled")
        ]

    def test_takes_an_id_that_comes_twice_and_one_that_is_none(self, session, customer):
        worker, claimed = self.claimed(session, customer(), customer(), channel="sms")
        self.record(session, worker, claimed, "sent", "sent", provider_ids=("a", "a", ""))
        assert statuses(session) == {"sent": 2}
        assert session.scalars(select(Part.provider_id)).all() == ["a"]


class TestHeal:
    def test_settles_by_the_journal_of_the_dead(self, session, customer):
        campaigns.take_in(session, batch(*(customer() for _ in range(3))))
        worker = new_id()
        sent, begun, _ = ledger.claim(session, worker, "marketing_email", 10)
        noted = {sent.id: Outcome("sent"), begun.id: Outcome("unclear", "sender_lost")}
        assert ledger.heal(session, worker, noted) == 3
        assert statuses(session) == {"sent": 1, "unknown": 1, "queued": 1}
        assert ledger.heal(session, worker, noted) in (0, 1)
        assert statuses(session) == {"sent": 1, "unknown": 1, "queued": 1}

    def test_sends_nothing_more_of_a_cancelled_campaign(self, session, customer):
        event = batch(customer())
        campaigns.take_in(session, event)
        worker = new_id()
        ledger.claim(session, worker, "marketing_email", 10)
        campaigns.cancel(session, told(event.data["campaign_id"], marketing.CampaignCancelled, 2))
        assert ledger.heal(session, worker, {}) == 1
        assert statuses(session) == {"cancelled": 1}


class TestExpire:
    def test_never_sends_advertising_again_but_awaited_mail(self, session, customer, colleague):
        campaigns.take_in(session, batch(customer()))
        messages.to_colleague(
            session, colleague(), "reminder", dedupe_key="r", values={"title": "x"}
        )
        for lane in ("email", "marketing_email"):
            assert len(ledger.claim(session, new_id(), lane, 10)) == 1
        assert ledger.expire(session) == 0
        session.execute(update(Message).values(lease_until=text("now() - interval '1 second'")))
        assert ledger.expire(session) == 2
        assert {m.lane: m.status for m in ledger_of(session)} == {
            "marketing_email": "unknown",
            "email": "queued",
        }
        assert [r["state"] for r in reported(session)] == ["unknown"]

    def test_announces_the_sending_of_single_messages(self, session, colleague):
        messages.to_colleague(
            session, colleague(), "reminder", dedupe_key="r", values={"title": "x"}
        )
        worker = new_id()
        (mail,) = ledger.claim(session, worker, "email", 10)
        ledger.record(session, worker, [(mail.id, mail.lane, mail.attempts, Outcome("sent"))])
        (fact,) = announced(session, contract.MessageSent)
        assert (fact["message_id"], fact["template"]) == (mail.id, "reminder")
        (row,) = ledger_of(session)
        assert row.event_number == 1
        assert row.sent_at is not None
