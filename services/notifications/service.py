"""The notifications service: its commands and the events it listens to."""

from typing import Any

from contracts import customers, gateway, marketing, sales, service_desk
from contracts import notifications as contract
from crmkit.entrypoints import command, database, on_timer, subscribe
from crmkit.messages import Envelope
from crmkit.timers import Timer
from services.notifications import (
    campaigns,
    inbox,
    messages,
    people,
    reminders,
    unsubscriptions,
)


class NotificationsService:
    """Messages to customers and staff, reminders and the in-app inbox. ``crm sender`` sends."""

    name = "notifications"
    db = database()

    @command(contract.GetMessage)
    def get_message(self, **request: Any) -> Any:
        return self.db.read(messages.get, **request)

    @command(contract.ListMessages)
    def list_messages(self, **request: Any) -> Any:
        return self.db.read(messages.find, **request)

    @command(contract.CreateReminder)
    def create_reminder(self, **request: Any) -> Any:
        return self.db.run(reminders.create, **request)

    @command(contract.GetReminder)
    def get_reminder(self, **request: Any) -> Any:
        return self.db.read(reminders.get, **request)

    @command(contract.ListReminders)
    def list_reminders(self, **request: Any) -> Any:
        return self.db.read(reminders.find, **request)

    @command(contract.AcknowledgeReminder)
    def acknowledge_reminder(self, **request: Any) -> Any:
        return self.db.run(reminders.acknowledge, **request)

    @command(contract.CancelReminder)
    def cancel_reminder(self, **request: Any) -> Any:
        return self.db.run(reminders.cancel, **request)

    @command(contract.SnoozeReminder)
    def snooze_reminder(self, **request: Any) -> Any:
        return self.db.run(reminders.snooze, **request)

    @command(contract.ListInboxItems)
    def list_inbox_items(self, **request: Any) -> Any:
        return self.db.read(inbox.find, **request)

    @command(contract.ReadInboxItem)
    def read_inbox_item(self, **request: Any) -> Any:
        return self.db.run(inbox.read, **request)

    @command(contract.Unsubscribe)
    def unsubscribe(self, **request: Any) -> Any:
        return self.db.run(unsubscriptions.unsubscribe, **request)

    @on_timer(reminders.TIMER)
    def on_reminder_due(self, timer: Timer) -> None:
        self.db.fire(timer, reminders.fire)

    @subscribe(sales.OrderSubmitted)
    def on_order_submitted(self, event: Envelope) -> None:
        self.db.once(event, messages.confirm_order)

    @subscribe(service_desk.TicketOpened)
    def on_ticket_opened(self, event: Envelope) -> None:
        self.db.once(event, messages.acknowledge_ticket)

    @subscribe(service_desk.SurveyRequested)
    def on_survey_requested(self, event: Envelope) -> None:
        self.db.once(event, messages.ask_survey)

    @subscribe(marketing.RecipientsHandedOff)
    def on_recipients_handed_off(self, event: Envelope) -> None:
        self.db.once(event, campaigns.take_in)

    @subscribe(marketing.CampaignPaused)
    def on_campaign_paused(self, event: Envelope) -> None:
        self.db.once(event, campaigns.pause)

    @subscribe(marketing.CampaignResumed)
    def on_campaign_resumed(self, event: Envelope) -> None:
        self.db.once(event, campaigns.resume)

    @subscribe(marketing.CampaignCancelled)
    def on_campaign_cancelled(self, event: Envelope) -> None:
        self.db.once(event, campaigns.cancel)

    @subscribe(sales.TaskAssigned)
    def on_task_assigned(self, event: Envelope) -> None:
        self.db.once(event, inbox.tell_of_task)

    @subscribe(service_desk.TicketAssigned)
    def on_ticket_assigned(self, event: Envelope) -> None:
        self.db.once(event, inbox.tell_of_ticket)

    @subscribe(sales.OpportunityWon)
    def on_opportunity_won(self, event: Envelope) -> None:
        self.db.once(event, reminders.settle_opportunity)

    @subscribe(sales.OpportunityLost)
    def on_opportunity_lost(self, event: Envelope) -> None:
        self.db.once(event, reminders.settle_opportunity)

    @subscribe(sales.PaymentRecorded)
    def on_payment_recorded(self, event: Envelope) -> None:
        self.db.once(event, reminders.settle_order)

    @subscribe(sales.TaskDone)
    def on_task_done(self, event: Envelope) -> None:
        self.db.once(event, reminders.settle_task)

    @subscribe(service_desk.TicketClosed)
    def on_ticket_closed(self, event: Envelope) -> None:
        self.db.once(event, reminders.settle_ticket)

    @subscribe(customers.CustomerRegistered)
    def on_customer_registered(self, event: Envelope) -> None:
        self.db.once(event, people.keep_customer)

    @subscribe(customers.CustomerUpdated)
    def on_customer_updated(self, event: Envelope) -> None:
        self.db.once(event, people.keep_customer)

    @subscribe(service_desk.CustomerDetractorFlagged)
    def on_customer_detractor_flagged(self, event: Envelope) -> None:
        self.db.once(event, people.flag_detractor)

    @subscribe(gateway.staff.StaffJoined)
    def on_staff_joined(self, event: Envelope) -> None:
        self.db.once(event, people.keep_colleague)

    @subscribe(gateway.staff.StaffChanged)
    def on_staff_changed(self, event: Envelope) -> None:
        self.db.once(event, people.keep_colleague)

    @subscribe(gateway.staff.StaffLeft)
    def on_staff_left(self, event: Envelope) -> None:
        self.db.once(event, people.forget_colleague)
