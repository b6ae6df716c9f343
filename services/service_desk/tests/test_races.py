"""What must hold when two ask at once: real transactions on real connections."""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
from sqlalchemy import func, select, text, update

from contracts import gateway
from contracts import service_desk as contract
from crmkit.clock import now
from crmkit.context import Actor, Context
from crmkit.errors import Conflict
from crmkit.ids import new_id
from crmkit.tables import timer
from crmkit.testing import announced, envelope, eventually
from crmkit.timers import Timer
from services.service_desk import agents, surveys, tickets
from services.service_desk.models import Colleague, Survey, Ticket
from services.service_desk.tests.given import (
    add_agent,
    add_customer,
    complain,
    resolved_ticket,
)

pytestmark = pytest.mark.server

STAFF, CUSTOMER = Context(), Context(actor=Actor(kind="customer", scope="own"))
_WAITING = text(
    "select count(*) from pg_stat_activity"
    " where datname = current_database() and wait_event_type = 'Lock'"
)


def waits(database):
    """Whether somebody waits for a lock in that database."""
    with database.engine.connect() as connection:
        return connection.scalar(_WAITING)


def outcome(work):
    """What came of it: a result or a refusal's code."""
    try:
        return work()
    except Conflict as refusal:
        return refusal.code


def meanwhile(database, first, second):
    """The outcomes of two: ``second`` begins while the transaction of ``first`` is still open."""
    with ThreadPoolExecutor(1) as pool:
        with database.transaction(STAFF) as session:
            done = first(session)
            running = pool.submit(outcome, second)
            eventually(lambda: running.done() or waits(database))
        return done, running.result(60)


def together(*works):
    """The outcomes of works that begin at the same moment."""
    gate = Barrier(len(works))

    def one(work):
        gate.wait(60)
        return outcome(work)

    with ThreadPoolExecutor(len(works)) as pool:
        return list(pool.map(one, works))


@pytest.fixture
def asked(live):
    """A ticket whose customer was asked, and the secret of the link."""
    with live.transaction(STAFF) as session:
        add_agent(session)
        return resolved_ticket(session, add_customer(session))


@pytest.fixture
def due(live, asked):
    """The survey's timer, which is due now."""
    with live.transaction(STAFF) as session:
        session.execute(update(timer).values(due_at=now()))
        columns = (timer.c.id, timer.c.kind, timer.c.key, timer.c.due_at, timer.c.payload)
        return Timer(*session.execute(select(*columns)).one())


class TestTwoAnswers:
    def test_one_is_taken_when_they_come_at_once(self, live, asked):
        def answer(score):
            work = live.within(CUSTOMER)
            return lambda: work.run(surveys.answer, token=asked[1], score=score, comment="")

        outcomes = together(answer(1), answer(5), answer(2), answer(4))
        assert outcomes.count("already_answered") == 3
        with live.transaction(STAFF) as session:
            assert len(announced(session, contract.SurveyAnswered)) == 1
            assert len(announced(session, contract.TicketClosed)) == 1

    def test_the_second_waits_for_the_first_and_is_refused(self, live, asked):
        work = live.within(CUSTOMER)
        first, second = meanwhile(
            live,
            lambda session: surveys.answer(session, token=asked[1], score=5, comment=""),
            lambda: work.run(surveys.answer, token=asked[1], score=1, comment=""),
        )
        assert (first["status"], second) == ("answered", "already_answered")


class TestTwoComplaints:
    def test_go_to_two_agents(self, live):
        with live.transaction(STAFF) as session:
            both = {add_agent(session), add_agent(session)}
            customer_id = add_customer(session)
        meanwhile(
            live,
            lambda session: complain(session, customer_id),
            lambda: live.within(STAFF).run(complain, customer_id=customer_id),
        )
        with live.reading(STAFF) as session:
            assert set(session.scalars(select(Ticket.owner_id))) == both

    def test_never_fill_an_agent_beyond_capacity(self, live):
        with live.transaction(STAFF) as session:
            for _ in range(2):
                add_agent(session, capacity=2)
            customer_id = add_customer(session)
        together(*[lambda: live.within(STAFF).run(complain, customer_id=customer_id)] * 5)
        with live.reading(STAFF) as session:
            assert list(session.scalars(select(Colleague.open_tickets))) == [2, 2]
            waiting = select(func.count()).where(Ticket.status == "new")
            assert session.scalar(waiting) == 1

    def test_none_waits_when_the_first_agent_joins_meanwhile(self, live):
        with live.transaction(STAFF) as session:
            customer_id = add_customer(session)
        staff_id = new_id()
        facts = gateway.staff.StaffFacts.example | {"staff_id": staff_id, "roles": ["service"]}
        joined = envelope(gateway.staff.StaffJoined, facts)
        meanwhile(
            live,
            lambda session: complain(session, customer_id),
            lambda: live.within(STAFF).once(joined, agents.keep),
        )
        with live.reading(STAFF) as session:
            assert session.scalars(select(Ticket.owner_id)).all() == [staff_id]


class TestExpiryAgainstOthers:
    def test_an_answer_under_way_wins_over_the_timer(self, live, asked, due):
        _, fired = meanwhile(
            live,
            lambda session: surveys.answer(session, token=asked[1], score=5, comment=""),
            lambda: live.within(STAFF).fire(due, surveys.expire),
        )
        assert fired is False
        with live.reading(STAFF) as session:
            assert session.scalar(select(Ticket.score)) == 5

    def test_a_timer_under_way_wins_over_an_answer(self, live, asked, due):
        with ThreadPoolExecutor(1) as pool:

            def expire(session, fired):
                surveys.expire(session, fired)
                session.flush()
                work = live.within(CUSTOMER)
                answer = lambda: work.run(surveys.answer, token=asked[1], score=5, comment="")  # noqa: E731
                self.running = pool.submit(outcome, answer)
                eventually(lambda: self.running.done() or waits(live))

            assert live.within(STAFF).fire(due, expire)
            assert self.running.result(60) == "survey_expired"
        with live.reading(STAFF) as session:
            assert session.scalar(select(Survey.status)) == "expired"

    def test_a_timer_under_way_does_not_lock_out_a_reopening(self, live, asked, due):
        with ThreadPoolExecutor(1) as pool:

            def expire(session, fired):
                surveys.expire(session, fired)
                session.flush()
                work = live.within(STAFF)
                request = {"ticket_id": asked[0], "reason": "Broke again."}
                self.running = pool.submit(work.run, tickets.reopen, **request)
                eventually(lambda: self.running.done() or waits(live))

            assert live.within(STAFF).fire(due, expire)
            assert self.running.result(60)["status"] == "in_progress"
