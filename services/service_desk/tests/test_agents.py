"""What news of colleagues and customers does to tickets."""

import pytest

from contracts import customers as customers_contract
from contracts import gateway
from contracts import service_desk as contract
from crmkit.errors import NotFound
from crmkit.ids import new_id
from crmkit.testing import announced, envelope
from services.service_desk import agents, customers, tickets
from services.service_desk.models import Colleague, Customer
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


def news(event, version=1, **changes):
    facts = gateway.staff.StaffFacts.example | {"roles": ["service"]} | changes
    return envelope(event, facts, version=version)


def left(staff_id, version=2):
    facts = {"staff_id": staff_id, "team_path": SEOUL}
    return envelope(gateway.staff.StaffLeft, facts, version=version)


class TestKeep:
    def test_gives_waiting_tickets_to_who_joins_oldest_first(self, session):
        customer_id, staff_id = add_customer(session), new_id()
        first, second, third = (complain(session, customer_id)["ticket_id"] for _ in range(3))
        agents.keep(session, news(gateway.staff.StaffJoined, staff_id=staff_id, capacity=2))
        owners = [tickets.get(session, ticket_id=one)["owner_id"] for one in (first, second, third)]
        assert owners == [staff_id, staff_id, None]
        assert load_of(session, staff_id) == 2

    def test_gives_waiting_tickets_to_who_has_more_room_now(self, session):
        agent_id, customer_id = add_agent(session, capacity=0), add_customer(session)
        waiting = open_ticket(session, customer_id)
        agents.keep(session, news(gateway.staff.StaffChanged, 2, staff_id=agent_id, capacity=1))
        assert tickets.get(session, ticket_id=waiting["id"])["owner_id"] == agent_id

    def test_leaves_the_count_alone(self, session):
        agent_id = add_agent(session)
        complain(session, add_customer(session))
        agents.keep(session, news(gateway.staff.StaffChanged, 2, staff_id=agent_id))
        assert load_of(session, agent_id) == 1

    def test_old_news_changes_nothing(self, session):
        agent_id = add_agent(session, capacity=3)
        agents.keep(session, news(gateway.staff.StaffChanged, 1, staff_id=agent_id, capacity=9))
        assert session.get(Colleague, agent_id, populate_existing=True).capacity == 3


class TestLeave:
    def test_hands_open_tickets_to_others(self, session):
        agent_id, customer_id = add_agent(session), add_customer(session)
        ticket = open_ticket(session, customer_id)
        tickets.start(session, ticket_id=ticket["id"])
        other = add_agent(session, team_path=TOKYO)
        agents.leave(session, left(agent_id))
        shown = tickets.get(session, ticket_id=ticket["id"])
        assert (shown["owner_id"], shown["status"]) == (other, "assigned")
        assert (load_of(session, agent_id), load_of(session, other)) == (0, 1)

    def test_lets_them_wait_in_the_customers_team_when_there_is_nobody(self, session):
        agent_id = add_agent(session, team_path=TOKYO)
        ticket = open_ticket(session, add_customer(session, SEOUL))
        agents.leave(session, left(agent_id))
        shown = tickets.get(session, ticket_id=ticket["id"])
        assert (shown["owner_id"], shown["status"]) == (None, "new")
        assert shown["team_path"] == SEOUL

    def test_changes_nothing_when_told_twice(self, session):
        agent_id = add_agent(session)
        complain(session, add_customer(session))
        add_agent(session)
        for _ in range(2):
            agents.leave(session, left(agent_id))
        assert len(announced(session, contract.TicketAssigned)) == 2

    def test_does_not_undo_a_return(self, session):
        agent_id = add_agent(session)
        agents.keep(session, news(gateway.staff.StaffChanged, 3, staff_id=agent_id))
        agents.leave(session, left(agent_id, version=2))
        assert agents.active(session, agent_id) is not None

    def test_waits_for_news_of_who_that_is(self, session):
        with pytest.raises(NotFound):
            agents.leave(session, left(new_id()))


class TestCustomers:
    def test_keeps_who_they_are_and_whose(self, session):
        facts = {
            "customer_id": new_id(),
            "kind": "person",
            "display_name": "佐藤健一",
            "language": "ja",
            "country": "JP",
            "lifecycle_stage": "suspect",
            "owner_id": new_id(),
            "team_path": TOKYO,
            "tags": [],
            "email": None,
            "phone": None,
            "birthday": None,
            "consents": [],
        }
        customers.keep(session, envelope(customers_contract.CustomerRegistered, facts))
        copy = session.get(Customer, facts["customer_id"])
        assert (copy.name, copy.language) == ("佐藤健一", "ja")
        assert (copy.owner_id, copy.team_path) == (facts["owner_id"], TOKYO)
