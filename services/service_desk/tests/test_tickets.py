"""Working on tickets."""

from datetime import UTC, datetime

import pytest
from sqlalchemy import inspect, select, text

from contracts import service_desk as contract
from crmkit.context import Actor
from crmkit.errors import Conflict, NotFound
from crmkit.ids import new_id
from crmkit.messages import load
from crmkit.tables import timer
from crmkit.testing import act_as, announced, blocks_read, rolled_back, staff
from services.service_desk import surveys, tickets
from services.service_desk.models import Survey, Ticket
from services.service_desk.tests.given import (
    SEOUL,
    TOKYO,
    add_agent,
    add_customer,
    complain,
    load_of,
    open_ticket,
    resolved_ticket,
)

pytestmark = pytest.mark.server

_THOUSANDS_OF_OTHERS = text(
    """
insert into ticket (id, version, event_number, created_at, updated_at, number, customer_id,
                    subject, body, priority, status, team_path)
select gen_random_uuid(), 1, 0, created_at + make_interval(secs => n), updated_at, 'T-' || n,
       gen_random_uuid(), subject, body, priority, status, '/hq/busan/'
from ticket, generate_series(1, 30000) n where id = :like"""
)


def statuses(session, ticket_id):
    history = tickets.get(session, ticket_id=ticket_id)["history"]
    return [one["to_status"] for one in history]


class TestGet:
    def test_answers_what_the_contract_says(self, session):
        ticket = open_ticket(session, add_customer(session))
        assert set(ticket) == set(contract.TicketWithHistory().fields)

    def test_an_agent_sees_their_own_ticket_of_another_team(self, session):
        agent_id = add_agent(session, team_path=TOKYO)
        ticket = open_ticket(session, add_customer(session, SEOUL))
        act_as(session, staff("own", TOKYO, agent_id))
        assert tickets.get(session, ticket_id=ticket["id"])["number"] == ticket["number"]

    def test_hides_what_is_out_of_scope(self, session):
        ticket = open_ticket(session, add_customer(session, TOKYO))
        act_as(session, staff("team", SEOUL))
        with pytest.raises(NotFound) as refusal:
            tickets.get(session, ticket_id=ticket["id"])
        assert refusal.value.code == "ticket_not_found"

    def test_shows_a_rep_the_tickets_of_their_own_customers_without_letting_them_work(
        self, session
    ):
        rep = staff("own", SEOUL)
        add_agent(session, team_path=TOKYO)
        ticket = open_ticket(session, add_customer(session, SEOUL, owner_id=rep.id))
        others = open_ticket(session, add_customer(session, SEOUL, owner_id=new_id()))
        act_as(session, rep)
        assert tickets.get(session, ticket_id=ticket["id"])["number"] == ticket["number"]
        shown = tickets.find(session, **load(contract.ListTickets, {}))["items"]
        assert [one["id"] for one in shown] == [ticket["id"]]
        for not_theirs in (
            lambda: tickets.get(session, ticket_id=others["id"]),
            lambda: tickets.start(session, ticket_id=ticket["id"]),
            lambda: tickets.resolve(session, ticket_id=ticket["id"], outcome="Done."),
        ):
            with pytest.raises(NotFound):
                not_theirs()

    def test_hides_what_nobody_has_from_who_has_no_login(self, session):
        ticket = open_ticket(session, add_customer(session))
        act_as(session, Actor(kind="customer", scope="own"))
        with pytest.raises(NotFound):
            tickets.get(session, ticket_id=ticket["id"])


class TestOpenFor:
    def test_numbers_by_the_year_that_it_is_for_the_customer(self, session, monkeypatch):
        new_year = datetime(2026, 12, 31, 15, 30, tzinfo=UTC)
        monkeypatch.setattr(tickets, "now", lambda: new_year)
        years = [
            open_ticket(session, add_customer(session, language=language))["number"][:7]
            for language in ("ko", "zh-Hans")
        ]
        assert years == ["T-2027-", "T-2026-"]


@pytest.fixture
def planned(owned):
    """A session that may analyze: otherwise plans hang on what other tests left, and on when."""
    with rolled_back(owned) as session:
        yield session


