"""A gateway without a bus, for tests of everything that happens before and after the call."""

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest

from contracts import customers, notifications, service_desk
from crmkit import testing
from crmkit.context import Context
from crmkit.db import Encoded
from crmkit.ids import new_id
from crmkit.messages import Command
from crmkit.settings import Settings
from gateway import resources
from gateway.api.identity import ROUTES
from gateway.app import Gateway, Request
from gateway.identity import rules
from gateway.principals import Principal
from gateway.resources import Resources
from gateway.routes import PUBLIC, Route, Table

SETTINGS = Settings(
    {"SECRET_KEY": testing.SECRET_KEY, "ENVIRONMENT": "development", "RATE_PER_SECOND": "10000"}
)

BUS_ROWS = [
    Route("GET", "/v1/customers", customers.ListCustomers, "customers.read", "List."),
    Route("POST", "/v1/customers", customers.RegisterCustomer, "customers.write", "Add.", 201),
    Route("GET", "/v1/customers/{customer_id}", customers.GetCustomer, "customers.read", "Show."),
    Route(
        "PATCH",
        "/v1/customers/{customer_id}",
        customers.UpdateCustomer,
        "customers.write",
        "Change.",
        max_body=30_000,
    ),
    Route("GET", "/v1/surveys/{token}", service_desk.GetSurvey, PUBLIC, "Show."),
    Route("POST", "/v1/unsubscribes/{token}", notifications.Unsubscribe, PUBLIC, "Unsubscribe."),
]


@dataclass
class Bus:
    """Stands for the bus: notes what is asked, answers what the test says."""

    answer: Callable[[type[Command], dict[str, Any]], Encoded] = lambda *_: Encoded(b"{}")
    asked: list[tuple[type[Command], dict[str, Any], Context]] = field(default_factory=list)
    trouble: str | None = None

    async def call(
        self, command: type[Command], request: dict[str, Any], context: Context, **_: Any
    ) -> Encoded:
        self.asked.append((command, request, context))
        return self.answer(command, request)

    @property
    def request(self) -> dict[str, Any]:
        """What was asked last."""
        return self.asked[-1][1]

    @property
    def context(self) -> Context:
        """In which context it was asked."""
        return self.asked[-1][2]


@dataclass
class Doorkeeper:
    """Stands for the look-up of tokens: ``Bearer <role>`` is somebody with that role."""

    known: dict[str, Principal] = field(default_factory=dict)

    def knew(self, request: Request) -> bool:
        return "nobody" not in request.headers.get(b"authorization", b"").decode()

    async def principal(self, request: Request) -> Principal | None:
        role = request.headers.get(b"authorization", b"").decode().removeprefix("Bearer ")
        if role not in rules.ROLES:
            return None
        return self.known.setdefault(role, someone(role))


@dataclass
class Quiet:
    """Stands for the audit log of refusals: notes what was refused."""

    noted: list[dict[str, str]] = field(default_factory=list)

    async def note(self, principal: Principal, address: str, request_id: str, **said: str) -> None:
        self.noted.append(said)


def someone(role: str) -> Principal:
    """A member of staff in Seoul with that role."""
    return Principal(new_id(), "staff", rules.grants([role]), "/hq/seoul/", "ko")


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a test does not say otherwise, work in a thread has all the time that it needs."""
    monkeypatch.setattr(resources, "THREAD_SECONDS", 60.0)


@pytest.fixture
def bus() -> Bus:
    return Bus()


@pytest.fixture
def gateway(bus: Bus) -> Gateway:
    """The dispatch on a bus of the test's own and no database."""
    made = Gateway(Resources(SETTINGS, bus, None), Table([*BUS_ROWS, *ROUTES]))  # type: ignore[arg-type]
    made.bearers = Doorkeeper()  # type: ignore[assignment]
    made.refusals = Quiet()  # type: ignore[assignment]
    return made


@pytest.fixture
def http(gateway: Gateway) -> Iterator["Http"]:
    with asyncio.Runner() as runner:
        yield Http(gateway, runner)


@dataclass
class Http:
    """Requests to the application in this process; ``role`` is the bearer token sent."""

    app: Any
    runner: asyncio.Runner
    role: str = "admin"
    address: str = "192.0.2.7"

    def __call__(self, method: str, path: str, **options: Any) -> httpx.Response:
        return self.runner.run(self._send(method, path, options))

    async def _send(self, method: str, path: str, options: dict[str, Any]) -> httpx.Response:
        transport = httpx.ASGITransport(self.app, client=(self.address, 1234))
        headers = {"authorization": f"Bearer {self.role}"} | options.pop("headers", {})
        if method == "POST":
            headers.setdefault("idempotency-key", "a key")
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
            return await client.request(method, path, headers=headers, **options)
