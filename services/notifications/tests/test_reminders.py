"""Reminders from arming to the end."""

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select

from contracts import notifications as contract
from contracts import sales, service_desk
from crmkit import tables
from crmkit.clock import now
from crmkit.errors import Conflict, Invalid, NotFound
from crmkit.ids import new_id
from crmkit.messages import load
from crmkit.testing import act_as, announced, envelope, staff
from crmkit.timers import Timer
from services.notifications import inbox, reminders
from services.notifications.models import InboxItem, Message, Reminder

pytestmark = pytest.mark.server

LATER = datetime(2030, 1, 1, tzinfo=UTC)


@pytest.fixture
def me(session, colleague):
    person = colleague()
    who = staff("own", identity=person.id)
    act_as(session, who)
    return who


def create(session, **changes):
    asked = {"kind": "follow_up", "title": "Call again", "due_at": LATER.isoformat(), **changes}
    return reminders.create(session, **load(contract.CreateReminder, asked))


def timers(session):
    return [
        Timer(*row)
        for row in session.execute(
            select(
                tables.timer.c.id,
                tables.timer.c.kind,
                tables.timer.c.key,
                tables.timer.c.due_at,
                tables.timer.c.payload,
            ).order_by(tables.timer.c.id)
        )
    ]


def fire(session, reminder):
    (timer,) = [t for t in timers(session) if t.key == str(reminder["id"])]
    session.execute(tables.timer.delete().where(tables.timer.c.id == timer.id))
    reminders.fire(session, timer)
    return reminders.get(session, reminder_id=reminder["id"])


def about(session, subject_type, subject_id, kind="follow_up"):
    return create(session, kind=kind, subject_type=subject_type, subject_id=str(subject_id))


class TestCreate:
    def test_belongs_to_the_caller_and_is_armed(self, session, me):
        reminder = create(session)
        assert (reminder["status"], reminder["owner_id"]) == ("armed", me.id)
        assert reminder["team_path"] == me.team_path
        assert [(t.kind, t.due_at) for t in timers(session)] == [("reminder", LATER)]
        assert set(reminder) == set(contract.Reminder().fields)

    def test_may_be_for_a_colleague(self, session, me, colleague):
        other = colleague(team_path="/hq/tokyo/")
        reminder = create(session, owner_id=str(other.id))
        assert (reminder["owner_id"], reminder["team_path"]) == (other.id, "/hq/tokyo/")

    def test_is_not_for_somebody_who_left_or_never_was(self, session, me, colleague):
        for nobody in (colleague(active=False).id, new_id()):
            with pytest.raises(NotFound, match="colleague_not_found"):
                create(session, owner_id=str(nobody))

    def test_needs_somebody_when_a_program_asks(self, session):
        with pytest.raises(Invalid) as refusal:
            create(session)
        assert "owner_id" in refusal.value.details

    @pytest.mark.parametrize(
        ("wrong", "field"),
        [
            ({"time_zone": "Mars/Olympus"}, "time_zone"),
            ({"time_zone": "../../etc/passwd"}, "time_zone"),
            ({"subject_type": "order"}, "subject_id"),
            ({"subject_id": str(new_id())}, "subject_type"),
            ({"due_at": "2030-01-01T00:00:00"}, "due_at"),
            ({"due_at": "9999-12-31T23:59:59-12:00"}, "due_at"),
            ({"due_at": "0001-01-01T00:00:00+12:00"}, "due_at"),
        ],
    )
    def test_refuses_what_does_not_fit(self, session, me, wrong, field):
        with pytest.raises(Invalid) as refusal:
            create(session, **wrong)
        assert list(refusal.value.details) == [field]


