"""Campaigns: drafting, launching, pausing, resuming, cancelling."""

from collections.abc import Callable

import pytest
from sqlalchemy.orm import Session

from contracts import marketing as contract
from crmkit.context import SYSTEM
from crmkit.errors import Conflict, Invalid, NotFound
from crmkit.ids import new_id
from crmkit.messages import load, schema
from crmkit.testing import act_as, announced, staff
from services.marketing import audience, campaigns
from services.marketing.tests.conftest import CONTENT, Company

pytestmark = pytest.mark.server

ACTIONS = (campaigns.launch, campaigns.pause, campaigns.resume, campaigns.cancel)


def found(session: Session, **asked: object) -> list[str]:
    page = campaigns.find(session, **load(contract.ListCampaigns, asked))
    assert schema(contract.ListCampaigns.reply).validate(_plain(page)) == {}
    return [item["name"] for item in page["items"]]


def _plain(value: object) -> object:
    from crmkit import codec

    return codec.loads(codec.dumps(value))


class TestCreate:
    def test_writes_a_draft_without_an_audience(self, company: Company) -> None:
        campaign = company.shown(company.campaign())
        assert (campaign["status"], campaign["progress"]) == ("draft", 0.0)
        assert set(campaign["counts"].values()) == {0}

    def test_answers_as_the_contract_says(self, company: Company) -> None:
        campaign = company.shown(company.campaign())
        assert schema(contract.Campaign).validate(_plain(campaign)) == {}

    def test_belongs_to_who_drafts_it(self, company: Company, session: Session) -> None:
        marketer = staff("team", "/hq/tokyo/")
        act_as(session, marketer)
        campaign = company.shown(company.campaign())
        assert (campaign["owner_id"], campaign["team_path"]) == (marketer.id, "/hq/tokyo/")

    def test_takes_the_id_of_the_client(self, company: Company) -> None:
        identity = new_id()
        assert company.campaign(id=str(identity)) == identity

    def test_refuses_texts_that_could_not_be_sent(self, company: Company) -> None:
        with pytest.raises(Invalid) as refusal:
            company.campaign(contents=[CONTENT | {"email_body": "{{ order }}"}])
        assert list(refusal.value.details) == ["contents.0.email_body"]

    def test_refuses_a_list_of_nothing_as_audience(self, company: Company) -> None:
        with pytest.raises(Invalid):
            company.campaign(audience={"tags": []})


class TestUpdate:
    def test_changes_what_is_given(self, company: Company, session: Session) -> None:
        identity = company.campaign()
        campaigns.update(session, campaign_id=identity, name="Other", if_match=1)
        campaign = company.shown(identity)
        assert (campaign["name"], campaign["contents"]) == ("Other", [CONTENT])
        assert campaign["version"] == 2

    def test_refuses_another_version(self, company: Company, session: Session) -> None:
        with pytest.raises(Conflict, match="stale_version"):
            campaigns.update(session, campaign_id=company.campaign(), name="Other", if_match=7)

    def test_checks_the_whole_afterwards(self, company: Company, session: Session) -> None:
        with pytest.raises(Invalid, match="invalid"):
            campaigns.update(session, campaign_id=company.campaign(), default_language="ko")

    def test_is_over_with_the_launch(self, company: Company, session: Session) -> None:
        company.customer()
        with pytest.raises(Conflict, match="campaign_not_draft"):
            campaigns.update(session, campaign_id=company.launched(), name="Other")


class TestScope:
    def test_hides_the_campaigns_of_other_teams(self, company: Company, session: Session) -> None:
        act_as(session, staff("team", "/hq/tokyo/"))
        identity = company.campaign(name="東京")
        act_as(session, staff("team", "/hq/seoul/"))
        assert found(session) == []
        with pytest.raises(NotFound):
            campaigns.get(session, campaign_id=identity)
        with pytest.raises(NotFound):
            campaigns.update(session, campaign_id=identity, name="Mine")
        with pytest.raises(NotFound):
            audience.preview(session, campaign_id=identity)
        for action in ACTIONS:
            with pytest.raises(NotFound):
                action(session, campaign_id=identity)

    def test_shows_what_is_below(self, company: Company, session: Session) -> None:
        act_as(session, staff("team", "/hq/tokyo/"))
        company.campaign(name="東京")
        act_as(session, staff("subtree", "/hq/"))
        assert found(session) == ["東京"]


class TestFind:
    def test_filters_by_status(self, company: Company, session: Session) -> None:
        company.customer()
        company.campaign(name="draft")
        company.launched(name="launched")
        assert found(session, filter={"status": "snapshotting"}) == ["launched"]

    def test_shows_the_size_of_the_audience(self, company: Company, session: Session) -> None:
        company.customer()
        company.launched()
        company.let_time_pass()
        page = campaigns.find(session, **load(contract.ListCampaigns, {}))
        assert page["items"][0]["audience_size"] == 1


