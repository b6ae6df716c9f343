"""Audiences: who is meant, who may be written to, and the freeze."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from contracts import service_desk
from crmkit.context import SYSTEM
from crmkit.errors import NotFound
from crmkit.ids import new_id
from crmkit.testing import act_as, envelope, staff
from services.marketing import audience, campaigns, customers
from services.marketing.models import Batch
from services.marketing.tests.conftest import CONTENT, Company

pytestmark = pytest.mark.server


def flag(session: Session, customer_id: UUID) -> None:
    facts = {
        "survey_id": new_id(),
        "ticket_id": new_id(),
        "ticket_number": "T-1",
        "customer_id": customer_id,
        "score": 1,
        "comment": "Never again.",
    }
    customers.flag_detractor(session, envelope(service_desk.CustomerDetractorFlagged, facts))


class TestPreview:
    def test_says_who_is_reached_and_why_others_are_not(
        self, company: Company, session: Session
    ) -> None:
        company.customer()
        company.customer(consents=["sms"])
        company.customer(email=None)
        flag(session, company.customer())
        identity = company.campaign(channels=["email", "sms"])
        assert audience.preview(session, campaign_id=identity) == {
            "matching": 4,
            "reachable": {"email": 1, "sms": 3},
            "excluded": {
                "email": {"no_consent": 1, "no_address": 1, "detractor": 1},
                "sms": {"detractor": 1},
            },
        }

    def test_is_the_same_as_the_freeze_makes(self, company: Company, session: Session) -> None:
        company.customer()
        company.customer(consents=[])
        company.customer(mobile=None)
        identity = company.launched(channels=["email", "sms"])
        preview = audience.preview(session, campaign_id=identity)
        company.tick()
        counts = company.counts(identity)
        assert counts["audience"] == preview["matching"] * 2
        assert counts["queued"] == sum(preview["reachable"].values())
        assert counts["suppressed"] == sum(
            number for reasons in preview["excluded"].values() for number in reasons.values()
        )

    def test_of_nobody_is_all_zero(self, company: Company, session: Session) -> None:
        preview = audience.preview(session, campaign_id=company.campaign())
        assert preview == {"matching": 0, "reachable": {"email": 0}, "excluded": {"email": {}}}

    @pytest.mark.parametrize(
        ("asked", "facts"),
        [
            ({"languages": ["ko", "ja"]}, {"language": "ja"}),
            ({"countries": ["JP"]}, {"country": "JP"}),
            ({"lifecycle_stages": ["loyal"]}, {"lifecycle_stage": "loyal"}),
            ({"tags": ["vip", "press"]}, {"tags": ["press", "old"]}),
            ({"kinds": ["organisation"]}, {"kind": "organisation"}),
        ],
    )
    def test_counts_who_is_meant(
        self, company: Company, session: Session, asked: dict[str, Any], facts: dict[str, Any]
    ) -> None:
        company.customer()
        company.customer(**facts)
        identity = company.campaign(audience=asked)
        assert audience.preview(session, campaign_id=identity)["matching"] == 1

    def test_needs_every_fact_to_hold(self, company: Company, session: Session) -> None:
        company.customer(language="ko", country="US")
        identity = company.campaign(audience={"languages": ["ko"], "countries": ["KR"]})
        assert audience.preview(session, campaign_id=identity)["matching"] == 0

    def test_stays_within_the_askers_scope(self, company: Company, session: Session) -> None:
        me = staff("own", "/hq/seoul/")
        company.customer()
        company.customer(owner_id=me.id)
        act_as(session, me)
        identity = company.campaign()
        assert audience.preview(session, campaign_id=identity)["matching"] == 1


class TestFreeze:
    def test_writes_each_customer_once_per_channel(self, company: Company) -> None:
        customer = company.customer()
        identity = company.launched(channels=["email", "sms"])
        company.tick()
        rows = company.recipients(identity)
        assert {(row.customer_id, row.channel, row.state) for row in rows} == {
            (customer, "email", "queued"),
            (customer, "sms", "queued"),
        }
        assert company.status(identity) == "sending"

    def test_keeps_the_reason_of_who_is_left_out(self, company: Company, session: Session) -> None:
        company.customer()
        company.customer(consents=[], email=None)
        company.customer(email=None)
        flag(session, company.customer())
        identity = company.launched()
        company.tick()
        suppressed = company.recipients(identity, "suppressed")
        assert sorted(row.reason or "" for row in suppressed) == [
            "detractor",
            "no_address",
            "no_consent",
        ]

    def test_cuts_batches_of_one_channel(
        self, company: Company, session: Session, small_batches: Callable[..., None]
    ) -> None:
        small_batches()
        for _ in range(5):
            company.customer()
        company.customer(consents=["email"])
        identity = company.launched(channels=["email", "sms"])
        company.tick()
        cut = session.execute(
            select(Batch.number, Batch.channel, Batch.queued, Batch.suppressed)
            .where(Batch.campaign_id == identity)
            .order_by(Batch.number)
        ).all()
        assert [tuple(row) for row in cut] == [
            (1, "email", 2, 0),
            (2, "email", 2, 0),
            (3, "email", 2, 0),
            (4, "sms", 0, 1),
            (5, "sms", 2, 0),
            (6, "sms", 2, 0),
            (7, "sms", 1, 0),
        ]
        company.counts(identity)

    def test_makes_ids_of_version_7_that_grow(self, company: Company) -> None:
        first = company.customer()
        second = company.customer()
        identity = company.launched()
        company.tick()
        rows = company.recipients(identity)
        assert {row.id.version for row in rows} == {7}
        assert abs(rows[0].id.int - new_id().int) >> 80 < 60_000
        assert {row.customer_id for row in rows} == {first, second}

    def test_writes_to_each_in_a_language_that_is_written(self, company: Company) -> None:
        for language in ("ko", "ja", "en"):
            company.customer(language=language)
        contents = [CONTENT, {"language": "ko", "subject": "소식", "email_body": "소식입니다."}]
        identity = company.launched(channels=["email", "sms"], contents=contents)
        company.tick()
        rows = company.recipients(identity)
        languages = sorted((row.channel, row.language) for row in rows)
        assert languages == [
            ("email", "en"),
            ("email", "en"),
            ("email", "ko"),
            ("sms", "en"),
            ("sms", "en"),
            ("sms", "en"),
        ]

    def test_reaches_nobody_the_launcher_could_not_see(
        self, company: Company, session: Session
    ) -> None:
        seoul = company.customer(team_path="/hq/seoul/north/")
        company.customer(team_path="/hq/tokyo/")
        act_as(session, staff("subtree", "/hq/seoul/"))
        identity = company.launched()
        act_as(session, SYSTEM)
        company.tick()
        assert [row.customer_id for row in company.recipients(identity)] == [seoul]

    def test_is_final_whoever_comes_later(self, company: Company) -> None:
        company.customer()
        identity = company.launched()
        company.tick()
        company.customer()
        company.let_time_pass()
        assert company.counts(identity)["audience"] == 1

    def test_of_a_campaign_cancelled_meanwhile_is_dropped(
        self, company: Company, session: Session, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        company.customer()
        identity = company.launched()
        freeze_channels = audience._freeze_channels

        def cancelled_in_between(*args: Any) -> int:
            size = freeze_channels(*args)
            campaigns.cancel(session, campaign_id=identity)
            return size

        monkeypatch.setattr(audience, "_freeze_channels", cancelled_in_between)
        company.tick(audience.FREEZE)
        assert company.recipients(identity) == []


class TestCopyOfCustomers:
    def test_keeps_the_newest_news(self, company: Company, session: Session) -> None:
        customer = company.customer(consents=[], version=3)
        company.customer(identity=customer, consents=["email"], version=2)
        preview = audience.preview(session, campaign_id=company.campaign())
        assert preview["excluded"] == {"email": {"no_consent": 1}}

    def test_remembers_detractors_through_news(self, company: Company, session: Session) -> None:
        customer = company.customer()
        flag(session, customer)
        company.customer(identity=customer, version=2)
        preview = audience.preview(session, campaign_id=company.campaign())
        assert preview["excluded"] == {"email": {"detractor": 1}}

    def test_asks_for_patience_when_the_flag_comes_first(self, session: Session) -> None:
        with pytest.raises(NotFound):
            flag(session, new_id())
