"""The demo company's share of marketing can be launched as it is."""

from uuid import UUID

import pytest
from sqlalchemy.orm import Session

from contracts import marketing as contract
from crmkit.messages import load
from demo import company as demo
from services.marketing import audience, campaigns, rules, seed
from services.marketing.tests.conftest import Company

pytestmark = pytest.mark.server


class TestSeed:
    def test_leaves_a_campaign_to_launch(self, company: Company, session: Session) -> None:
        reported: list[int] = []
        connection = session.connection().connection.driver_connection
        seed.seed(connection, demo, 200, reported.append)
        assert sum(reported) == 200
        (row,) = campaigns.find(session, **load(contract.ListCampaigns, {}))["items"]
        identity: UUID = row["id"]
        campaign = company.shown(identity)
        rules.refuse_unfit(campaign["channels"], campaign["contents"], campaign["default_language"])
        preview = audience.preview(session, campaign_id=identity)
        assert preview["matching"] > min(preview["reachable"].values()) > 50
        campaigns.launch(session, campaign_id=identity)
        company.let_time_pass()
        company.report_all(identity, "accepted")
        company.let_time_pass()
        assert company.status(identity) == "completed"
        assert company.counts(identity)["audience"] == preview["matching"] * 2