class TestFire:
    def test_reaches_inbox_and_mail_and_announces_it(self, session, me):
        reminder = fire(session, create(session, note="Ask for Ms Kim."))
        assert reminder["status"] == "fired"
        assert reminder["fired_at"] is not None
        (item,) = session.scalars(select(InboxItem))
        assert (item.owner_id, item.title, item.reminder_id) == (
            me.id,
            "Call again",
            reminder["id"],
        )
        (mail,) = session.scalars(select(Message))
        assert (mail.purpose, mail.staff_id) == ("internal", me.id)
        assert mail.subject == "알림: Call again"
        assert "Ask for Ms Kim." in mail.body
        assert "2030년 1월 1일 09:00 (Asia/Seoul)" in mail.body
        (fact,) = announced(session, contract.ReminderFired)
        assert fact["reminder_id"] == reminder["id"]

    def test_does_nothing_after_it_was_cancelled(self, session, me):
        reminder = create(session)
        (timer,) = timers(session)
        reminders.cancel(session, reminder_id=reminder["id"])
        reminders.fire(session, timer)
        assert announced(session, contract.ReminderFired) == []

    def test_sends_no_mail_to_who_left(self, session, me, colleague):
        reminder = create(session)
        colleague(staff_id=me.id, version=2, active=False)
        fire(session, reminder)
        assert session.scalars(select(Message)).all() == []

    def test_of_a_birthday_arms_the_next(self, session, me):
        reminder = create(session, kind="birthday", due_at="2024-02-29T09:00:00+09:00")
        fire(session, reminder)
        (timer,) = timers(session)
        following = reminders.get(
            session,
            reminder_id=session.scalar(select(Reminder.id).where(Reminder.id != reminder["id"])),
        )
        assert str(following["id"]) == timer.key
        assert timer.due_at == following["due_at"] > now()
        assert following["repeats"] == "yearly"
        expected = 29 if following["due_at"].year % 4 == 0 else 28
        assert (following["due_at"].month, following["due_at"].day) == (2, expected)

    def test_of_a_snoozed_birthday_arms_no_second_next(self, session, me):
        reminder = create(session, kind="birthday", due_at="2024-02-29T09:00:00+09:00")
        fire(session, reminder)
        reminders.snooze(session, reminder_id=reminder["id"], due_at=now())
        fire(session, reminder)
        assert len(timers(session)) == 1
        assert len(session.scalars(select(Message)).all()) == 2


class TestSnooze:
    def test_arms_a_fired_one_again(self, session, me):
        reminder = fire(session, create(session))
        later = LATER + timedelta(days=1)
        snoozed = reminders.snooze(session, reminder_id=reminder["id"], due_at=later)
        assert (snoozed["status"], snoozed["due_at"]) == ("armed", later)
        assert [t.due_at for t in timers(session)] == [later]

    def test_moves_an_armed_one(self, session, me):
        reminder = create(session)
        later = LATER + timedelta(days=1)
        reminders.snooze(session, reminder_id=reminder["id"], due_at=later)
        assert [t.due_at for t in timers(session)] == [later]


class TestEnd:
    def test_is_the_same_when_asked_twice(self, session, me):
        reminder = fire(session, create(session))
        first = reminders.acknowledge(session, reminder_id=reminder["id"])
        assert reminders.acknowledge(session, reminder_id=reminder["id"]) == first
        assert first["resolved_by"] == me.initiator

    def test_of_one_that_has_not_fired_is_no_acknowledgement(self, session, me):
        with pytest.raises(Conflict):
            reminders.acknowledge(session, reminder_id=create(session)["id"])

    def test_is_for_those_who_may_see_it(self, session, me):
        reminder = create(session)
        act_as(session, staff("own"))
        for action in (reminders.cancel, reminders.acknowledge, reminders.get):
            with pytest.raises(NotFound):
                action(session, reminder_id=reminder["id"])
        found = reminders.find(session, **load(contract.ListReminders, {}))
        assert found["items"] == []


