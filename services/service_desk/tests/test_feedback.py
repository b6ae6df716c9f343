"""Taking down what customers say."""

import re

import pytest

from contracts import service_desk as contract
from crmkit.errors import Invalid, NotFound
from crmkit.messages import load
from crmkit.testing import act_as, announced, staff
from services.service_desk import feedback, tickets
from services.service_desk.tests.given import (
    SEOUL,
    TOKYO,
    add_agent,
    add_customer,
    complain,
    load_of,
    open_ticket,
)

pytestmark = pytest.mark.server


class TestRecord:
    @pytest.mark.parametrize("kind", ["complaint", "question"])
    def test_opens_a_numbered_ticket_with_what_needs_work(self, session, kind):
        customer_id = add_customer(session)
        said = complain(session, customer_id, kind=kind)
        assert said["status"] == "converted"
        ticket = tickets.get(session, ticket_id=said["ticket_id"])
        assert re.fullmatch(r"T-\d{4}-\d{6}", ticket["number"])
        assert ticket["subject"] == "Broken"
        assert ticket["customer_name"] == "민서"

    @pytest.mark.parametrize("kind", ["praise", "suggestion"])
    def test_opens_none_with_praise(self, session, kind):
        said = complain(session, add_customer(session), kind=kind)
        assert (said["status"], said["ticket_id"]) == ("received", None)
        assert announced(session, contract.TicketOpened) == []

    def test_announces_feedback_ticket_and_agent(self, session):
        agent_id, customer_id = add_agent(session), add_customer(session)
        said = complain(session, customer_id)
        [received] = announced(session, contract.FeedbackReceived)
        [opened] = announced(session, contract.TicketOpened)
        [assigned] = announced(session, contract.TicketAssigned)
        assert received["feedback_id"] == said["id"]
        assert received["ticket_id"] == opened["ticket_id"] == assigned["ticket_id"]
        assert opened["owner_id"] is None
        assert assigned["owner_id"] == agent_id

    def test_two_tickets_never_share_a_number(self, session):
        customer_id = add_customer(session)
        numbers = {open_ticket(session, customer_id)["number"] for _ in range(3)}
        assert len(numbers) == 3

    def test_keeps_the_id_a_caller_chose(self, session):
        wanted = add_customer(session)  # Any id will do.
        assert complain(session, wanted, id=wanted)["id"] == wanted

    def test_refuses_a_customer_nobody_knows(self, session):
        with pytest.raises(NotFound) as refusal:
            complain(session, add_agent(session))
        assert refusal.value.code == "customer_not_found"

    def test_refuses_a_customer_out_of_scope(self, session):
        customer_id = add_customer(session, TOKYO)
        act_as(session, staff("team", SEOUL))
        with pytest.raises(NotFound):
            complain(session, customer_id)

    def test_answers_what_the_contract_says(self, session):
        said = complain(session, add_customer(session))
        assert set(said) == set(contract.Feedback().fields)


class TestWhoGetsTheTicket:
    def test_the_least_loaded_agent_of_the_customers_team(self, session):
        busy, idle = add_agent(session, "Busy"), add_agent(session, "Idle")
        add_agent(session, "Elsewhere", team_path=TOKYO)
        customer_id = add_customer(session)
        owners = [open_ticket(session, customer_id)["owner_id"] for _ in range(4)]
        assert sorted(owners) == sorted([busy, idle] * 2)

    def test_others_when_the_own_team_is_full(self, session):
        own = add_agent(session, capacity=1)
        other = add_agent(session, team_path=TOKYO)
        customer_id = add_customer(session)
        found = [open_ticket(session, customer_id) for _ in range(2)]
        assert [one["owner_id"] for one in found] == [own, other]
        assert [one["team_path"] for one in found] == [SEOUL, TOKYO]

    def test_nobody_without_the_role_or_who_left(self, session):
        add_agent(session, roles=["sales"])
        add_agent(session, active=False)
        add_agent(session, capacity=0)
        ticket = open_ticket(session, add_customer(session))
        assert (ticket["status"], ticket["owner_id"]) == ("new", None)
        assert ticket["team_path"] == SEOUL
        assert announced(session, contract.TicketAssigned) == []

    def test_the_count_grows_with_each_ticket(self, session):
        agent_id, customer_id = add_agent(session), add_customer(session)
        for _ in range(3):
            complain(session, customer_id)
        assert load_of(session, agent_id) == 3

    def test_the_history_tells_it(self, session):
        add_agent(session)
        history = open_ticket(session, add_customer(session))["history"]
        steps = [(one["from_status"], one["to_status"], one["by"]) for one in history]
        assert steps == [(None, "new", "system"), ("new", "assigned", "system")]


class TestGet:
    def test_shows_one(self, session):
        said = complain(session, add_customer(session))
        assert feedback.get(session, feedback_id=said["id"]) == said

    def test_hides_what_is_out_of_scope(self, session):
        said = complain(session, add_customer(session, TOKYO))
        act_as(session, staff("team", SEOUL))
        with pytest.raises(NotFound) as refusal:
            feedback.get(session, feedback_id=said["id"])
        assert refusal.value.code == "feedback_not_found"


class TestFind:
    def asked(self, **query):
        return load(contract.ListFeedback, query)

    def test_filters_by_kind_within_the_scope(self, session):
        seoul, tokyo = add_customer(session), add_customer(session, TOKYO)
        complain(session, seoul)
        praise = complain(session, seoul, kind="praise")
        complain(session, tokyo, kind="praise")
        act_as(session, staff("team", SEOUL))
        found = feedback.find(session, **self.asked(filter={"kind": "praise"}))
        assert [one["id"] for one in found["items"]] == [praise["id"]]

    def test_refuses_a_kind_there_is_not(self, session):
        with pytest.raises(Invalid):
            feedback.find(session, **self.asked(filter={"kind": "gossip"}))
