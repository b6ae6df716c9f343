"""Unsubscribing by the link in a message."""

import pytest
from sqlalchemy import select

from contracts import notifications as contract
from crmkit.context import Actor
from crmkit.errors import NotFound
from crmkit.ids import new_id
from crmkit.testing import SECRET_KEY, act_as, announced
from services.notifications import campaigns, ledger, links, unsubscriptions
from services.notifications.models import Customer, Message
from services.notifications.tests.test_campaigns import batch, ledger_of, reported

pytestmark = pytest.mark.server

NOBODY = Actor(kind="anonymous", scope="own")


def token_for(customer_id, message_id, channel="email"):
    return links.unsubscribe_token(customer_id, message_id, channel, SECRET_KEY.encode())


def mailed(session, customer):
    """The link in a campaign's message to the customer."""
    campaigns.take_in(session, batch(customer))
    message = session.scalars(select(Message).order_by(Message.id.desc()).limit(1)).one()
    return message, token_for(customer.id, message.id)


def unsubscribe(session, token):
    act_as(session, NOBODY)
    return unsubscriptions.unsubscribe(session, token=token)


def told(session):
    return announced(session, contract.UnsubscribeReceived)


class TestUnsubscribe:
    def test_is_announced_with_the_message_that_proves_it(self, session, customer):
        known = customer()
        message, token = mailed(session, known)
        assert unsubscribe(session, token) == {"channel": "email"}
        (facts,) = told(session)
        assert (facts["customer_id"], facts["channel"]) == (known.id, "email")
        assert (facts["message_id"], facts["campaign_id"]) == (message.id, message.campaign_id)

    def test_is_told_once_however_often_it_is_asked(self, session, customer):
        known = customer()
        _, token = mailed(session, known)
        assert unsubscribe(session, token) == unsubscribe(session, token)
        customer(customer_id=known.id, version=2, consents=["sms"])
        unsubscribe(session, token)
        assert len(told(session)) == 1

    def test_counts_at_once(self, session, customer):
        known = customer()
        _, token = mailed(session, known)
        unsubscribe(session, token)
        assert ledger.claim(session, new_id(), "marketing_email", 10) == []
        campaigns.take_in(session, batch(known))
        assert {m.status for m in ledger_of(session)} == {"suppressed"}
        assert {r["reason"] for r in reported(session)} == {"no_consent"}

    def test_leaves_the_other_channel_open(self, session, customer):
        known = customer()
        _, token = mailed(session, known)
        unsubscribe(session, token)
        campaigns.take_in(session, batch(known, channel="sms"))
        assert len(ledger.claim(session, new_id(), "marketing_sms", 10)) == 1

    def test_outlasts_facts_that_had_not_heard_of_it(self, session, customer):
        known = customer(version=3)
        _, token = mailed(session, known)
        unsubscribe(session, token)
        customer(customer_id=known.id, version=2, consents=[])
        customer(customer_id=known.id, version=4, consents=["email"])
        assert ledger.claim(session, new_id(), "marketing_email", 10) == []

    @pytest.mark.parametrize("order", [(2, 3), (3, 2)])
    def test_ends_when_the_customer_agrees_anew_in_whatever_order_that_is_heard(
        self, session, customer, order
    ):
        known = customer()
        _, token = mailed(session, known)
        unsubscribe(session, token)
        consents = {2: [], 3: ["email"]}
        for version in order:
            customer(customer_id=known.id, version=version, consents=consents[version])
        assert len(ledger.claim(session, new_id(), "marketing_email", 10)) == 1
        unsubscribe(session, token)
        assert len(told(session)) == 2

    @pytest.mark.parametrize("wrong", ["", "x", "AAAA", "é", "A" * 80])
    def test_knows_no_foreign_link(self, session, wrong):
        with pytest.raises(NotFound, match="link_not_found"):
            unsubscribe(session, wrong)

    def test_works_for_a_customer_whose_copy_is_gone(self, session):
        assert unsubscribe(session, token_for(new_id(), new_id())) == {"channel": "email"}
        assert session.scalars(select(Customer)).all() == []
        assert len(told(session)) == 1
