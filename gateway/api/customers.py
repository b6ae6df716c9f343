"""The endpoints of customers."""

from contracts import customers as contract
from gateway.routes import Route

_READ, _WRITE = "customers.read", "customers.write"
_ONE = "/v1/customers/{customer_id}"

ROUTES = [
    Route(
        "POST",
        "/v1/customers",
        contract.RegisterCustomer,
        _WRITE,
        "Register a person or an organisation.",
        status=201,
    ),
    Route("GET", "/v1/customers", contract.ListCustomers, _READ, "List and search customers."),
    Route("GET", _ONE, contract.GetCustomer, _READ, "Read one customer."),
    Route("PATCH", _ONE, contract.UpdateCustomer, _WRITE, "Change some facts of a customer."),
    Route(
        "POST",
        f"{_ONE}/actions/record-consent",
        contract.RecordConsent,
        _WRITE,
        "Note what a customer agreed to or withdrew.",
        audited="consent.asked",
        noted=("channel", "purpose", "granted", "source"),
    ),
    Route(
        "POST",
        f"{_ONE}/actions/transfer",
        contract.TransferCustomer,
        _WRITE,
        "Give a customer to a colleague.",
    ),
]
