"""Addresses beside the table: health, metrics, the description of the API and pages for people."""

import secrets
from collections.abc import Awaitable, Callable
from functools import cache
from importlib import resources as files
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from crmkit import catalog, codec, metrics
from crmkit.errors import CrmError
from crmkit.settings import Settings
from gateway import answers, languages, openapi, problems
from gateway.answers import Answer
from gateway.problems import Problem
from gateway.schemas import Components

if TYPE_CHECKING:
    from gateway.app import Gateway, Request

Page = Callable[["Gateway", "Request"], Awaitable[Answer]]
_NONCE_MARK = b"{{nonce}}"
_INBOXES = {"/dev/inbox": "MAIL_PAGE_URL", "/dev/sms": "SMS_PAGE_URL"}


async def alive(_: "Gateway", __: "Request") -> Answer:
    """That the process answers; nothing else is asked, or a broken bus would restart it."""
    return Answer(200, b"alive\n", [answers.PLAIN])


async def ready(gateway: "Gateway", _: "Request") -> Answer:
    """Whether requests can be served: the bus and the own database; services do not count."""
    trouble = gateway.resources.client.trouble
    if trouble is None:
        try:
            await gateway.resources.in_thread(gateway.resources.database.ping)
        except CrmError as error:
            trouble = error.message
    if trouble:
        return Answer(503, f"{trouble}\n".encode(), [answers.PLAIN])
    return Answer(200, b"ready\n", [answers.PLAIN])


async def counted(_: "Gateway", __: "Request") -> Answer:
    """This worker's metrics in Prometheus' text format."""
    return Answer(200, metrics.page(), [answers.PLAIN])


async def description(gateway: "Gateway", _: "Request") -> Answer:
    """The OpenAPI document."""
    return Answer(200, gateway.description, [answers.JSON])


@cache
def _file(name: str) -> bytes:
    return (files.files("gateway") / "pages" / name).read_bytes()


def _for_people(request: "Request", nonce: str) -> list[answers.Header]:
    request.extra = [one for one in request.extra if one != answers.API_POLICY]
    return [answers.HTML, answers.page_policy(nonce)]


async def reader(_: "Gateway", request: "Request") -> Answer:
    """The page that shows the API."""
    nonce = secrets.token_urlsafe(16)
    body = _file("docs.html").replace(_NONCE_MARK, nonce.encode())
    return Answer(200, body, _for_people(request, nonce))


async def problem_page(_: "Gateway", request: "Request") -> Answer:
    """What a kind of error means."""
    code = request.path.removeprefix("/problems/")
    nonce = secrets.token_urlsafe(16)
    body = problems.page(code, request.language or languages.DEFAULT, nonce)
    return Answer(200, body, _for_people(request, nonce))


async def event_schema(_: "Gateway", request: "Request") -> Answer:
    """The JSON Schema of an event's data, at the address its ``dataschema`` names."""
    kind = unquote(request.path.removeprefix("/v1/schemas/"))
    for owner in catalog.owners():
        for event in catalog.events(owner):
            if event.type == kind:
                components = Components()
                schema: dict[str, Any] = components.described(event)
                if components.schemas:
                    schema["components"] = {"schemas": components.schemas}
                dialect = "https://json-schema.org/draft/2020-12/schema"
                body = codec.dumps({"$schema": dialect, "$id": request.path, **schema})
                return Answer(200, body, [answers.JSON])
    raise Problem(404, "path_not_found")


def _redirect(to: str) -> Page:
    async def redirect(_: "Gateway", __: "Request") -> Answer:
        answer = Answer(302, headers=[])
        answer.add("location", to)
        return answer

    return redirect


class Pages:
    """The pages by their address."""

    def __init__(self, settings: Settings) -> None:
        self._exact: dict[str, Page] = {
            "/": _redirect("/docs"),
            "/docs": reader,
            "/openapi.json": description,
            "/healthz": alive,
            "/readyz": ready,
            "/metrics": counted,
        }
        if settings.development:
            for path, name in _INBOXES.items():
                if settings.text(name):
                    self._exact[path] = _redirect(settings.text(name))
        self._below: dict[str, Page] = {
            "/problems/": problem_page,
            "/v1/schemas/": event_schema,
        }

    def find(self, path: str) -> Page | None:
        """The page at that address."""
        exact = self._exact.get(path)
        if exact is not None:
            return exact
        for prefix, page in self._below.items():
            rest = path.removeprefix(prefix)
            if rest != path and rest and set(rest) <= _NAME:
                return page
        return None


_NAME = frozenset("abcdefghijklmnopqrstuvwxyz0123456789_.")


def described(gateway: "Gateway") -> bytes:
    """The OpenAPI document as it is served."""
    server = gateway.resources.settings.text("PUBLIC_URL", "/")
    return codec.dumps(openapi.document(gateway.table.rows, server))
