"""What the tests of marketing share: customers, campaigns, and time that passes when asked."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from contracts import customers as customers_contract
from contracts import marketing as contract
from contracts import notifications
from crmkit.ids import new_id
from crmkit.messages import load
from crmkit.tables import timer
from crmkit.testing import envelope
from crmkit.timers import Timer
from services.marketing import audience, campaigns, customers, sending
from services.marketing.models import Recipient

CONTENT = {
    "language": "en",
    "subject": "News for {{ name }}",
    "email_body": "Dear {{ name }}, here are news.",
    "sms_body": "{{ name }}: news!",
}
HANDLERS = {audience.FREEZE: audience.freeze, audience.ADVANCE: sending.advance}


class Company:
    """Speaks to the use cases as the bus would."""

    def __init__(self, session: Session) -> None:
        self.session = session

    def customer(self, *, version: int = 1, identity: UUID | None = None, **changes: Any) -> UUID:
        identity = identity or new_id()
        facts = {
            "customer_id": identity,
            "kind": "person",
            "display_name": "Ann Lee",
            "language": "en",
            "country": "KR",
            "lifecycle_stage": "prospect",
            "owner_id": None,
            "team_path": "/hq/seoul/",
            "tags": [],
            "email": f"ann{identity.int}@rapport.example",
            "phone": "+82212345678",
            "mobile": "+821000000001",
            "birthday": None,
            "consents": ["email", "sms"],
        }
        event = envelope(customers_contract.CustomerRegistered, facts | changes, version=version)
        customers.keep(self.session, event)
        return identity

    def campaign(self, **changes: Any) -> UUID:
        request = {
            "name": "News",
            "channels": ["email"],
            "audience": {},
            "contents": [CONTENT],
            "default_language": "en",
        }
        made = campaigns.create(self.session, **load(contract.CreateCampaign, request | changes))
        identity: UUID = made["id"]
        return identity

    def launched(self, **changes: Any) -> UUID:
        identity = self.campaign(**changes)
        campaigns.launch(self.session, campaign_id=identity)
        return identity

    def tick(self, kind: str | None = None) -> bool:
        """Do what is due next; False if nothing is."""
        due = select(timer).where(timer.c.due_at <= func.clock_timestamp()).order_by(timer.c.id)
        if kind:
            due = due.where(timer.c.kind == kind)
        row = self.session.execute(due.limit(1)).one_or_none()
        if row is None:
            return False
        self.session.execute(delete(timer).where(timer.c.id == row.id))
        HANDLERS[row.kind](self.session, Timer(row.id, row.kind, row.key, row.due_at, row.payload))
        self.session.flush()
        return True

    def let_time_pass(self) -> None:
        while self.tick():
            pass

    def shown(self, campaign_id: UUID) -> dict[str, Any]:
        self.session.flush()
        campaign = campaigns.get(self.session, campaign_id=campaign_id)
        self._adds_up(campaign)
        return campaign

    def status(self, campaign_id: UUID) -> str:
        status: str = self.shown(campaign_id)["status"]
        return status

    def counts(self, campaign_id: UUID) -> dict[str, int]:
        """The counts that are not zero."""
        return {name: n for name, n in self.shown(campaign_id)["counts"].items() if n}

    def recipients(self, campaign_id: UUID, state: str | None = None) -> list[Recipient]:
        query = select(Recipient).where(Recipient.campaign_id == campaign_id)
        if state:
            query = query.where(Recipient.state == state)
        self.session.flush()
        self.session.expire_all()
        return list(self.session.scalars(query.order_by(Recipient.id)))

    def report(self, campaign_id: UUID, states: dict[UUID, str], reason: str | None = None) -> None:
        results = [
            {"recipient_id": identity, "state": state, "reason": reason}
            for identity, state in states.items()
        ]
        facts = {"report_id": new_id(), "campaign_id": campaign_id, "results": results}
        sending.take_report(self.session, envelope(notifications.MessagesReported, facts))
        self.session.flush()

    def report_all(self, campaign_id: UUID, state: str) -> None:
        waiting = self.recipients(campaign_id, "handed_off")
        if waiting:
            self.report(campaign_id, {recipient.id: state for recipient in waiting})

    def _adds_up(self, campaign: dict[str, Any]) -> None:
        """Whatever happens, the counts are those of the rows and add up to the audience."""
        counts = dict(campaign["counts"])
        size = counts.pop("audience")
        assert sum(counts.values()) == size
        rows = self.session.execute(
            select(Recipient.state, func.count())
            .where(Recipient.campaign_id == campaign["id"])
            .group_by(Recipient.state)
        )
        assert {state: n for state, n in counts.items() if n} == dict(tuple(row) for row in rows)


@pytest.fixture
def company(session: Session) -> Company:
    return Company(session)


@pytest.fixture
def small_batches(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Batches of two or so, at most so many with the sender."""
    from services.marketing import rules

    def cut(*, size: int = 2, outstanding: int = 10, cancel: int = 20) -> None:
        monkeypatch.setattr(rules, "BATCH_SIZE", size)
        monkeypatch.setattr(rules, "MOST_OUTSTANDING", outstanding)
        monkeypatch.setattr(rules, "CANCEL_BATCHES_AT_ONCE", cancel)

    return cut