class TestFind:
    def test_goes_through_all_pages(self, session):
        customer_id = add_customer(session)
        made = [complain(session, customer_id)["ticket_id"] for _ in range(3)]
        found, cursor = [], None
        for _ in range(2):
            asked = {"limit": 2, "sort": "created_at", "cursor": cursor}
            query = {name: value for name, value in asked.items() if value}
            page = tickets.find(session, **load(contract.ListTickets, query))
            found += [one["id"] for one in page["items"]]
            cursor = page["page"]["next"]
        assert found == made
        assert cursor is None

    def test_filters_by_agent_and_counts(self, session):
        customer_id = add_customer(session)
        complain(session, customer_id)
        agent_id = add_agent(session)
        mine = complain(session, customer_id)["ticket_id"]
        query = {"filter": {"owner_id": str(agent_id)}, "count": "exact"}
        page = tickets.find(session, **load(contract.ListTickets, query))
        assert [one["id"] for one in page["items"]] == [mine]
        assert page["items"][0]["customer_name"] == "민서"
        assert page["page"]["count"] == 1

    def test_shows_each_once_whatever_makes_it_readable_and_on_whatever_page(self, session):
        rep = staff("own", SEOUL)
        cared_for, other = add_customer(session, TOKYO, owner_id=rep.id), add_customer(session)
        made = [complain(session, of)["ticket_id"] for of in (cared_for, other, cared_for) * 2]
        for worked_on in made[:2]:
            session.get(Ticket, worked_on).owner_id = rep.id
        act_as(session, rep)
        found, asked = [], {"limit": 2, "sort": "created_at", "count": "exact"}
        for last in (False, False, True):
            page = tickets.find(session, **load(contract.ListTickets, asked))
            found += [one["id"] for one in page["items"]]
            assert page["page"]["count"] == 5
            assert (page["page"]["next"] is None) == last
            asked["cursor"] = page["page"]["next"]
        assert found == [*made[:4], made[5]]

    def test_finds_a_handful_without_walking_through_everybodys(self, planned):
        session, rep = planned, staff("own", TOKYO)
        ticket = open_ticket(session, add_customer(session, TOKYO, owner_id=rep.id))
        session.execute(_THOUSANDS_OF_OTHERS, {"like": ticket["id"]})
        session.execute(text("analyze ticket, customer"))
        act_as(session, rep)
        query = load(contract.ListTickets, {})
        assert [one["id"] for one in tickets.find(session, **query)["items"]] == [ticket["id"]]
        assert blocks_read(session, lambda: tickets.find(session, **query)) < 60


class TestStart:
    def test_puts_the_ticket_in_progress_once(self, session):
        add_agent(session)
        ticket = open_ticket(session, add_customer(session))
        first = tickets.start(session, ticket_id=ticket["id"])
        assert tickets.start(session, ticket_id=ticket["id"]) == first
        assert first["status"] == "in_progress"
        assert statuses(session, ticket["id"]) == ["new", "assigned", "in_progress"]

    def test_refuses_a_ticket_nobody_has(self, session):
        ticket = open_ticket(session, add_customer(session))
        with pytest.raises(Conflict) as refusal:
            tickets.start(session, ticket_id=ticket["id"])
        assert refusal.value.code == "ticket_status_not_allowed"

    def test_refuses_a_ticket_that_is_done(self, session):
        add_agent(session)
        ticket = open_ticket(session, add_customer(session))
        tickets.resolve(session, ticket_id=ticket["id"], outcome="Sent again.")
        with pytest.raises(Conflict) as refusal:
            tickets.start(session, ticket_id=ticket["id"])
        assert refusal.value.code == "ticket_status_not_allowed"
        # Its survey is still open, and a second resolution would have asked for another.
        tickets.reopen(session, ticket_id=ticket["id"], reason="It broke again.")
        again = tickets.resolve(session, ticket_id=ticket["id"], outcome="Exchanged.")
        assert again["status"] == "survey_pending"

    def test_hides_what_is_out_of_scope(self, session):
        add_agent(session)
        ticket = open_ticket(session, add_customer(session))
        act_as(session, staff("own"))
        with pytest.raises(NotFound):
            tickets.start(session, ticket_id=ticket["id"])


