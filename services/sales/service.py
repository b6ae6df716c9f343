"""The sales service: its commands and the events it listens to."""

from typing import Any

from contracts import customers as customers_contract
from contracts import gateway, service_desk
from contracts import sales as contract
from crmkit.entrypoints import command, database, subscribe
from crmkit.messages import Envelope
from services.sales import colleagues, customers, opportunities, orders, tasks


class SalesService:
    """Chances to sell, the orders they become, what came in for them, and what is to do."""

    name = "sales"
    db = database()

    @command(contract.CreateOpportunity)
    def create_opportunity(self, **request: Any) -> Any:
        return self.db.run(opportunities.create, **request)

    @command(contract.GetOpportunity)
    def get_opportunity(self, **request: Any) -> Any:
        return self.db.read(opportunities.get, **request)

    @command(contract.ListOpportunities)
    def list_opportunities(self, **request: Any) -> Any:
        return self.db.read(opportunities.find, **request)

    @command(contract.UpdateOpportunity)
    def update_opportunity(self, **request: Any) -> Any:
        return self.db.run(opportunities.update, **request)

    @command(contract.MoveOpportunity)
    def move_opportunity(self, **request: Any) -> Any:
        return self.db.run(opportunities.move, **request)

    @command(contract.WinOpportunity)
    def win_opportunity(self, **request: Any) -> Any:
        return self.db.run(opportunities.win, **request)

    @command(contract.LoseOpportunity)
    def lose_opportunity(self, **request: Any) -> Any:
        return self.db.run(opportunities.lose, **request)

    @command(contract.GetOrder)
    def get_order(self, **request: Any) -> Any:
        return self.db.read(orders.get, **request)

    @command(contract.ListOrders)
    def list_orders(self, **request: Any) -> Any:
        return self.db.read(orders.find, **request)

    @command(contract.RecordPayment)
    def record_payment(self, **request: Any) -> Any:
        return self.db.run(orders.record_payment, **request)

    @command(contract.CreateTask)
    def create_task(self, **request: Any) -> Any:
        return self.db.run(tasks.create, **request)

    @command(contract.GetTask)
    def get_task(self, **request: Any) -> Any:
        return self.db.read(tasks.get, **request)

    @command(contract.ListTasks)
    def list_tasks(self, **request: Any) -> Any:
        return self.db.read(tasks.find, **request)

    @command(contract.CompleteTask)
    def complete_task(self, **request: Any) -> Any:
        return self.db.run(tasks.complete, **request)

    @subscribe(service_desk.CustomerDetractorFlagged)
    def on_customer_detractor_flagged(self, event: Envelope) -> None:
        self.db.once(event, tasks.follow_up)

    @subscribe(customers_contract.CustomerRegistered)
    def on_customer_registered(self, event: Envelope) -> None:
        self.db.once(event, customers.keep)

    @subscribe(customers_contract.CustomerUpdated)
    def on_customer_updated(self, event: Envelope) -> None:
        self.db.once(event, customers.keep)

    @subscribe(gateway.staff.StaffJoined)
    def on_staff_joined(self, event: Envelope) -> None:
        self.db.once(event, colleagues.keep)

    @subscribe(gateway.staff.StaffChanged)
    def on_staff_changed(self, event: Envelope) -> None:
        self.db.once(event, colleagues.keep)

    @subscribe(gateway.staff.StaffLeft)
    def on_staff_left(self, event: Envelope) -> None:
        self.db.once(event, colleagues.keep_leaver)
