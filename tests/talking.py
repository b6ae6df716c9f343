"""How tests talk to a running Rapport: as a client of its API and as a reader of its mails."""

import uuid
from collections.abc import Callable
from typing import Any

import httpx
from marshmallow import Schema, fields

from crmkit.messages import schema
from crmkit.testing import eventually
from gateway import api as gateway_api
from gateway.routes import Table

TABLE = Table(gateway_api.rows())
Json = dict[str, Any]


def hold_against_contract(answer: httpx.Response) -> None:
    """Fail the test when an answer is not what its row promises: status, shape, no field more."""
    request = answer.request
    found = TABLE.find(request.url.path)
    if found is None or request.method not in found[0] or not answer.is_success:
        return
    row = found[0][request.method]
    assert answer.status_code == row.status, f"{request.method} {row.path}: {answer.status_code}"
    answer.read()
    reply = schema(row.command.reply)
    problems = reply.validate(answer.json())
    assert not problems, f"{request.method} {row.path} is not a {type(reply).__name__}: {problems}"
    extra = undeclared(reply, answer.json())
    assert not extra, f"{request.method} {row.path} shows undeclared {extra}"


def undeclared(reply: Schema, value: Any, at: str = "") -> list[str]:
    """The fields of an answer that its contract does not know, dotted."""
    names = {field.data_key or name: field for name, field in reply.fields.items()}
    found = [f"{at}{name}" for name in value if name not in names]
    for name, field in names.items():
        inner = field.inner if isinstance(field, fields.List) else field
        if not isinstance(inner, fields.Nested) or not value.get(name):
            continue
        for one in value[name] if isinstance(field, fields.List) else [value[name]]:
            found += undeclared(inner.schema, one, f"{at}{name}.")
    return found


class Api(httpx.Client):
    """The HTTP API as a client uses it; every answer is held against its contract."""

    def __init__(self, base_url: str) -> None:
        hooks = {"response": [hold_against_contract]}
        super().__init__(base_url=base_url, timeout=30, event_hooks=hooks)

    def log_in(self, email: str, password: str) -> Json:
        """Use this login from here on; the session."""
        session = self.ask("POST", "/v1/sessions", {"email": email, "password": password})
        self.headers["Authorization"] = f"Bearer {session['access_token']}"
        return session

    def ask(self, method: str, path: str, body: Json | None = None, **headers: str) -> Json:
        """The JSON of the answer, which must be a success."""
        answer = self.answer(method, path, body, **headers)
        assert answer.is_success, f"{method} {path}: {answer.status_code} {answer.text}"
        answered: Json = answer.json()
        return answered

    def answer(
        self, method: str, path: str, body: Json | None = None, **headers: str
    ) -> httpx.Response:
        """Whatever the answer is. Every POST gets a new Idempotency-Key unless one is given."""
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        if method == "POST":
            sent.setdefault("Idempotency-Key", str(uuid.uuid4()))
        return self.request(method, path, json=body, headers=sent)

    def read(self, path: str, **query: Any) -> Json:
        """The JSON of a GET."""
        answer = self.get(path, params=query)
        assert answer.is_success, f"GET {path}: {answer.status_code} {answer.text}"
        answered: Json = answer.json()
        return answered

    def create(self, path: str, **fields: Any) -> Json:
        """The record that a POST to a collection made.

        Other services than its own learn of a customer a moment after the registration.
        """

        def probe() -> httpx.Response:
            answer = self.answer("POST", path, fields)
            assert answer.status_code != httpx.codes.NOT_FOUND, f"POST {path}: {answer.text}"
            return answer

        answer = eventually(probe)
        assert answer.is_success, f"POST {path}: {answer.status_code} {answer.text}"
        created: Json = answer.json()
        return created

    def act(self, path: str, verb: str, **fields: Any) -> Json:
        """The record after one of its actions."""
        return self.ask("POST", f"{path}/actions/{verb}", fields)

    def until(self, path: str, met: Callable[[Json], bool], *, seconds: float = 30) -> Json:
        """The record at ``path`` once ``met`` holds of it."""

        def probe() -> Json | None:
            record = self.read(path)
            assert met(record), f"{path} is still {record}"
            return record

        found = eventually(probe, seconds=seconds)
        assert found is not None
        return found

    def new_customer(self, **changes: Any) -> Json:
        """A customer who can be reached and agreed to marketing, with an address of their own."""
        unique = uuid.uuid4().hex[:10]
        fields: Json = {
            "kind": "person",
            "name": {"family": "김", "given": "하늘"},
            "language": "ko",
            "country": "KR",
            "contact_points": [{"kind": "email", "value": f"{unique}@customers.example"}],
            "consents": [
                {"channel": "email", "granted": True, "source": "test", "proof": "Said so."}
            ],
        }
        return self.create("/v1/customers", **(fields | changes))


def email_of(customer: Json) -> str:
    """The customer's e-mail address."""
    return next(p["value"] for p in customer["contact_points"] if p["kind"] == "email")


class MailInbox(httpx.Client):
    """The mail catcher's store."""

    def __init__(self, base_url: str) -> None:
        super().__init__(base_url=base_url, timeout=30)

    def to(self, address: str) -> list[Json]:
        """The mails to an address, oldest first, each with its text."""
        listed = self.get("/api/messages", params={"to": address, "limit": 200}).json()
        whole = [self.get(f"/api/messages/{one['id']}").json() for one in listed["messages"]]
        return sorted(whole, key=lambda mail: mail["id"])

    def one_to(self, address: str, *, about: str = "", seconds: float = 30) -> Json:
        """The first mail to an address whose subject holds ``about``, waiting for it."""

        def probe() -> Json | None:
            return next((m for m in self.to(address) if about in m["subject"]), None)

        found = eventually(probe, seconds=seconds)
        assert found is not None
        return found
