"""The marketing service: its commands, the events it listens to and its timers."""

from typing import Any

from contracts import customers as customers_contract
from contracts import marketing as contract
from contracts import notifications, service_desk
from crmkit.entrypoints import command, database, on_timer, subscribe
from crmkit.messages import Envelope
from crmkit.timers import Timer
from services.marketing import audience, campaigns, customers, recipients, sending


class MarketingService:
    """Campaigns, the audience frozen into recipients, and what became of each."""

    name = "marketing"
    db = database()

    @command(contract.CreateCampaign)
    def create_campaign(self, **request: Any) -> Any:
        return self.db.run(campaigns.create, **request)

    @command(contract.GetCampaign)
    def get_campaign(self, **request: Any) -> Any:
        return self.db.read(campaigns.get, **request)

    @command(contract.ListCampaigns)
    def list_campaigns(self, **request: Any) -> Any:
        return self.db.read(campaigns.find, **request)

    @command(contract.UpdateCampaign)
    def update_campaign(self, **request: Any) -> Any:
        return self.db.run(campaigns.update, **request)

    @command(contract.PreviewAudience)
    def preview_audience(self, **request: Any) -> Any:
        return self.db.read(audience.preview, **request)

    @command(contract.LaunchCampaign)
    def launch_campaign(self, **request: Any) -> Any:
        return self.db.run(campaigns.launch, **request)

    @command(contract.PauseCampaign)
    def pause_campaign(self, **request: Any) -> Any:
        return self.db.run(campaigns.pause, **request)

    @command(contract.ResumeCampaign)
    def resume_campaign(self, **request: Any) -> Any:
        return self.db.run(campaigns.resume, **request)

    @command(contract.CancelCampaign)
    def cancel_campaign(self, **request: Any) -> Any:
        return self.db.run(campaigns.cancel, **request)

    @command(contract.ListRecipients)
    def list_recipients(self, **request: Any) -> Any:
        return self.db.read(recipients.find, **request)

    @command(contract.ListCustomerCampaigns)
    def list_customer_campaigns(self, **request: Any) -> Any:
        return self.db.read(recipients.find_of_customer, **request)

    @on_timer(audience.FREEZE)
    def freeze_audience(self, timer: Timer) -> None:
        self.db.fire(timer, audience.freeze)

    @on_timer(audience.ADVANCE)
    def advance_campaign(self, timer: Timer) -> None:
        self.db.fire(timer, sending.advance)

    @subscribe(notifications.MessagesReported)
    def on_messages_reported(self, event: Envelope) -> None:
        self.db.once(event, sending.take_report)

    @subscribe(customers_contract.CustomerRegistered)
    def on_customer_registered(self, event: Envelope) -> None:
        self.db.once(event, customers.keep)

    @subscribe(customers_contract.CustomerUpdated)
    def on_customer_updated(self, event: Envelope) -> None:
        self.db.once(event, customers.keep)

    @subscribe(service_desk.CustomerDetractorFlagged)
    def on_customer_detractor_flagged(self, event: Envelope) -> None:
        self.db.once(event, customers.flag_detractor)