class TestAssign:
    def test_moves_the_ticket_and_both_counts(self, session):
        first = add_agent(session)
        ticket = open_ticket(session, add_customer(session))
        second = add_agent(session, team_path=TOKYO, roles=["manager"])
        shown = tickets.assign(session, ticket_id=ticket["id"], owner_id=second)
        assert (shown["owner_id"], shown["team_path"]) == (second, TOKYO)
        assert (load_of(session, first), load_of(session, second)) == (0, 1)
        assert announced(session, contract.TicketAssigned)[-1]["owner_id"] == second

    def test_changes_nothing_when_asked_twice(self, session):
        agent_id = add_agent(session)
        ticket = open_ticket(session, add_customer(session))
        tickets.assign(session, ticket_id=ticket["id"], owner_id=agent_id)
        assert load_of(session, agent_id) == 1
        assert len(announced(session, contract.TicketAssigned)) == 1

    def test_gives_work_in_progress_to_somebody_who_has_not_begun(self, session):
        add_agent(session)
        ticket = open_ticket(session, add_customer(session))
        tickets.start(session, ticket_id=ticket["id"])
        other = add_agent(session)
        shown = tickets.assign(session, ticket_id=ticket["id"], owner_id=other)
        assert shown["status"] == "assigned"

    def test_gives_the_room_that_becomes_free_to_a_waiting_ticket(self, session):
        agent_id, customer_id = add_agent(session, capacity=1), add_customer(session)
        ticket, waiting = open_ticket(session, customer_id), open_ticket(session, customer_id)
        other = add_agent(session, capacity=0)
        tickets.assign(session, ticket_id=ticket["id"], owner_id=other)
        assert tickets.get(session, ticket_id=waiting["id"])["owner_id"] == agent_id

    @pytest.mark.parametrize("active", [False, None])
    def test_refuses_a_colleague_who_left_or_never_was(self, session, active):
        ticket = open_ticket(session, add_customer(session))
        other = new_id() if active is None else add_agent(session, active=active)
        with pytest.raises(NotFound) as refusal:
            tickets.assign(session, ticket_id=ticket["id"], owner_id=other)
        assert refusal.value.code == "colleague_not_found"

    def test_refuses_a_ticket_that_is_done(self, session):
        add_agent(session)
        ticket_id, _ = resolved_ticket(session, add_customer(session))
        with pytest.raises(Conflict):
            tickets.assign(session, ticket_id=ticket_id, owner_id=add_agent(session))


class TestResolve:
    def test_asks_the_customer_and_frees_the_agent(self, session):
        agent_id = add_agent(session)
        ticket_id, token = resolved_ticket(session, add_customer(session))
        ticket = tickets.get(session, ticket_id=ticket_id)
        assert (ticket["status"], ticket["outcome"]) == ("survey_pending", "Replaced.")
        assert ticket["resolved_at"] is not None
        assert load_of(session, agent_id) == 0
        assert statuses(session, ticket_id) == ["new", "assigned", "resolved", "survey_pending"]
        assert announced(session, contract.TicketResolved)[0]["outcome"] == "Replaced."
        assert len(token) == 43

    def test_keeps_no_secret_in_the_table(self, session):
        add_agent(session)
        _, token = resolved_ticket(session, add_customer(session))
        survey = session.scalars(select(Survey)).one()
        assert token.encode() not in survey.token_sha256
        assert len(survey.token_sha256) == 32

    def test_has_the_survey_end_after_two_weeks(self, session):
        add_agent(session)
        resolved_ticket(session, add_customer(session))
        survey = session.scalars(select(Survey)).one()
        due_at = session.scalar(select(timer.c.due_at).where(timer.c.key == str(survey.id)))
        assert due_at == survey.expires_at
        assert 13.99 < (due_at - survey.created_at).total_seconds() / 86_400 < 14.01

    def test_announces_nothing_new_when_asked_twice(self, session):
        agent_id = add_agent(session)
        ticket_id, _ = resolved_ticket(session, add_customer(session))
        tickets.resolve(session, ticket_id=ticket_id, outcome="Replaced.")
        assert len(announced(session, contract.TicketResolved)) == 1
        assert len(announced(session, contract.SurveyRequested)) == 1
        assert load_of(session, agent_id) == 0

    def test_refuses_another_outcome_of_what_is_done(self, session):
        add_agent(session)
        ticket_id, _ = resolved_ticket(session, add_customer(session))
        with pytest.raises(Conflict):
            tickets.resolve(session, ticket_id=ticket_id, outcome="Something else.")

    def test_refuses_a_ticket_nobody_has(self, session):
        ticket = open_ticket(session, add_customer(session))
        with pytest.raises(Conflict):
            tickets.resolve(session, ticket_id=ticket["id"], outcome="Done.")

    def test_gives_the_room_that_becomes_free_to_the_oldest_waiting_ticket(self, session):
        agent_id, customer_id = add_agent(session, capacity=1), add_customer(session)
        first, second, third = (open_ticket(session, customer_id)["id"] for _ in range(3))
        tickets.resolve(session, ticket_id=first, outcome="Done.")
        assert tickets.get(session, ticket_id=second)["owner_id"] == agent_id
        assert tickets.get(session, ticket_id=third)["owner_id"] is None

    def test_hides_what_is_out_of_scope(self, session):
        add_agent(session, team_path=TOKYO)
        ticket = open_ticket(session, add_customer(session, TOKYO))
        act_as(session, staff("subtree", SEOUL))
        with pytest.raises(NotFound):
            tickets.resolve(session, ticket_id=ticket["id"], outcome="Done.")


