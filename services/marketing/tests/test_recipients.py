"""The ledger of recipients as it is read."""

from typing import Any

import pytest
from sqlalchemy.orm import Session

from contracts import marketing as contract
from crmkit import codec
from crmkit.errors import Invalid
from crmkit.messages import load, schema
from crmkit.testing import act_as, staff
from services.marketing import recipients
from services.marketing.tests.conftest import Company

pytestmark = pytest.mark.server


def listed(session: Session, **asked: Any) -> list[dict[str, Any]]:
    page = recipients.find(session, **load(contract.ListRecipients, asked))
    assert schema(contract.ListRecipients.reply).validate(codec.loads(codec.dumps(page))) == {}
    items: list[dict[str, Any]] = page["items"]
    return items


def of_customer(session: Session, **asked: Any) -> list[dict[str, Any]]:
    page = recipients.find_of_customer(session, **load(contract.ListCustomerCampaigns, asked))
    plain = codec.loads(codec.dumps(page))
    assert schema(contract.ListCustomerCampaigns.reply).validate(plain) == {}
    items: list[dict[str, Any]] = page["items"]
    return items


class TestFind:
    def test_filters_by_campaign_state_and_channel(
        self, company: Company, session: Session
    ) -> None:
        company.customer(consents=["email"])
        identity = company.launched(channels=["email", "sms"])
        company.launched()
        company.let_time_pass()
        asked = {"campaign_id": str(identity), "state": "suppressed", "channel": "sms"}
        (item,) = listed(session, filter=asked)
        assert item["reason"] == "no_consent"
        assert len(listed(session)) == 3

    def test_pages_through_all_once(self, company: Company, session: Session) -> None:
        for _ in range(5):
            company.customer()
        identity = company.launched()
        company.tick()
        seen, cursor = [], None
        asked = {"filter": {"campaign_id": str(identity)}, "limit": 2}
        while True:
            query = load(contract.ListRecipients, asked | ({"cursor": cursor} if cursor else {}))
            page = recipients.find(session, **query)
            seen += [item["id"] for item in page["items"]]
            cursor = page["page"]["next"]
            if cursor is None:
                break
        assert len(seen) == len(set(seen)) == 5

    def test_refuses_an_unknown_filter(self, session: Session) -> None:
        with pytest.raises(Invalid):
            listed(session, filter={"reason": "detractor"})

    def test_shows_nothing_of_hidden_campaigns(self, company: Company, session: Session) -> None:
        company.customer()
        company.launched()
        company.tick()
        act_as(session, staff("own", "/hq/seoul/"))
        assert listed(session) == []


class TestFindOfCustomer:
    def test_tells_what_a_customer_was_sent(self, company: Company, session: Session) -> None:
        customer = company.customer()
        company.customer()
        company.launched(name="News")
        company.let_time_pass()
        (item,) = of_customer(session, filter={"customer_id": str(customer)})
        assert (item["name"], item["channel"], item["state"]) == ("News", "email", "handed_off")

    def test_goes_by_who_cares_for_the_customer(self, company: Company, session: Session) -> None:
        rep = staff("own", "/hq/seoul/")
        mine = company.customer(owner_id=rep.id)
        company.customer()
        company.launched()
        company.tick()
        act_as(session, rep)
        assert [item["customer_id"] for item in of_customer(session)] == [mine]
