"""Who attacks whom: one of each role in two teams, and a record of each kind that is somebody's."""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import httpx

from crmkit.context import Scope
from crmkit.testing import eventually
from gateway.identity import rules
from gateway.principals import scope_of
from gateway.routes import Route
from tests.talking import Api, Json

READER = "security_reader"
"""A role of the company's own that may read everything of its own and write nothing."""


class Person(Api):
    """Somebody logged in, with what their roles let them do."""

    def __init__(self, base_url: str, name: str, roles: tuple[str, ...]) -> None:
        super().__init__(base_url)
        self.name = name
        extra = {READER: rules.RoleRule(reads(), "own")}
        self.grants = rules.grants(roles, {**rules.ROLES, **extra})
        self.id: str | None = None
        self.team_path = "/"

    def enter(self, email: str, password: str) -> "Person":
        """Log in; who it is and where they belong."""
        member = self.log_in(email, password)["staff"]
        self.id, self.team_path = member["id"], member["team_path"]
        return self

    def may(self, route: Route) -> Scope | None:
        """In which scope they hold a row's permission."""
        return scope_of(self.grants, route.permission)

    def try_row(
        self, route: Route, path: str, body: Json | None, version: int = 1
    ) -> httpx.Response:
        """The answer to a request as the row wants it; waits when the rate limit says so."""
        headers = {"Idempotency-Key": str(uuid.uuid4())} if route.method == "POST" else {}
        if route.needs_version:
            headers["If-Match"] = f'"v{version}"'
        content = body if route.takes_body else None

        def probe() -> httpx.Response | None:
            answer = self.request(route.method, path, json=content, headers=headers)
            return None if answer.status_code == 429 else answer

        found = eventually(probe, seconds=60, pause=0.5)
        assert found is not None
        return found


def reads() -> frozenset[str]:
    """All permissions to read records of the business."""
    mine = {"audit.read", "api_keys.read", "roles.read", "events.read", "ops.read"}
    return frozenset(p for p in rules.PERMISSIONS if p.endswith(".read")) - mine


@dataclass
class Records:
    """The records of one owner by the name of their path parameter, and where each belongs."""

    ids: dict[str, str] = field(default_factory=dict)
    places: dict[str, tuple[str | None, str]] = field(default_factory=dict)

    def add(self, parameter: str, record: Json, place: tuple[str | None, str]) -> None:
        self.ids[parameter], self.places[parameter] = record["id"], place


def make_records(owner: Person, admin: Person) -> Records:
    """A record of every kind that belongs to ``owner``."""
    made = Records()
    place = (owner.id, owner.team_path)
    customer = owner.new_customer()
    made.add("customer_id", customer, place)
    for parameter in ("opportunity_id", "spare_opportunity_id"):
        opportunity = owner.create(
            "/v1/opportunities",
            customer_id=customer["id"],
            title="Mine",
            amount={"amount": "10.50", "currency": "USD"},
        )
        made.add(parameter, opportunity, place)
    won = owner.act(f"/v1/opportunities/{made.ids.pop('spare_opportunity_id')}", "win")
    made.places.pop("spare_opportunity_id")
    made.add("order_id", owner.read(f"/v1/orders/{won['order_id']}"), place)
    # The order makes another version of its customer, a moment later.
    bought = f"/v1/customers/{customer['id']}"
    owner.until(bought, lambda record: bool(record["lifecycle_stage"] == "first_buyer"))
    task = owner.create("/v1/tasks", title="Mine", customer_id=customer["id"])
    made.add("task_id", task, place)
    due = "2036-11-22T03:04:05Z"
    reminder = owner.create("/v1/reminders", kind="follow_up", title="Mine", due_at=due)
    made.add("reminder_id", reminder, place)
    feedback = owner.create(
        "/v1/feedback", customer_id=customer["id"], kind="complaint", subject="S", body="B"
    )
    made.add("feedback_id", feedback, place)

    def first(path: str) -> Json | None:
        listed = admin.read(path, **{"filter[customer_id]": customer["id"]})
        return next(iter(listed["items"]), None)

    ticket = eventually(lambda: first("/v1/tickets"))
    assert ticket is not None
    made.add("ticket_id", ticket, (ticket["owner_id"], ticket["team_path"]))
    message = eventually(lambda: first("/v1/messages"))
    assert message is not None
    made.add("message_id", message, place)
    made.add("staff_id", {"id": owner.id}, (owner.id, owner.team_path))
    session = owner.read("/v1/me/sessions")["items"][0]
    made.add("session_id", session, (owner.id, "-"))
    return made


def sees(person: Person, scope: Scope, place: tuple[str | None, str]) -> bool:
    """Whether a record of that place lies in somebody's scope; the rule of the product, anew."""
    owner_id, team_path = place
    if scope == "all" or (owner_id is not None and owner_id == person.id):
        return True
    if scope == "subtree":
        return team_path.startswith(person.team_path)
    return scope == "team" and team_path == person.team_path


@dataclass
class World:
    """Everybody, what belongs to whom, and the bodies that make a request go through."""

    people: Mapping[str, Person]
    own: Records
    foreign: Records
    campaign: str

    def body(self, route: Route, records: Records) -> Json:
        """A body that the row takes, about records of ``records``."""
        return dict(_BODIES.get(route.command.name, lambda *_: {})(self, records))


def _opportunity(_: World, records: Records) -> Json:
    amount = {"amount": "1.00", "currency": "USD"}
    return {"customer_id": records.ids["customer_id"], "title": "T", "amount": amount}


_DUE = "2036-12-22T03:04:05Z"
_BODIES: dict[str, Any] = {
    "register_customer": lambda *_: {
        "kind": "person",
        "name": {"family": "F", "given": "G"},
        "language": "en",
        "country": "KR",
    },
    "update_customer": lambda *_: {"city": "Seoul"},
    "record_consent": lambda *_: {
        "channel": "sms",
        "granted": False,
        "source": "test",
        "proof": "Said so.",
    },
    "transfer_customer": lambda world, _: {"owner_id": world.people["teammate"].id},
    "create_opportunity": _opportunity,
    "update_opportunity": lambda *_: {"title": "Theirs"},
    "move_opportunity": lambda *_: {"stage": "proposal"},
    "lose_opportunity": lambda *_: {"reason": "price"},
    "record_payment": lambda *_: {
        "amount": {"amount": "1.00", "currency": "USD"},
        "received_on": "2026-11-22",
    },
    "create_task": lambda _, records: {"title": "T", "customer_id": records.ids["customer_id"]},
    "record_feedback": lambda _, records: {
        "customer_id": records.ids["customer_id"],
        "kind": "complaint",
        "subject": "S",
        "body": "B",
    },
    "assign_ticket": lambda world, _: {"owner_id": world.people["agent"].id},
    "resolve_ticket": lambda *_: {"outcome": "Done."},
    "reopen_ticket": lambda *_: {"reason": "Not done."},
    "create_reminder": lambda *_: {"kind": "follow_up", "title": "T", "due_at": _DUE},
    "snooze_reminder": lambda *_: {"due_at": _DUE},
    "update_campaign": lambda *_: {"name": "Theirs"},
    "change_staff": lambda *_: {"roles": ["admin"]},
    "change_team": lambda *_: {"name": "Theirs"},
    "link_identity": lambda *_: {"issuer": "https://idp.example", "subject": "x"},
    "put_role": lambda *_: {"permissions": ["*"], "scope": "all"},
    "create_api_key": lambda *_: {"name": "K", "scopes": ["*"]},
    "create_team": lambda *_: {"name": "T", "slug": "t"},
}
