"""Copies of customers and colleagues."""

import pytest

from contracts import gateway
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
