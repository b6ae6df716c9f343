"""What follows from what at the service desk."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from contracts import service_desk as contract
from crmkit.errors import Conflict
from services.service_desk import rules

AT = datetime(2026, 11, 22, 9, 0, tzinfo=UTC)
SEOUL, TOKYO = "/hq/seoul/", "/hq/tokyo/"


def agent(n, team_path=SEOUL, open_tickets=0, capacity=20, last=None):
    return rules.Agent(UUID(int=n), team_path, open_tickets, capacity, last)


def chosen(*agents, team_path=SEOUL):
    found = rules.least_loaded(agents, team_path)
    return found and found.id.int


class TestMoves:
    def test_every_status_of_the_contract_has_its_moves(self):
        assert set(rules.MOVES) == set(contract.TICKET_STATUSES)

    def test_no_move_leads_out_of_the_contract(self):
        assert set().union(*rules.MOVES.values()) <= set(contract.TICKET_STATUSES)

    def test_a_move_that_is_not_listed_is_refused_with_those_that_are(self):
        with pytest.raises(Conflict) as refusal:
            rules.move("new", "resolved")
        assert refusal.value.code == "ticket_status_not_allowed"
        assert refusal.value.details == {"status": "new", "allowed": ["assigned", "cancelled"]}

    @pytest.mark.parametrize("status", sorted(rules.DONE))
    def test_what_is_done_can_be_reopened(self, status):
        assert rules.reopened(status) == "in_progress"

    @pytest.mark.parametrize("status", ["new", "assigned", "waiting_customer", "cancelled"])
    def test_what_is_not_done_cannot_be_reopened(self, status):
        with pytest.raises(Conflict) as refusal:
            rules.reopened(status)
        assert refusal.value.code == "ticket_not_done"


class TestLeastLoaded:
    def test_nobody_is_chosen_when_there_is_nobody(self):
        assert chosen() is None

    def test_nobody_is_chosen_when_all_are_full(self):
        assert chosen(agent(1, open_tickets=20), agent(2, capacity=0)) is None

    def test_load_is_measured_by_capacity(self):
        assert chosen(agent(1, open_tickets=3, capacity=4), agent(2, open_tickets=5)) == 2

    def test_the_own_team_comes_first_even_if_busier(self):
        assert chosen(agent(1, open_tickets=19), agent(2, TOKYO)) == 1

    def test_others_help_when_the_own_team_is_full(self):
        assert chosen(agent(1, open_tickets=20), agent(2, TOKYO, open_tickets=7)) == 2

    def test_of_equals_the_one_who_waited_longest_is_next(self):
        assert chosen(agent(1, last=AT), agent(2, last=AT - timedelta(hours=1))) == 2

    def test_who_never_had_a_ticket_waited_longest(self):
        assert chosen(agent(1, last=AT - timedelta(days=999)), agent(2)) == 2

    def test_of_perfect_equals_the_smaller_id_is_next(self):
        assert chosen(agent(3), agent(2), agent(5)) == 2


class TestSurveys:
    @pytest.mark.parametrize(
        ("status", "seen"),
        [("sent", "sent"), ("answered", "answered"), ("expired", "expired"), ("void", "expired")],
    )
    def test_a_link_shows_three_states(self, status, seen):
        assert rules.survey_status(status, AT + timedelta(seconds=1), AT) == seen

    def test_a_survey_is_over_at_its_time_even_if_the_timer_is_late(self):
        assert rules.survey_status("sent", AT, AT) == "expired"

    def test_an_answer_stays_after_the_time(self):
        assert rules.survey_status("answered", AT, AT + timedelta(days=1)) == "answered"

    @pytest.mark.parametrize(
        ("status", "code"),
        [("answered", "already_answered"), ("void", "survey_expired")],
    )
    def test_only_an_open_survey_takes_an_answer(self, status, code):
        with pytest.raises(Conflict) as refusal:
            rules.answer(status, AT + timedelta(days=1), AT)
        assert refusal.value.code == code

    @pytest.mark.parametrize("score", [1, 2, 3, 4, 5])
    def test_two_and_less_is_a_detractor(self, score):
        assert rules.is_detractor(score) == (score <= 2)


class TestNumbers:
    def test_a_number_names_the_year_and_counts_on(self):
        assert rules.ticket_number("Asia/Seoul", AT, 123) == "T-2026-000123"
        assert rules.ticket_number("Asia/Seoul", AT, 1_234_567) == "T-2026-1234567"

    def test_the_year_is_that_of_the_place(self):
        new_year = datetime(2026, 12, 31, 15, tzinfo=UTC)
        assert rules.ticket_number("Asia/Seoul", new_year, 124) == "T-2027-000124"
        assert rules.ticket_number("Asia/Shanghai", new_year, 125) == "T-2026-000125"


class TestKinds:
    @pytest.mark.parametrize("kind", contract.FEEDBACK_KINDS)
    def test_complaints_and_questions_need_work(self, kind):
        assert rules.becomes_ticket(kind) == (kind in {"complaint", "question"})
