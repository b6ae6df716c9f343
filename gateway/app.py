"""The ASGI application: one dispatch for every row, and the order of the checks before it.

Starlette's Router runs the lifespan; its own routing and middleware stay out of the way, since
they cost more than the whole dispatch here.
"""

import asyncio
import logging
import re
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import Any

from sqlalchemy.orm import Session
from starlette.routing import Router
from starlette.types import Receive, Scope, Send

from crmkit import catalog, codec, logs, metrics, tracing
from crmkit.client import Client
from crmkit.context import Actor, Context
from crmkit.db import Database, Encoded, purge
from crmkit.errors import CrmError
from crmkit.ids import new_id
from crmkit.messages import load
from crmkit.settings import Settings, from_environment
from gateway import (
    addresses,
    answers,
    audit,
    audit_asked,
    keys,
    languages,
    problems,
    requests,
    special,
)
from gateway.answers import Answer, Header
from gateway.audit_refusals import Refusals
from gateway.identity import families, passwords
from gateway.identity.bearer import CACHE_SECONDS, Bearers
from gateway.limits import Limit
from gateway.patience import until_it_came
from gateway.principals import Principal
from gateway.problems import Problem
from gateway.resources import THREADS, Resources
from gateway.routes import LOGGED_IN, PUBLIC, Call, Composed, Route, Table

log = logging.getLogger(__name__)

_READING = frozenset(("GET", "HEAD"))

BODY_SECONDS = 10.0
CLEANING_SECONDS = 3600.0
_REQUEST_ID = re.compile(rb"[A-Za-z0-9._-]{8,64}")
_TRACEPARENT = re.compile(rb"00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}")
_ANONYMOUS = Actor(kind="anonymous", scope="own")


def _nothing() -> None:
    """What a request pays before it is known who pays for it."""


@dataclass(slots=True)
class Request:
    """One HTTP request while it is answered."""

    scope: Scope
    receive: Receive
    headers: dict[bytes, bytes]
    id: str
    path: str
    method: str
    language: str | None
    proxies: tuple[addresses.Network, ...]
    span: tracing.Span
    traceparent: str | None
    route: Route | None = None
    principal: Principal | None = None
    read: bool = False
    pay_again: Callable[[], object] = _nothing
    extra: list[Header] = field(default_factory=list)

    @property
    def address(self) -> str:
        """Where it came from."""
        client = self.scope.get("client")
        peer = str(client[0]) if client else "unknown"
        return addresses.origin(peer, self.headers.get(b"x-forwarded-for"), self.proxies)

    @property
    def place(self) -> str:
        """Where limits see it come from."""
        return addresses.household(self.address)

    async def body(self, most: int) -> bytes:
        """The whole body; 413 when it has more than ``most`` bytes, 408 when it does not come."""
        length = self.headers.get(b"content-length", b"0")
        if not length.isdigit() or int(length) > most:
            raise _too_large(most)
        received = bytearray()
        try:
            async with asyncio.timeout(BODY_SECONDS):
                more = True
                while more:
                    message = await self.receive()
                    if message["type"] == "http.disconnect":
                        raise Problem(400, "client_gone", "The client went away.")
                    received += message.get("body", b"")
                    if len(received) > most:
                        raise _too_large(most)
                    more = message.get("more_body", False)
        except TimeoutError:
            raise Problem(408, "body_timeout") from None
        self.read = True
        return bytes(received)


