"""Changes in services that the audit log has before they are asked for."""

import asyncio

import pytest
from sqlalchemy import select

from contracts import customers
from crmkit.context import Context
from crmkit.db import Encoded
from crmkit.errors import NotFound
from crmkit.ids import new_id
from gateway.api.customers import ROUTES
from gateway.app import Gateway
from gateway.audit import AuditEntry
from gateway.resources import Resources
from gateway.routes import Table
from gateway.tests.conftest import SETTINGS, Bus, Doorkeeper, Http

pytestmark = pytest.mark.server
CONSENT = {"channel": "email", "granted": False, "source": "phone", "proof": "Kim said so."}


@pytest.fixture
def bus() -> Bus:
    return Bus()


@pytest.fixture
def http(database, bus):
    gateway = Gateway(Resources(SETTINGS, bus, database), Table(ROUTES))
    gateway.bearers = Doorkeeper()
    with asyncio.Runner() as runner:
        yield Http(gateway, runner)


def ask(http, customer_id, key="k", **changes):
    path = f"/v1/customers/{customer_id}/actions/record-consent"
    headers = {"idempotency-key": key}
    return http("POST", path, json=CONSENT | changes, headers=headers)


def entries(database, customer_id):
    query = select(AuditEntry).where(AuditEntry.subject == f"customer/{customer_id}")
    with database.reading(Context()) as session:
        return session.scalars(query.order_by(AuditEntry.position)).all()


class TestConsent:
    def test_is_noted_with_who_asked_and_what(self, http, database, bus):
        customer_id = new_id()
        assert ask(http, customer_id).status_code == 200
        (entry,) = entries(database, customer_id)
        assert entry.action == "consent.asked"
        assert entry.actor.startswith("staff:")
        assert (entry.address, entry.request_id) == ("192.0.2.7", bus.context.request_id)
        told = {"channel": "email", "purpose": "marketing", "granted": False, "source": "phone"}
        assert entry.details == told

    def test_is_noted_before_the_service_is_asked(self, http, database, bus):
        customer_id = new_id()
        seen = []

        def answer(*_):
            seen.append(len(entries(database, customer_id)))
            raise NotFound("customer_not_found", "There is no such customer.")

        bus.answer = answer
        assert ask(http, customer_id).status_code == 404
        assert seen == [1]

    def test_is_noted_once_for_one_idempotency_key(self, http, database, bus):
        customer_id = new_id()
        for _ in range(2):
            assert ask(http, customer_id).status_code == 200
        assert len(entries(database, customer_id)) == 1
        assert len(bus.asked) == 2
        ask(http, customer_id, key="another")
        assert len(entries(database, customer_id)) == 2

    @pytest.mark.parametrize("odd", [{"channel": {"x": "y" * 1000}}, {"more": 1}, {"granted": []}])
    def test_is_neither_noted_nor_asked_for_when_the_body_does_not_fit(
        self, http, database, bus, odd
    ):
        customer_id = new_id()
        assert ask(http, customer_id, **odd).status_code == 422
        assert entries(database, customer_id) == []
        assert bus.asked == []

    def test_does_not_slow_down_what_is_only_read(self, http, database, bus):
        customer_id = new_id()
        bus.answer = lambda *_: Encoded(b"{}")
        http("GET", f"/v1/customers/{customer_id}")
        assert bus.asked[-1][0] is customers.GetCustomer
        assert entries(database, customer_id) == []
