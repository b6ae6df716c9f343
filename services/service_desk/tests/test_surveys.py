"""Asking customers, and what their answers do."""

from datetime import timedelta

import pytest
from sqlalchemy import select, update

from contracts import service_desk as contract
from crmkit.clock import now
from crmkit.context import Actor
from crmkit.errors import Conflict, NotFound
from crmkit.tables import timer
from crmkit.testing import act_as, announced
from crmkit.timers import Timer
from services.service_desk import surveys, tickets
from services.service_desk.models import Survey
from services.service_desk.tests.given import add_agent, add_customer, resolved_ticket

pytestmark = pytest.mark.server

CUSTOMER = Actor(kind="customer", scope="own")


@pytest.fixture
def asked(session):
    """A ticket whose customer was asked, and the secret of the link."""
    add_agent(session)
    return resolved_ticket(session, add_customer(session))


def the_timer(session):
    columns = (timer.c.id, timer.c.kind, timer.c.key, timer.c.due_at, timer.c.payload)
    return Timer(*session.execute(select(*columns)).one())


class TestGet:
    def test_shows_the_question_to_whoever_has_the_link(self, session, asked):
        ticket_id, token = asked
        number = tickets.get(session, ticket_id=ticket_id)["number"]
        act_as(session, CUSTOMER)
        shown = surveys.get(session, token=token)
        assert (shown["status"], shown["language"]) == ("sent", "ko")
        assert (shown["ticket_number"], shown["subject"]) == (number, "Broken")
        assert set(shown) == set(contract.Survey().fields)

    def test_knows_no_other_link(self, session, asked):
        with pytest.raises(NotFound) as refusal:
            surveys.get(session, token=asked[1][:-1] + "?")
        assert refusal.value.code == "survey_not_found"


class TestAnswer:
    def test_closes_the_ticket_with_the_score(self, session, asked):
        ticket_id, token = asked
        act_as(session, CUSTOMER)
        shown = surveys.answer(session, token=token, score=4, comment="Fine.")
        assert shown["status"] == "answered"
        [answered] = announced(session, contract.SurveyAnswered)
        assert (answered["score"], answered["comment"]) == (4, "Fine.")
        assert announced(session, contract.TicketClosed)[0]["score"] == 4
        assert announced(session, contract.CustomerDetractorFlagged) == []
        act_as(session, Actor())
        ticket = tickets.get(session, ticket_id=ticket_id)
        assert (ticket["status"], ticket["score"]) == ("closed", 4)
        assert ticket["history"][-1]["by"] == "customer"

    def test_stops_the_clock(self, session, asked):
        surveys.answer(session, token=asked[1], score=4, comment="")
        assert session.execute(select(timer)).all() == []

    @pytest.mark.parametrize("score", [1, 2])
    def test_flags_a_discontent_customer(self, session, asked, score):
        surveys.answer(session, token=asked[1], score=score, comment="Never again.")
        [flagged] = announced(session, contract.CustomerDetractorFlagged)
        assert (flagged["ticket_id"], flagged["score"]) == (asked[0], score)
        assert flagged["comment"] == "Never again."
        assert flagged["ticket_number"].startswith("T-")

    def test_is_taken_once(self, session, asked):
        surveys.answer(session, token=asked[1], score=5, comment="")
        with pytest.raises(Conflict) as refusal:
            surveys.answer(session, token=asked[1], score=1, comment="")
        assert refusal.value.code == "already_answered"
        assert len(announced(session, contract.SurveyAnswered)) == 1

    def test_is_refused_after_the_time_even_if_the_timer_is_late(self, session, asked):
        session.execute(update(Survey).values(expires_at=now() - timedelta(seconds=1)))
        session.expire_all()
        with pytest.raises(Conflict) as refusal:
            surveys.answer(session, token=asked[1], score=5, comment="")
        assert refusal.value.code == "survey_expired"

    def test_needs_the_right_link(self, session, asked):
        with pytest.raises(NotFound):
            surveys.answer(session, token="guess", score=5, comment="")


class TestExpire:
    def test_closes_the_ticket_unanswered(self, session, asked):
        ticket_id, token = asked
        surveys.expire(session, the_timer(session))
        ticket = tickets.get(session, ticket_id=ticket_id)
        assert (ticket["status"], ticket["score"]) == ("closed", None)
        assert announced(session, contract.TicketClosed)[0]["score"] is None
        assert surveys.get(session, token=token)["status"] == "expired"
        with pytest.raises(Conflict) as refusal:
            surveys.answer(session, token=token, score=5, comment="")
        assert refusal.value.code == "survey_expired"

    def test_comes_too_late_after_an_answer(self, session, asked):
        due = the_timer(session)
        surveys.answer(session, token=asked[1], score=5, comment="")
        surveys.expire(session, due)
        assert len(announced(session, contract.TicketClosed)) == 1