class Gateway:
    """The dispatch of one worker."""

    def __init__(self, resources: Resources, table: Table) -> None:
        settings = resources.settings
        self.resources = resources
        self.table = table
        self.bearers = Bearers(resources)
        self.refusals = Refusals(resources)
        # gunicorn takes only the scheme from its proxies, and leaves the address to us.
        self._proxies = addresses.trusted(settings.text("FORWARDED_ALLOW_IPS", "127.0.0.1"))
        rate = settings.number("RATE_PER_SECOND", 100)
        self.limits = {
            "default": Limit("default", rate, rate * 2),
            "public": Limit("public", 10, 100),
            "login": Limit("login", 1, 60),
        }
        self.pages = special.Pages(settings)
        _, self._fingerprinting = keys.newest("fingerprint", settings)
        self._fixed = answers.SAFETY if settings.development else (*answers.SAFETY, answers.HSTS)

    @cached_property
    def description(self) -> bytes:
        """The OpenAPI document, made when it is first asked for."""
        return special.described(self)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request; whatever happens, in the one shape."""
        began = time.perf_counter()
        request = _open(scope, receive, self._proxies)
        logs.request_id.set(request.id)
        try:
            answer = await self._answer(request)
        except (Problem, CrmError) as refusal:
            if refusal.status == 403:
                await self._note_refusal(request, refusal)
            answer = self._refused(request, refusal)
        except Exception:
            log.exception("A request failed.")
            answer = self._refused(request, Problem(500, "internal"))
        fixed = (*self._fixed, *request.extra, (b"request-id", request.id.encode()))
        await answers.write(send, answer, fixed, head=request.method == "HEAD")
        _tell(request, answer.status, time.perf_counter() - began)

    async def _answer(self, request: Request) -> Answer:
        found = self.table.find(request.path)
        if found is None:
            return await self._special(request)
        rows, values = found
        route = rows.get("GET" if request.method == "HEAD" else request.method)
        if route is None:
            return _other_method(request, rows)
        request.route = route
        request.extra.append(answers.API_POLICY)
        principal = await self._principal(request, route)
        actor = self._actor(route, principal)
        body = await request.body(route.max_body) if route.takes_body else b""
        fields = requests.fields_of(
            route, values, request.scope["query_string"], body, request.headers
        )
        context = self._context(request, route, principal, actor, fields)
        began = time.monotonic()
        call = Call(fields, context, principal, request.address)
        encoded = await self._ask(route, call, request.pay_again)
        if principal and request.method == "GET" and time.monotonic() - began > CACHE_SECONDS:
            # Whoever waited for events may have lost meanwhile what let them wait.
            self._actor(route, await self._principal(request, route))
        return _accepted(request, route, encoded)

    async def _special(self, request: Request) -> Answer:
        page = self.pages.find(request.path, request.method)
        if page is None:
            raise Problem(404, "path_not_found")
        return await page(self, request)

    async def _principal(self, request: Request, route: Route) -> Principal | None:
        """Whoever holds the token; None on public rows. Their bucket pays for the request."""
        if route.permission == PUBLIC:
            name = "public" if route.limit == "default" else route.limit
            self.pay(request, self.limits[name], request.place)
            return None
        if not self.bearers.knew(request):
            self.limits["public"].refuse_empty(request.place)
        principal = await self.bearers.principal(request)
        if principal is None:
            self.pay(request, self.limits["public"], request.place)
            raise Problem(401, "unauthenticated", headers={"www-authenticate": "Bearer"})
        self.pay(request, self.limits[route.limit], principal.key)
        request.principal = principal
        if principal.networks and not principal.may_come_from(request.address):
            raise Problem(403, "address_not_allowed")
        return principal

    @staticmethod
    def pay(request: Request, limit: Limit, key: str) -> None:
        """Take the request out of a bucket; 429 when it is empty."""
        state = limit.take(key)
        request.pay_again = partial(limit.take, key)
        request.extra += ((b"ratelimit-policy", limit.policy), (b"ratelimit", state))

    @staticmethod
    def _actor(route: Route, principal: Principal | None) -> Actor:
        if principal is None:
            return _ANONYMOUS
        if route.permission == LOGGED_IN:
            return principal.anyone
        actor = principal.actor(route.permission)
        if actor is None:
            if principal.needs_factor:
                raise Problem(403, "mfa_setup_required")
            sentence = f"This needs the permission {route.permission}."
            missing = {"permission": route.permission}
            raise Problem(403, "permission_missing", sentence, extra=missing)
        return actor

    def _context(
        self,
        request: Request,
        route: Route,
        principal: Principal | None,
        actor: Actor,
        fields: dict[str, Any],
    ) -> Context:
        command_id = requests.idempotency(
            route, request.path, principal.key if principal else None, request.headers
        )
        language = request.language or (principal.language if principal else None)
        return Context(
            request_id=request.id,
            actor=actor,
            language=language or languages.DEFAULT,
            command_id=command_id,
            fingerprint=requests.fingerprint(fields, self._fingerprinting) if command_id else None,
            traceparent=request.traceparent,
            address=request.address,
        )

    async def _ask(self, route: Route, call: Call, pay: Callable[[], object]) -> Encoded:
        """The answer of whoever owns the data."""
        resources = self.resources
        if route.handler is not None:
            call.request = load(route.command, call.request)
            return await route.handler(resources, call)
        if route.local is None:
            if route.audited:
                await audit_asked.note(resources, route, call)
            ask = partial(
                resources.client.call,
                route.command,
                call.request,
                call.context,
                seconds=route.seconds,
            )
            return await until_it_came(ask, pay)
        fields = load(route.command, call.request)
        work = resources.database.within(call.context)
        do = work.run if route.command.changes else work.read
        result = await resources.in_thread(do, route.local, **fields)
        return result if isinstance(result, Encoded) else _encoded(result)

    async def _note_refusal(self, request: Request, refusal: Problem | CrmError) -> None:
        route, principal = request.route, request.principal
        if route is not None and principal is not None:
            name = f"{route.method} {route.path}"
            await self.refusals.note(
                principal, request.address, request.id, route=name, code=refusal.code
            )

    def _refused(self, request: Request, refusal: Problem | CrmError) -> Answer:
        reading = request.route is not None and not request.route.takes_body
        problem = (
            refusal
            if isinstance(refusal, Problem)
            else problems.from_error(refusal, reading=reading)
        )
        if problem.status >= 500:
            log.warning(
                "A request was not served.",
                extra={"code": problem.code, "path": request.path},
            )
        if answers.API_POLICY not in request.extra:
            request.extra.append(answers.API_POLICY)
        language = request.language or languages.DEFAULT
        body = problem.body(language=language, instance=request.path, request_id=request.id)
        answer = Answer(problem.status, body, [(b"content-type", problems.MEDIA_TYPE)])
        answer.add("content-language", language)
        if request.method not in _READING and not request.read:
            # The server ends a connection whose request was not read to its end; a client that is
            # not told would send its next request into it.
            answer.add("connection", "close")
        named = {name for name, _ in request.extra}
        for name, value in problem.headers.items():
            if name.encode() not in named:
                answer.add(name, value)
        return answer


def _tell(request: Request, status: int, seconds: float) -> None:
    """Count and trace an answered request; log it if it may have changed something."""
    shown = request.route.path if request.route else "-"
    metrics.request_seconds(request.method, shown, status, seconds)
    outcome = "unavailable" if status >= 500 else "ok"
    request.span.end(outcome, name=f"{request.method} {shown}", status=status)
    if request.method not in _READING:
        told = {"method": request.method, "path": shown, "status": status}
        log.info("Answered.", extra={**told, "seconds": round(seconds, 4)})


def _open(scope: Scope, receive: Receive, proxies: tuple[addresses.Network, ...]) -> Request:
    headers = dict(scope["headers"])
    asked = headers.get(b"request-id", b"")
    accepted = headers.get(b"accept-language")
    trace = headers.get(b"traceparent", b"")
    parent = trace.decode() if _TRACEPARENT.fullmatch(trace) else None
    span = tracing.begin("server", scope["method"], parent)
    return Request(
        scope,
        receive,
        headers,
        asked.decode() if _REQUEST_ID.fullmatch(asked) else str(new_id()),
        scope["path"],
        scope["method"],
        languages.negotiate(accepted.decode("latin-1")) if accepted else None,
        proxies,
        span,
        span.traceparent or parent,
    )


def _encoded(result: Any) -> Encoded:
    version = result.get("version") if isinstance(result, Mapping) else None
    return Encoded(codec.dumps(result), version)


def _other_method(request: Request, rows: Mapping[str, Route]) -> Answer:
    allowed = sorted({*rows, "OPTIONS", *(("HEAD",) if "GET" in rows else ())})
    if request.method == "OPTIONS":
        answer = Answer(204, headers=[])
        answer.add("allow", ", ".join(allowed))
        return answer
    raise Problem(405, "method_not_allowed", headers={"allow": ", ".join(allowed)})


def _too_large(most: int) -> Problem:
    return Problem(413, "body_too_large", f"At most {most:,} bytes.")


def _accepted(request: Request, route: Route, encoded: Encoded) -> Answer:
    answer = Answer(route.status, encoded.body)
    if encoded.version is not None:
        tag = f'"v{encoded.version}"'
        answer.add("etag", tag)
        if route.method == "GET" and _seen(request.headers.get(b"if-none-match"), tag):
            return Answer(304, headers=answer.headers[1:])
    if encoded.replayed:
        answer.add("idempotent-replayed", "true")
    if route.status == 201:
        _locate(answer, request, route)
    if isinstance(encoded, Composed):
        for name, value in encoded.headers:
            answer.add(name, value)
    return answer


def _seen(if_none_match: bytes | None, tag: str) -> bool:
    if if_none_match is None:
        return False
    tags = (one.strip().removeprefix("W/") for one in if_none_match.decode("latin-1").split(","))
    return any(one in {tag, "*"} for one in tags)


def _locate(answer: Answer, request: Request, route: Route) -> None:
    reply = codec.loads(answer.body)
    if not isinstance(reply, dict) or "id" not in reply:
        return
    if route.location:
        answer.add("location", route.location.format(**reply))
    elif "/actions/" not in route.path:
        answer.add("location", f"{request.path.rstrip('/')}/{reply['id']}")


def application(settings: Settings, table: Table) -> Router:
    """The application of one worker; connections are opened when it starts, not before."""
    resources = Resources(
        settings,
        Client(settings.amqp_uri(catalog.GATEWAY)),
        Database(settings.database_url(catalog.GATEWAY), pool_size=THREADS, name="gateway"),
    )
    gateway = Gateway(resources, table)

    @asynccontextmanager
    async def lifespan(_: Router) -> AsyncIterator[None]:
        running = [
            asyncio.create_task(resources.client.run(), name="bus"),
            asyncio.create_task(_clean_now_and_then(resources), name="cleaning"),
        ]
        # Made before the first login, which would otherwise take longer and tell who exists.
        await asyncio.to_thread(passwords.nobodys)
        try:
            yield
        finally:
            for task in running:
                task.cancel()
            await asyncio.gather(*running, return_exceptions=True)
            resources.database.close()

    return Router(routes=[], redirect_slashes=False, default=gateway, lifespan=lifespan)


def _clean(session: Session) -> None:
    families.forget_old(session)
    audit.tell_head(session)


async def _clean_now_and_then(resources: Resources) -> None:
    while True:
        await asyncio.sleep(CLEANING_SECONDS)
        try:
            # Not among the requests' threads, which have little time.
            await asyncio.to_thread(purge, resources.database)
            await asyncio.to_thread(resources.database.within(Context()).run, _clean)
        except Exception:
            log.exception("Old rows could not be deleted.")


def create() -> Router:
    """What gunicorn serves."""
    from gateway.api import rows

    settings = from_environment()
    tracing.set_up(catalog.GATEWAY, settings)
    return application(settings, Table(rows()))
