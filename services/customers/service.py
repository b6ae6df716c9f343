"""The customers service: its commands and the events it listens to."""

from typing import Any

from contracts import customers as contract
from contracts import gateway, notifications, sales
from crmkit.entrypoints import command, database, subscribe
from crmkit.messages import Envelope
from services.customers import customers


class CustomersService:
    """People and organisations, and where they stand in the life cycle."""

    name = "customers"
    db = database()

    @command(contract.RegisterCustomer)
    def register_customer(self, **request: Any) -> Any:
        return self.db.run(customers.register, **request)

    @command(contract.GetCustomer)
    def get_customer(self, **request: Any) -> Any:
        return self.db.read(customers.get, **request)

    @command(contract.ListCustomers)
    def list_customers(self, **request: Any) -> Any:
        return self.db.read(customers.find, **request)

    @command(contract.UpdateCustomer)
    def update_customer(self, **request: Any) -> Any:
        return self.db.run(customers.update, **request)

    @command(contract.RecordConsent)
    def record_consent(self, **request: Any) -> Any:
        return self.db.run(customers.record_consent, **request)

    @command(contract.TransferCustomer)
    def transfer_customer(self, **request: Any) -> Any:
        return self.db.run(customers.transfer, **request)

    @subscribe(sales.OpportunityCreated)
    def on_opportunity_created(self, event: Envelope) -> None:
        self.db.once(event, customers.advance_on_opportunity)

    @subscribe(sales.OrderSubmitted)
    def on_order_submitted(self, event: Envelope) -> None:
        self.db.once(event, customers.advance_on_order)

    @subscribe(notifications.UnsubscribeReceived)
    def on_unsubscribe_received(self, event: Envelope) -> None:
        self.db.once(event, customers.withdraw_consent)

    @subscribe(gateway.staff.StaffJoined)
    def on_staff_joined(self, event: Envelope) -> None:
        self.db.once(event, customers.keep_colleague)

    @subscribe(gateway.staff.StaffChanged)
    def on_staff_changed(self, event: Envelope) -> None:
        self.db.once(event, customers.keep_colleague)

    @subscribe(gateway.staff.StaffLeft)
    def on_staff_left(self, event: Envelope) -> None:
        self.db.once(event, customers.keep_leaver)
