"""The demo company's service desk, in bulk."""

import pytest
from sqlalchemy import func, select

from contracts import service_desk as contract
from crmkit.context import Context
from crmkit.tables import outbox, timer
from demo import company as demo
from services.service_desk import rules, seed, surveys, tickets
from services.service_desk.models import (
    Colleague,
    Customer,
    Feedback,
    Survey,
    Ticket,
    TicketHistory,
)
from services.service_desk.tests.given import add_customer, complain

pytestmark = pytest.mark.server

COUNT = 3_000


@pytest.fixture
def seeded(live, owned):
    reported = []
    with owned.engine.begin() as connection:
        seed.seed(connection.connection.driver_connection, demo, COUNT, reported.append)
    assert sum(reported) == COUNT
    with live.transaction(Context()) as session:
        yield session


def count(session, model, *where):
    return session.scalar(select(func.count()).select_from(model).where(*where))


class TestSeed:
    def test_adds_up(self, seeded):
        assert count(seeded, Customer) == COUNT
        assert count(seeded, Colleague) == len(demo.STAFF)
        assert count(seeded, Ticket) == count(seeded, Feedback) == COUNT // 10
        assert count(seeded, Survey) == count(seeded, Ticket, Ticket.resolved_at.is_not(None))
        pending = count(seeded, Ticket, Ticket.status == "survey_pending")
        assert 0 < pending == count(seeded, timer) == count(seeded, Survey, Survey.status == "sent")
        assert count(seeded, outbox) == 0

    def test_counts_every_agents_open_tickets(self, seeded):
        for agent_id, open_tickets in seeded.execute(select(Colleague.id, Colleague.open_tickets)):
            mine = Ticket.owner_id == agent_id
            assert open_tickets == count(seeded, Ticket, mine, Ticket.status.in_(rules.OPEN))

    def test_leaves_no_step_out_that_the_rules_know(self, seeded):
        steps = select(TicketHistory.from_status, TicketHistory.to_status).distinct()
        for before, to in seeded.execute(steps):
            assert (before, to) == (None, "new") or to in rules.MOVES[before]

    def test_agents_have_room_and_numbers_go_on(self, seeded):
        said = complain(seeded, add_customer(seeded))
        ticket = tickets.get(seeded, ticket_id=said["ticket_id"])
        assert ticket["status"] == "assigned"
        assert ticket["number"].endswith(f"{COUNT // 10 + 1:06d}")
        seeded.rollback()

    def test_writes_the_versions_the_use_cases_write(self, seeded):
        said = complain(seeded, add_customer(seeded))
        ticket = seeded.get(Ticket, said["ticket_id"])

        def counts():
            seeded.flush()
            return {ticket.status: (ticket.version, ticket.event_number)}

        seen = counts()
        tickets.start(seeded, ticket_id=ticket.id)
        seen |= counts()
        tickets.resolve(seeded, ticket_id=ticket.id, outcome="Done.")
        seen |= counts()
        survey = seeded.scalars(select(Survey).where(Survey.ticket_id == ticket.id)).one()
        assert (survey.version, survey.event_number) == (1, 1)
        token = seeded.scalar(
            select(outbox.c.payload["token"].astext).where(
                outbox.c.type == contract.SurveyRequested.type
            )
        )
        surveys.answer(seeded, token=token, score=1, comment="")
        seen |= counts()
        assert seen == {status: seed._COUNTS[status] for status in seen}
        assert (survey.version, survey.event_number) == (3, 3)
        seeded.rollback()
