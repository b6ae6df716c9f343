"""What the tests of sales start from."""

from datetime import date
from decimal import Decimal
from types import SimpleNamespace

import pytest

from contracts import customers as customers_contract
from contracts import gateway
from crmkit.ids import new_id
from crmkit.testing import act_as, envelope, staff
from services.sales import colleagues, customers, opportunities


class World(SimpleNamespace):
    """A session with a customer of Kim's in Seoul, and short ways to make more."""

    def customer(self, **facts):
        known = {
            "customer_id": new_id(),
            "kind": "person",
            "display_name": "김민수",
            "language": "ko",
            "country": "KR",
            "lifecycle_stage": "suspect",
            "owner_id": self.kim.id,
            "team_path": "/hq/seoul/",
            "tags": [],
            "email": None,
            "phone": None,
            "birthday": None,
            "consents": [],
        }
        event = envelope(customers_contract.CustomerRegistered, {**known, **facts})
        customers.keep(self.session, event)
        return event.data["customer_id"]

    def colleague(self, actor, language="ko"):
        facts = {
            "staff_id": actor.id,
            "name": "Kim",
            "email": "kim@rapport.example",
            "language": language,
            "team_id": new_id(),
            "team_path": actor.team_path,
            "roles": ["sales"],
            "capacity": 20,
            "active": True,
        }
        colleagues.keep(self.session, envelope(gateway.staff.StaffJoined, facts))
        return actor

    def opportunity(self, amount="100", currency="USD", **request):
        return opportunities.create(
            self.session,
            **{
                "customer_id": self.buyer,
                "title": "Ten licences",
                "amount": money(amount, currency),
                "stage": "qualification",
                "expected_on": date(2026, 12, 24),
                **request,
            },
        )

    def won(self, amount="100", currency="USD", **terms):
        made = self.opportunity(amount, currency)
        return opportunities.win(self.session, opportunity_id=made["id"], **terms)

    def act_as(self, actor):
        act_as(self.session, actor)
        return actor


def money(amount, currency="USD"):
    return {"amount": Decimal(amount), "currency": currency}


@pytest.fixture
def world(session):
    kim = staff("own")
    made = World(session=session, kim=kim)
    made.colleague(kim)
    made.buyer = made.customer()
    act_as(session, kim)
    return made
