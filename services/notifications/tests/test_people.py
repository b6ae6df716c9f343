"""Copies of customers and colleagues."""

import pytest

from contracts import gateway, service_desk
from crmkit.errors import NotFound
from crmkit.ids import new_id
from crmkit.testing import envelope
from services.notifications import people

pytestmark = pytest.mark.server


class TestCopies:
    def test_take_no_old_news(self, session, customer):
        first = customer(version=3, consents=["email"])
        customer(version=2, customer_id=first.id, consents=["email", "sms"])
        assert people.customer_of(session, first.id).consents == ["email"]
        customer(version=4, customer_id=first.id, consents=[])
        assert people.customer_of(session, first.id).consents == []

    def test_know_who_left(self, session, colleague):
        gone = colleague()
        facts = {"staff_id": gone.id, "team_path": gone.team_path}
        people.forget_colleague(session, envelope(gateway.staff.StaffLeft, facts, version=2))
        assert not people.colleague_of(session, gone.id).active

    def test_wait_for_a_joining_that_comes_after_the_leaving(self, session):
        facts = {"staff_id": new_id(), "team_path": "/hq/"}
        with pytest.raises(NotFound):
            people.forget_colleague(session, envelope(gateway.staff.StaffLeft, facts, version=2))


def flagged(customer_id):
    """The event that says that the customer is a detractor."""
    facts = {
        "survey_id": new_id(),
        "ticket_id": new_id(),
        "ticket_number": "T-1",
        "customer_id": customer_id,
        "score": 1,
        "comment": "Never again.",
    }
    return envelope(service_desk.CustomerDetractorFlagged, facts)


class TestDetractors:
    def test_stay_so_whatever_else_is_heard_of_them(self, session, customer):
        known = customer()
        people.flag_detractor(session, flagged(known.id))
        customer(version=2, customer_id=known.id, email="new@customers.example")
        assert people.customer_of(session, known.id).detractor

    def test_wait_until_they_are_known(self, session):
        with pytest.raises(NotFound):
            people.flag_detractor(session, flagged(new_id()))