class TestReopen:
    def test_gives_the_ticket_back_to_its_agent(self, session):
        agent_id = add_agent(session)
        ticket_id, _ = resolved_ticket(session, add_customer(session))
        shown = tickets.reopen(session, ticket_id=ticket_id, reason="Broke again.")
        assert (shown["status"], shown["owner_id"]) == ("in_progress", agent_id)
        assert (shown["outcome"], shown["resolved_at"]) == (None, None)
        assert load_of(session, agent_id) == 1
        assert announced(session, contract.TicketReopened)[0]["reason"] == "Broke again."
        history = tickets.get(session, ticket_id=ticket_id)["history"]
        assert history[-1]["note"] == "Broke again."

    def test_voids_the_open_survey_and_its_timer(self, session):
        add_agent(session)
        ticket_id, token = resolved_ticket(session, add_customer(session))
        tickets.reopen(session, ticket_id=ticket_id, reason="Broke again.")
        assert surveys.get(session, token=token)["status"] == "expired"
        assert session.execute(select(timer)).all() == []
        with pytest.raises(Conflict) as refusal:
            surveys.answer(session, token=token, score=5, comment="")
        assert refusal.value.code == "survey_expired"

    def test_takes_up_a_closed_ticket_and_asks_anew_when_it_is_resolved(self, session):
        add_agent(session)
        ticket_id, token = resolved_ticket(session, add_customer(session))
        surveys.answer(session, token=token, score=1, comment="No.")
        shown = tickets.reopen(session, ticket_id=ticket_id, reason="Sorry.")
        assert (shown["score"], shown["closed_at"]) == (None, None)
        tickets.resolve(session, ticket_id=ticket_id, outcome="Repaired.")
        second = announced(session, contract.SurveyRequested)[-1]["token"]
        assert second != token
        assert surveys.answer(session, token=second, score=5, comment="")["status"] == "answered"

    def test_changes_nothing_when_asked_twice(self, session):
        agent_id = add_agent(session)
        ticket_id, _ = resolved_ticket(session, add_customer(session))
        first = tickets.reopen(session, ticket_id=ticket_id, reason="Broke again.")
        assert tickets.reopen(session, ticket_id=ticket_id, reason="Broke again.") == first
        assert load_of(session, agent_id) == 1
        assert len(announced(session, contract.TicketReopened)) == 1

    def test_refuses_what_was_never_done(self, session):
        ticket = open_ticket(session, add_customer(session))
        with pytest.raises(Conflict) as refusal:
            tickets.reopen(session, ticket_id=ticket["id"], reason="?")
        assert refusal.value.code == "ticket_not_done"

    def test_finds_another_agent_when_the_old_one_left(self, session):
        gone = add_agent(session)
        ticket_id, _ = resolved_ticket(session, add_customer(session))
        tickets.agents._count(session, gone, active=False)
        other = add_agent(session)
        shown = tickets.reopen(session, ticket_id=ticket_id, reason="Broke again.")
        assert (shown["status"], shown["owner_id"]) == ("assigned", other)
        assert (load_of(session, gone), load_of(session, other)) == (0, 1)


class TestNumbersOfVersions:
    def test_one_write_for_each_step_of_a_ticket(self, session):
        add_agent(session)
        ticket_id, token = resolved_ticket(session, add_customer(session))
        surveys.answer(session, token=token, score=5, comment="")
        ticket = session.get(Ticket, ticket_id)
        # Opened, assigned, resolved, closed.
        assert (ticket.version, ticket.event_number) == (4, 4)


class TestIndexes:
    def test_none_begins_another_since_each_is_a_write_more_for_every_row(self, session):
        meant = [[column.name for column in index.columns] for index in Ticket.__table__.indexes]
        there = [one["column_names"] for one in inspect(session.connection()).get_indexes("ticket")]
        for indexes in (meant, there):
            pairs = [(one, other) for one in indexes for other in indexes if one is not other]
            assert [one for one, other in pairs if one == other[: len(one)]] == []
