"""The service desk: its commands, the events it listens to and what it does in time."""

from typing import Any

from contracts import customers as customers_contract
from contracts import gateway
from contracts import service_desk as contract
from crmkit.entrypoints import command, database, on_timer, subscribe
from crmkit.messages import Envelope
from crmkit.timers import Timer
from services.service_desk import agents, customers, feedback, surveys, tickets


class ServiceDeskService:
    """What customers have to say, what is done about it and how content they are then."""

    name = "service_desk"
    db = database()

    @command(contract.RecordFeedback)
    def record_feedback(self, **request: Any) -> Any:
        return self.db.run(feedback.record, **request)

    @command(contract.GetFeedback)
    def get_feedback(self, **request: Any) -> Any:
        return self.db.read(feedback.get, **request)

    @command(contract.ListFeedback)
    def list_feedback(self, **request: Any) -> Any:
        return self.db.read(feedback.find, **request)

    @command(contract.GetTicket)
    def get_ticket(self, **request: Any) -> Any:
        return self.db.read(tickets.get, **request)

    @command(contract.ListTickets)
    def list_tickets(self, **request: Any) -> Any:
        return self.db.read(tickets.find, **request)

    @command(contract.StartTicket)
    def start_ticket(self, **request: Any) -> Any:
        return self.db.run(tickets.start, **request)

    @command(contract.AssignTicket)
    def assign_ticket(self, **request: Any) -> Any:
        return self.db.run(tickets.assign, **request)

    @command(contract.ResolveTicket)
    def resolve_ticket(self, **request: Any) -> Any:
        return self.db.run(tickets.resolve, **request)

    @command(contract.ReopenTicket)
    def reopen_ticket(self, **request: Any) -> Any:
        return self.db.run(tickets.reopen, **request)

    @command(contract.GetSurvey)
    def get_survey(self, **request: Any) -> Any:
        return self.db.read(surveys.get, **request)

    @command(contract.AnswerSurvey)
    def answer_survey(self, **request: Any) -> Any:
        return self.db.run(surveys.answer, **request)

    @on_timer(surveys.EXPIRY)
    def on_survey_expiry(self, timer: Timer) -> None:
        self.db.fire(timer, surveys.expire)

    @subscribe(customers_contract.CustomerRegistered)
    def on_customer_registered(self, event: Envelope) -> None:
        self.db.once(event, customers.keep)

    @subscribe(customers_contract.CustomerUpdated)
    def on_customer_updated(self, event: Envelope) -> None:
        self.db.once(event, customers.keep)

    @subscribe(gateway.staff.StaffJoined)
    def on_staff_joined(self, event: Envelope) -> None:
        self.db.once(event, agents.keep)

    @subscribe(gateway.staff.StaffChanged)
    def on_staff_changed(self, event: Envelope) -> None:
        self.db.once(event, agents.keep)

    @subscribe(gateway.staff.StaffLeft)
    def on_staff_left(self, event: Envelope) -> None:
        self.db.once(event, agents.leave)
