"""Handing over in batches and taking reports: every recipient ends in exactly one state."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from uuid import UUID

import pytest
from sqlalchemy import delete, select, text
from sqlalchemy.orm import Session

from contracts import marketing as contract
from contracts import notifications
from crmkit.context import Context
from crmkit.db import Database
from crmkit.ids import new_id
from crmkit.tables import timer
from crmkit.testing import announced
from crmkit.timers import Timer
from services.marketing import campaigns, rules, sending
from services.marketing.models import Base, Batch, Customer
from services.marketing.tests.conftest import CONTENT, Company

pytestmark = pytest.mark.server


def handed(session: Session) -> list[UUID]:
    batches = announced(session, contract.RecipientsHandedOff)
    return [recipient["recipient_id"] for batch in batches for recipient in batch["recipients"]]


class TestHandingOver:
    def test_gives_the_sender_all_it_needs(self, company: Company, session: Session) -> None:
        customer = company.customer(display_name="김민수", email="minsu@rapport.example")
        korean = {"language": "ko", "subject": "소식", "email_body": "소식입니다."}
        identity = company.launched(contents=[CONTENT, korean])
        company.let_time_pass()
        (batch,) = announced(session, contract.RecipientsHandedOff)
        (recipient,) = company.recipients(identity)
        assert batch["recipients"] == [
            {
                "recipient_id": recipient.id,
                "customer_id": customer,
                "address": "minsu@rapport.example",
                "name": "김민수",
                "language": "en",
            }
        ]
        assert (batch["campaign_id"], batch["channel"]) == (identity, "email")
        assert batch["contents"] == [{k: CONTENT[k] for k in ("language", "subject", "email_body")}]

    def test_sends_text_messages_to_phones_that_they_reach(
        self, company: Company, session: Session
    ) -> None:
        company.customer(phone="+82212345678", mobile="+821012345678")
        company.launched(channels=["sms"])
        company.let_time_pass()
        (batch,) = announced(session, contract.RecipientsHandedOff)
        assert batch["recipients"][0]["address"] == "+821012345678"
        assert batch["contents"] == [{"language": "en", "sms_body": CONTENT["sms_body"]}]

    def test_goes_one_batch_at_a_time(
        self, company: Company, session: Session, small_batches: Callable[..., None]
    ) -> None:
        small_batches()
        for _ in range(5):
            company.customer()
        identity = company.launched()
        company.tick()
        for sent in (2, 4, 5):
            company.tick()
            assert company.counts(identity)["handed_off"] == sent == len(set(handed(session)))
        assert company.status(identity) == "sending"
        company.tick()
        assert company.status(identity) == "completing"
        assert not company.tick()

    def test_leaves_out_who_withdrew_since_the_freeze(
        self, company: Company, session: Session
    ) -> None:
        customers = [company.customer() for _ in range(4)]
        identity = company.launched()
        company.tick()
        company.customer(identity=customers[0], version=2, consents=[])
        company.customer(identity=customers[1], version=2, email=None)
        session.execute(delete(Customer).where(Customer.id == customers[2]))
        company.let_time_pass()
        (batch,) = announced(session, contract.RecipientsHandedOff)
        assert [one["customer_id"] for one in batch["recipients"]] == [customers[3]]
        assert company.counts(identity) == {"audience": 4, "suppressed": 3, "handed_off": 1}
        reasons = {row.customer_id: row.reason for row in company.recipients(identity)}
        assert [reasons[one] for one in customers] == [
            "no_consent",
            "no_address",
            "customer_gone",
            None,
        ]

    def test_writes_to_the_address_of_today(self, company: Company, session: Session) -> None:
        customer = company.customer()
        company.launched()
        company.tick()
        company.customer(identity=customer, version=2, email="new@rapport.example")
        company.let_time_pass()
        (batch,) = announced(session, contract.RecipientsHandedOff)
        assert batch["recipients"][0]["address"] == "new@rapport.example"

    def test_completes_at_once_when_all_withdrew(self, company: Company, session: Session) -> None:
        customer = company.customer()
        identity = company.launched()
        company.tick()
        company.customer(identity=customer, version=2, consents=[])
        company.let_time_pass()
        assert company.status(identity) == "completed"
        assert announced(session, contract.RecipientsHandedOff) == []

    def test_waits_when_the_sender_has_enough(
        self, company: Company, session: Session, small_batches: Callable[..., None]
    ) -> None:
        small_batches(outstanding=2)
        for _ in range(10):
            company.customer()
        identity = company.launched()
        company.let_time_pass()
        assert company.counts(identity) == {"audience": 10, "handed_off": 4, "queued": 6}
        first, second, *_ = handed(session)
        company.report(identity, {first: "accepted"})
        company.let_time_pass()
        assert company.counts(identity)["queued"] == 6
        company.report(identity, {second: "bounced"})
        company.let_time_pass()
        assert company.counts(identity)["queued"] == 4

    def test_does_not_wait_for_stragglers_but_completes_without_any(
        self, company: Company, session: Session, small_batches: Callable[..., None]
    ) -> None:
        small_batches(size=20, outstanding=1)
        for _ in range(40):
            company.customer()
        identity = company.launched()
        company.let_time_pass()
        *first, late, later, latest = handed(session)
        company.report(identity, dict.fromkeys(first, "accepted"))
        company.let_time_pass()
        assert company.counts(identity) == {
            "audience": 40,
            "accepted": 17,
            "handed_off": 3,
            "queued": 20,
        }
        company.report(identity, {late: "accepted"})
        company.let_time_pass()
        assert company.counts(identity)["handed_off"] == 22
        second = set(handed(session)) - {*first, late, later, latest}
        company.report(identity, dict.fromkeys(second, "accepted"))
        company.let_time_pass()
        assert company.status(identity) == "completing"
        company.report(identity, {later: "failed", latest: "accepted"})
        company.let_time_pass()
        assert company.status(identity) == "completed"


class TestTakingReports:
    def test_completes_when_the_last_is_final(self, company: Company, session: Session) -> None:
        company.customer()
        company.customer(consents=[])
        identity = company.launched(channels=["email", "sms"])
        company.let_time_pass()
        email, sms = (row.id for row in company.recipients(identity, "handed_off"))
        company.report(identity, {email: "accepted"})
        company.let_time_pass()
        shown = company.shown(identity)
        assert (shown["status"], shown["progress"]) == ("completing", 0.75)
        company.report(identity, {sms: "failed"}, "no such number")
        company.let_time_pass()
        shown = company.shown(identity)
        assert (shown["status"], shown["progress"]) == ("completed", 1.0)
        assert shown["completed_at"] is not None
        (facts,) = announced(session, contract.CampaignCompleted)
        assert facts["counts"] == shown["counts"]
        assert {name: n for name, n in facts["counts"].items() if n} == {
            "audience": 4,
            "suppressed": 2,
            "accepted": 1,
            "failed": 1,
        }
        (failed,) = company.recipients(identity, "failed")
        assert failed.reason == "no such number"

    @pytest.mark.parametrize("state", notifications.REPORTED_STATES)
    def test_takes_every_way_to_end(self, company: Company, state: str) -> None:
        company.customer()
        identity = company.launched()
        company.let_time_pass()
        company.report_all(identity, state)
        company.let_time_pass()
        assert company.counts(identity) == {"audience": 1, state: 1}
        assert company.status(identity) == "completed"

    def test_does_nothing_the_second_time(self, company: Company, session: Session) -> None:
        company.customer()
        identity = company.launched()
        company.let_time_pass()
        (recipient,) = company.recipients(identity)
        for _ in range(2):
            company.report(identity, {recipient.id: "accepted"})
            company.let_time_pass()
        assert company.counts(identity) == {"audience": 1, "accepted": 1}
        assert len(announced(session, contract.CampaignCompleted)) == 1

    def test_learns_late_how_it_ended_and_keeps_that(
        self, company: Company, session: Session
    ) -> None:
        company.customer()
        identity = company.launched()
        company.let_time_pass()
        (recipient,) = company.recipients(identity)
        for state, counted in (
            ("accepted", "accepted"),
            ("bounced", "bounced"),
            ("delivered", "bounced"),
            ("accepted", "bounced"),
        ):
            company.report(identity, {recipient.id: state}, "the mailbox is gone")
            company.let_time_pass()
            assert company.counts(identity) == {"audience": 1, counted: 1}
        assert len(announced(session, contract.CampaignCompleted)) == 1

    def test_ignores_strangers_and_the_unsent(self, company: Company, session: Session) -> None:
        company.customer()
        identity = company.launched()
        company.tick()
        (queued,) = company.recipients(identity)
        company.report(identity, {queued.id: "delivered", new_id(): "delivered"})
        company.report(new_id(), {queued.id: "delivered"})
        assert company.counts(identity) == {"audience": 1, "queued": 1}


@pytest.fixture
def committed(database: Database) -> Iterator[Database]:
    """The database for tests that need real commits; emptied afterwards."""
    yield database
    with database.transaction(Context()) as session:
        for table in (*reversed(Base.metadata.sorted_tables), timer):
            session.execute(delete(table))
        session.execute(text("delete from outbox"))


class TestReplicas:
    def test_hand_over_and_report_at_the_same_time_without_loss_or_double(
        self, committed: Database, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(rules, "BATCH_SIZE", 5)
        monkeypatch.setattr(rules, "MOST_OUTSTANDING", 3)
        with committed.transaction(Context()) as session:
            company = Company(session)
            for _ in range(100):
                company.customer()
            identity = company.launched(channels=["email", "sms"])
            company.tick()

        def replica() -> None:
            work = committed.within(Context())
            while not _step(committed, work, identity):
                pass

        with ThreadPoolExecutor(3) as pool:
            for running in [pool.submit(replica) for _ in range(3)]:
                running.result(timeout=180)
        with committed.transaction(Context()) as session:
            company = Company(session)
            assert company.status(identity) == "completed"
            assert company.counts(identity) == {"audience": 200, "accepted": 200}
            everyone = handed(session)
            assert len(everyone) == len(set(everyone)) == 200
            assert len(announced(session, contract.CampaignCompleted)) == 1
            numbers = session.scalars(select(Batch.event_number)).all()
            assert set(numbers) == {1}

    def test_are_never_locked_out_by_who_pauses_resumes_and_cancels(
        self, committed: Database, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(rules, "BATCH_SIZE", 2)
        monkeypatch.setattr(rules, "MOST_OUTSTANDING", 3)
        with committed.transaction(Context()) as session:
            company = Company(session)
            for _ in range(150):
                company.customer()
            identity = company.launched()
            company.tick()
        ended = threading.Event()

        def replica() -> None:
            work = committed.within(Context())
            while not (ended.is_set() and not _due(committed)):
                # However slow the marketer is: what is completed cannot be paused or cancelled.
                _step(committed, work, identity, most=100)

        def marketer() -> None:
            try:
                for _ in range(10):
                    for action in (campaigns.pause, campaigns.resume):
                        # Without the retries of Work.run, so that a deadlock would be seen.
                        with committed.transaction(Context()) as session:
                            action(session, campaign_id=identity)
                with committed.transaction(Context()) as session:
                    campaigns.cancel(session, campaign_id=identity)
            finally:
                ended.set()

        with ThreadPoolExecutor(3) as pool:
            for running in [pool.submit(one) for one in (marketer, replica, replica)]:
                running.result(timeout=180)
        with committed.transaction(Context()) as session:
            company = Company(session)
            company.report_all(identity, "accepted")
            counts = company.counts(identity)
            assert company.status(identity) == "cancelled"
            assert counts["cancelled"] + counts.get("accepted", 0) == counts["audience"] == 150
            assert counts.get("accepted", 0) == len(set(handed(session))) == len(handed(session))

    def test_a_kill_in_the_middle_of_a_batch_changes_nothing(self, committed: Database) -> None:
        with committed.transaction(Context()) as session:
            company = Company(session)
            company.customer()
            identity = company.launched()
            company.tick()
        due = _due(committed)

        def killed(session: Session, timer: Timer) -> None:
            sending.advance(session, timer)
            session.flush()
            raise SystemExit("killed")

        work = committed.within(Context())
        with pytest.raises(SystemExit):
            work.fire(due[0], killed)
        assert _due(committed) == due
        assert work.fire(due[0], sending.advance)
        assert not work.fire(due[0], sending.advance)
        with committed.transaction(Context()) as session:
            assert Company(session).counts(identity) == {"audience": 1, "handed_off": 1}
            assert len(handed(session)) == 1


def _due(database: Database) -> list[Timer]:
    with database.transaction(Context()) as session:
        rows = session.execute(
            select(timer.c.id, timer.c.kind, timer.c.key, timer.c.due_at, timer.c.payload)
        )
        return [Timer(*row) for row in rows]


def _step(database: Database, work: object, identity: UUID, *, most: int = 1_000) -> bool:
    """What a replica does: its due timers, then a report of what it finds handed over.

    Once ``most`` or more are accepted there is nothing to report.
    """
    for one in _due(database):
        work.fire(one, sending.advance)  # type: ignore[attr-defined]
    with database.transaction(Context()) as session:
        company = Company(session)
        waiting = company.recipients(identity, "handed_off")[:7]
        if waiting and len(company.recipients(identity, "accepted")) < most:
            company.report(identity, {recipient.id: "accepted" for recipient in waiting})
    with database.transaction(Context()) as session:
        done: bool = campaigns.get(session, campaign_id=identity)["status"] == "completed"
    return done