class TestSettle:
    def test_disarms_follow_ups_of_a_closed_opportunity_only(self, session, me):
        opportunity_id = new_id()
        settled = about(session, "opportunity", opportunity_id)
        other_kind = about(session, "opportunity", opportunity_id, "custom")
        other = about(session, "opportunity", new_id())
        facts = {
            "opportunity_id": opportunity_id,
            "customer_id": new_id(),
            "title": "x",
            "amount": {"amount": "1", "currency": "USD"},
            "owner_id": None,
            "team_path": "/",
            "reason": "price",
        }
        event = envelope(sales.OpportunityLost, facts)
        reminders.settle_opportunity(session, event)
        reminders.settle_opportunity(session, event)
        status = {
            r["id"]: reminders.get(session, reminder_id=r["id"])["status"]
            for r in (settled, other_kind, other)
        }
        assert list(status.values()) == ["auto_resolved", "armed", "armed"]
        assert str(settled["id"]) not in {t.key for t in timers(session)}
        (fact,) = announced(session, contract.ReminderAutoResolved)
        assert fact["cause"] == "crm.sales.opportunity.lost.v1"

    @pytest.mark.parametrize(("in_full", "status"), [(True, "auto_resolved"), (False, "armed")])
    def test_disarms_a_payment_only_when_all_is_paid(self, session, me, in_full, status):
        order_id = new_id()
        reminder = about(session, "order", order_id, "payment_due")
        facts = {
            "order_id": order_id,
            "customer_id": new_id(),
            "payment_id": new_id(),
            "amount": {"amount": "1", "currency": "USD"},
            "paid_in_full": in_full,
        }
        reminders.settle_order(session, envelope(sales.PaymentRecorded, facts))
        assert reminders.get(session, reminder_id=reminder["id"])["status"] == status

    def test_disarms_whatever_is_about_a_done_task(self, session, me):
        task_id = new_id()
        reminder = about(session, "task", task_id, "custom")
        facts = {"task_id": task_id, "customer_id": None}
        reminders.settle_task(session, envelope(sales.TaskDone, facts))
        assert reminders.get(session, reminder_id=reminder["id"])["status"] == "auto_resolved"


class TestInbox:
    def assign(self, session, owner_id):
        facts = {
            "task_id": new_id(),
            "title": "Visit",
            "customer_id": None,
            "owner_id": owner_id,
            "team_path": "/hq/seoul/",
            "due_on": None,
            "reason": "He asked.",
        }
        inbox.tell_of_task(session, envelope(sales.TaskAssigned, facts))

    def mine(self, session, **asked):
        return inbox.find(session, **load(contract.ListInboxItems, asked))["items"]

    def test_shows_a_task_at_once_and_tells_by_mail(self, session, me):
        self.assign(session, me.id)
        (item,) = self.mine(session)
        assert (item["kind"], item["title"], item["unread"]) == ("task_assigned", "Visit", True)
        assert set(item) == set(contract.InboxItem().fields)
        (mail,) = session.scalars(select(Message))
        assert mail.subject == "새 할 일: Visit"

    def test_shows_a_ticket_to_its_agent(self, session, me):
        facts = {
            "ticket_id": new_id(),
            "number": "T-1",
            "customer_id": new_id(),
            "subject": "It leaks",
            "priority": "high",
            "owner_id": me.id,
            "team_path": "/hq/seoul/",
        }
        inbox.tell_of_ticket(session, envelope(service_desk.TicketAssigned, facts))
        (item,) = self.mine(session)
        assert (item["kind"], item["subject_id"]) == ("ticket_assigned", facts["ticket_id"])

    def test_is_ones_own_however_much_one_may_see(self, session, me):
        self.assign(session, me.id)
        (item,) = self.mine(session)
        act_as(session, staff("all"))
        assert self.mine(session) == []
        with pytest.raises(NotFound):
            inbox.read(session, item_id=item["id"])

    def test_remembers_what_was_read(self, session, me):
        self.assign(session, me.id)
        (item,) = self.mine(session, filter={"unread": "true"})
        first = inbox.read(session, item_id=item["id"])
        assert first["unread"] is False
        assert inbox.read(session, item_id=item["id"]) == first
        assert self.mine(session, filter={"unread": "true"}) == []
        assert len(self.mine(session, filter={"unread": "false"})) == 1
