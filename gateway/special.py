"""Addresses beside the table: health, metrics, the description of the API and pages for people."""

import re
import secrets
import string
from collections.abc import Awaitable, Callable
from functools import cache
from importlib import resources as files
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from contracts import notifications
from crmkit import catalog, codec, metrics
from crmkit.context import Actor, Context
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
_HEAD_MARK = b"{{head}}\n"
"""Where a page that customers see has the head that all of those share: style and language."""
_ONE_CLICK = re.compile(rb'(?:^|&|name="?)List-Unsubscribe(?:=|"?\r?\n\r?\n)One-Click(?:$|&|\r?\n)')
"""As a form is written, in either of its two encodings."""
_LONGEST_FORM = 4096
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
    page = (files.files("gateway") / "pages" / name).read_bytes()
    return page.replace(_HEAD_MARK, _file("head.html")) if _HEAD_MARK in page else page


def _for_people(request: "Request", nonce: str) -> list[answers.Header]:
    request.extra = [one for one in request.extra if one != answers.API_POLICY]
    return [answers.HTML, answers.page_policy(nonce)]


def _page(file: str) -> Page:
    async def page(_: "Gateway", request: "Request") -> Answer:
        nonce = secrets.token_urlsafe(16)
        body = _file(file).replace(_NONCE_MARK, nonce.encode())
        return Answer(200, body, _for_people(request, nonce))

    return page


async def problem_page(_: "Gateway", request: "Request") -> Answer:
    """What a kind of error means."""
    code = request.path.removeprefix("/problems/")
    nonce = secrets.token_urlsafe(16)
    body = problems.page(code, request.language or languages.DEFAULT, nonce)
    return Answer(200, body, _for_people(request, nonce))


async def one_click(gateway: "Gateway", request: "Request") -> Answer:
    """What a mail program posts when somebody presses its button to unsubscribe (RFC 8058)."""
    gateway.pay(request, gateway.limits["public"], request.place)
    if not _ONE_CLICK.search(await request.body(_LONGEST_FORM)):
        sentence = "Send the form field List-Unsubscribe=One-Click."
        raise problems.invalid("List-Unsubscribe", sentence)
    answered = await gateway.resources.client.call(
        notifications.Unsubscribe,
        {"token": request.path.removeprefix("/u/")},
        Context(
            request_id=request.id,
            actor=Actor(kind="anonymous", scope="own"),
            language=request.language or languages.DEFAULT,
            address=request.address,
        ),
        seconds=5.0,
    )
    return Answer(200, answered.body)


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
            "/docs": _page("docs.html"),
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
            # Where the link in a survey mail leads; the page asks the API by itself.
            "/s/": _page("survey.html"),
            # The way out of advertising; looking at it changes nothing, as link checkers do that.
            "/u/": _page("unsubscribe.html"),
        }
        self._posted: dict[str, Page] = {"/u/": one_click}

    def find(self, path: str, method: str) -> Page | None:
        """The page at that address; 405 for another method than it has."""
        below = next((prefix for prefix in self._below if _lies_below(path, prefix)), "")
        page = self._exact.get(path) or self._below.get(below)
        if page is None or method in {"GET", "HEAD"}:
            return page
        posted = self._posted.get(below)
        if posted is not None and method == "POST":
            return posted
        allowed = "GET, HEAD, POST" if posted else "GET, HEAD"
        raise Problem(405, "method_not_allowed", headers={"allow": allowed})


def _lies_below(path: str, prefix: str) -> bool:
    rest = path.removeprefix(prefix)
    return bool(rest) and rest != path and set(rest) <= _NAME


_NAME = frozenset(string.ascii_letters + string.digits + "_.-")


def described(gateway: "Gateway") -> bytes:
    """The OpenAPI document as it is served."""
    server = gateway.resources.settings.text("PUBLIC_URL", "/")
    return codec.dumps(openapi.document(gateway.table.rows, server))
