"""What must hold when two do something to the same reminder or message: real transactions."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from sqlalchemy import select, text, update

from contracts import marketing, service_desk
from contracts import notifications as contract
from crmkit.clock import now
from crmkit.context import Context
from crmkit.errors import Conflict
from crmkit.ids import new_id
from crmkit.messages import load
from crmkit.tables import timer
from crmkit.testing import envelope, eventually, staff
from crmkit.timers import Timer
from services.notifications import campaigns, ledger, reminders
from services.notifications.channels import Outcome
from services.notifications.models import Colleague, Message, Reminder
from services.notifications.tests.test_campaigns import batch, told

pytestmark = pytest.mark.server

TICKET = new_id()
_WAITING = text(
    "select count(*) from pg_stat_activity"
    " where datname = current_database() and wait_event_type = 'Lock'"
)


def waits(database):
    """Whether somebody waits for a lock in that database."""
    with database.engine.connect() as connection:
        return connection.scalar(_WAITING)


@pytest.fixture
def mine(live):
    """A context of a colleague who has a reminder that is due, its id, and its timer."""
    me = staff("own")
    with live.transaction(Context(actor=me)) as session:
        about = {"name": "이준호", "email": "j@rapport.example", "language": "ko"}
        session.add(Colleague(id=me.id, team_path="/hq/seoul/", active=True, **about))
        session.flush()
        asked = {"kind": "follow_up", "title": "Call", "due_at": now().isoformat()}
        asked |= {"subject_type": "ticket", "subject_id": str(TICKET)}
        made = reminders.create(session, **load(contract.CreateReminder, asked))
        columns = (timer.c.id, timer.c.kind, timer.c.key, timer.c.due_at, timer.c.payload)
        due = Timer(*session.execute(select(*columns)).one())
    return Context(actor=me), made["id"], due


def cancel(session, reminder_id):
    return reminders.cancel(session, reminder_id=reminder_id)


def snooze(session, reminder_id):
    later = now() + timedelta(days=1)
    return reminders.snooze(session, reminder_id=reminder_id, due_at=later)


def settle(session, reminder_id):
    facts = {"ticket_id": TICKET, "number": "T-1", "customer_id": new_id(), "subject": "x"}
    facts |= {"priority": "normal", "owner_id": None, "team_path": "/", "score": None}
    reminders.settle_ticket(session, envelope(service_desk.TicketClosed, facts))


@pytest.mark.parametrize(
    ("change", "status"),
    [(cancel, "cancelled"), (snooze, "armed"), (settle, "auto_resolved")],
)
def test_a_reminder_that_fires_and_one_who_changes_it_do_not_deadlock(live, mine, change, status):
    context, reminder_id, due = mine
    begun = []

    def changing(session, reminder_id):
        begun.append("change")
        try:
            return change(session, reminder_id)
        except Conflict:
            return None

    with ThreadPoolExecutor(1) as pool:

        def firing(session, timer):
            begun.append("fire")
            running.append(pool.submit(live.within(context).run, changing, reminder_id=reminder_id))
            eventually(lambda: running[-1].done() or waits(live))
            reminders.fire(session, timer)

        running = []
        assert live.within(Context()).fire(due, firing)
        running[-1].result(60)
    assert begun == ["fire", "change"]
    with live.reading(Context()) as session:
        assert session.scalar(select(Reminder.status)) == status


def test_what_is_recorded_while_its_campaign_is_cancelled_is_called_back(live):
    handed_off = batch(new_id())
    campaign_id, worker = handed_off.data["campaign_id"], new_id()
    with live.transaction(Context()) as session:
        campaigns.take_in(session, handed_off)
        claimed = {"status": "sending", "claimed_by": worker, "attempts": 1}
        sending = update(Message).values(claimed).returning(Message.id)
        message_id = session.execute(sending).scalar_one()

    def cancel_campaign():
        with live.transaction(Context()) as session:
            campaigns.cancel(session, told(campaign_id, marketing.CampaignCancelled, 2))

    with ThreadPoolExecutor(1) as pool:
        with live.transaction(Context()) as session:
            refused = Outcome("deferred", "451")
            ledger.record(session, worker, [(message_id, "marketing_email", 1, refused)])
            cancelling = pool.submit(cancel_campaign)
            eventually(lambda: cancelling.done() or waits(live))
        cancelling.result(60)
    with live.reading(Context()) as session:
        assert session.scalar(select(Message.status)) == "cancelled"
