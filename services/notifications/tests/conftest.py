"""Facts that several tests need: a customer and a colleague that notifications knows."""

from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy.orm import Session

from contracts import customers, gateway
from crmkit.ids import new_id
from crmkit.testing import envelope
from services.notifications import people
from services.notifications.models import Colleague, Customer


@pytest.fixture
def customer(session: Session) -> Callable[..., Customer]:
    """Makes a customer known by the event that says so."""

    def make(version: int = 1, **changes: Any) -> Customer:
        facts = {
            "customer_id": new_id(),
            "kind": "person",
            "display_name": "김하늘",
            "language": "ko",
            "country": "KR",
            "lifecycle_stage": "prospect",
            "owner_id": None,
            "team_path": "/hq/seoul/",
            "tags": [],
            "email": "haneul@customers.example",
            "phone": "+821098765400",
            "birthday": None,
            "consents": ["email", "sms"],
            **changes,
        }
        people.keep_customer(
            session, envelope(customers.CustomerRegistered, facts, version=version)
        )
        return people.customer_of(session, facts["customer_id"])

    return make


@pytest.fixture
def colleague(session: Session) -> Callable[..., Colleague]:
    """Makes a colleague known by the event that says so."""

    def make(version: int = 1, **changes: Any) -> Colleague:
        facts = {
            **gateway.StaffFacts.example,
            "staff_id": new_id(),
            "team_id": new_id(),
            "name": "이준호",
            "email": "junho@rapport.example",
            **changes,
        }
        people.keep_colleague(session, envelope(gateway.StaffJoined, facts, version=version))
        return people.colleague_of(session, facts["staff_id"])

    return make