class TestLaunch:
    def test_announces_itself_once_however_often_it_is_asked(
        self, company: Company, session: Session
    ) -> None:
        company.customer()
        identity = company.launched()
        assert campaigns.launch(session, campaign_id=identity)["status"] == "snapshotting"
        company.let_time_pass()
        assert campaigns.launch(session, campaign_id=identity)["status"] == "completing"
        assert len(announced(session, contract.CampaignLaunched)) == 1
        assert company.counts(identity)["audience"] == 1

    def test_refuses_an_audience_of_nobody(self, company: Company, session: Session) -> None:
        company.customer(consents=["sms"])
        with pytest.raises(Conflict, match="audience_empty"):
            company.launched()
        assert announced(session, contract.CampaignLaunched) == []

    def test_counts_only_customers_the_launcher_may_see(
        self, company: Company, session: Session
    ) -> None:
        company.customer(team_path="/hq/tokyo/")
        act_as(session, staff("team", "/hq/seoul/"))
        with pytest.raises(Conflict, match="audience_empty"):
            company.launched()

    def test_is_refused_after_cancelling(self, company: Company, session: Session) -> None:
        identity = company.campaign()
        campaigns.cancel(session, campaign_id=identity)
        with pytest.raises(Conflict, match="status_not_allowed"):
            campaigns.launch(session, campaign_id=identity)


class TestPause:
    def test_hands_over_no_further_batch(
        self, company: Company, session: Session, small_batches: Callable[..., None]
    ) -> None:
        small_batches()
        for _ in range(4):
            company.customer()
        identity = company.launched()
        company.tick()
        company.tick()
        campaigns.pause(session, campaign_id=identity)
        company.let_time_pass()
        assert company.counts(identity) == {"audience": 4, "handed_off": 2, "queued": 2}

    def test_is_announced_once(self, company: Company, session: Session) -> None:
        company.customer()
        identity = company.launched()
        company.tick()
        campaigns.pause(session, campaign_id=identity)
        assert campaigns.pause(session, campaign_id=identity)["status"] == "paused"
        assert len(announced(session, contract.CampaignPaused)) == 1

    def test_is_refused_of_a_draft(self, company: Company, session: Session) -> None:
        with pytest.raises(Conflict, match="status_not_allowed"):
            campaigns.pause(session, campaign_id=company.campaign())

    def test_takes_reports_and_completes_only_after_resuming(
        self, company: Company, session: Session
    ) -> None:
        company.customer()
        identity = company.launched()
        company.let_time_pass()
        campaigns.pause(session, campaign_id=identity)
        company.report_all(identity, "accepted")
        company.let_time_pass()
        assert company.status(identity) == "paused"
        campaigns.resume(session, campaign_id=identity)
        company.let_time_pass()
        assert company.status(identity) == "completed"


class TestResume:
    def test_goes_on_where_it_was_paused(
        self, company: Company, session: Session, small_batches: Callable[..., None]
    ) -> None:
        small_batches()
        for _ in range(4):
            company.customer()
        identity = company.launched()
        company.tick()
        company.tick()
        campaigns.pause(session, campaign_id=identity)
        company.let_time_pass()
        campaigns.resume(session, campaign_id=identity)
        assert campaigns.resume(session, campaign_id=identity)["status"] == "sending"
        company.let_time_pass()
        handed = announced(session, contract.RecipientsHandedOff)
        everyone = [r["recipient_id"] for batch in handed for r in batch["recipients"]]
        assert len(everyone) == len(set(everyone)) == 4
        assert len(announced(session, contract.CampaignResumed)) == 1

    def test_is_refused_of_a_draft(self, company: Company, session: Session) -> None:
        with pytest.raises(Conflict, match="status_not_allowed"):
            campaigns.resume(session, campaign_id=company.campaign())


class TestCancel:
    def test_ends_a_draft(self, company: Company, session: Session) -> None:
        identity = company.campaign()
        assert campaigns.cancel(session, campaign_id=identity)["status"] == "cancelled"
        assert campaigns.cancel(session, campaign_id=identity)["status"] == "cancelled"
        assert len(announced(session, contract.CampaignCancelled)) == 1

    def test_cancels_the_queued_and_lets_the_others_finish(
        self, company: Company, session: Session, small_batches: Callable[..., None]
    ) -> None:
        small_batches()
        for _ in range(5):
            company.customer()
        identity = company.launched()
        company.tick()
        company.tick()
        shown = campaigns.cancel(session, campaign_id=identity)
        assert shown["counts"]["cancelled"] == 3
        company.report_all(identity, "delivered")
        company.let_time_pass()
        assert company.counts(identity) == {"audience": 5, "delivered": 2, "cancelled": 3}
        assert company.status(identity) == "cancelled"
        assert announced(session, contract.CampaignCompleted) == []

    def test_goes_on_by_timer_when_many_are_queued(
        self, company: Company, session: Session, small_batches: Callable[..., None]
    ) -> None:
        small_batches(cancel=1)
        for _ in range(6):
            company.customer()
        identity = company.launched()
        company.tick()
        assert campaigns.cancel(session, campaign_id=identity)["counts"]["cancelled"] == 2
        company.let_time_pass()
        assert company.counts(identity) == {"audience": 6, "cancelled": 6}
        assert announced(session, contract.RecipientsHandedOff) == []

    def test_before_the_freeze_leaves_nobody(self, company: Company, session: Session) -> None:
        company.customer()
        identity = company.launched()
        campaigns.cancel(session, campaign_id=identity)
        company.let_time_pass()
        assert company.counts(identity) == {}

    def test_is_refused_when_all_is_done(self, company: Company, session: Session) -> None:
        company.customer()
        identity = company.launched()
        company.let_time_pass()
        company.report_all(identity, "accepted")
        company.let_time_pass()
        act_as(session, SYSTEM)
        with pytest.raises(Conflict, match="status_not_allowed"):
            campaigns.cancel(session, campaign_id=identity)
