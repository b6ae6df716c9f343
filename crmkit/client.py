"""Calling commands of services from asyncio: direct reply-to, deadlines, bulkhead and breaker."""

import asyncio
import itertools
import logging
import time
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import pika

from crmkit import bus, codec, tracing
from crmkit.clock import epoch_ms
from crmkit.context import Context, to_headers
from crmkit.db import Encoded
from crmkit.errors import Unavailable, from_wire
from crmkit.messages import Command
from crmkit.topology import RAW_HEADER, RPC_EXCHANGE

log = logging.getLogger(__name__)

CALL_SECONDS = 5.0
IN_FLIGHT = 50
FAILURES_TO_OPEN = 5
OPEN_SECONDS = 2.0
_REPLY_TO = "amq.rabbitmq.reply-to"


@dataclass
class Breaker:
    """Keeps calls off one service: at most 50 at once, none for 2 s after 5 failures in a row.

    Only silence counts as failure; a refusal by the service is an answer.
    """

    in_flight: int = 0
    failures: int = 0
    open_until: float = 0.0

    def enter(self, service: str) -> None:
        """Take a place; Unavailable when there is none."""
        if self.in_flight >= IN_FLIGHT:
            raise _unavailable(service, "has too many requests under way")
        if self.open_until:
            if time.monotonic() < self.open_until:
                raise _unavailable(service, "does not answer")
            # One probe goes through; the others keep waiting for its outcome.
            self.open_until = time.monotonic() + OPEN_SECONDS
        self.in_flight += 1

    def leave(self, *, answered: bool | None) -> None:
        """Give the place back and note whether the service answered; None when nobody waited."""
        self.in_flight -= 1
        if answered is None:
            return
        if answered:
            self.failures, self.open_until = 0, 0.0
            return
        self.failures += 1
        if self.failures >= FAILURES_TO_OPEN:
            self.open_until = time.monotonic() + OPEN_SECONDS


class _Lost(Unavailable):
    """The bus failed while an answer was awaited; says nothing of the service."""


def _shows_answering(error: Exception) -> bool | None:
    """Whether a call that ended so shows a service that answers; None when it shows neither."""
    if isinstance(error, _Lost):
        return None
    return not (isinstance(error, Unavailable) and "service" in error.details)


def _unavailable(service: str, why: str) -> Unavailable:
    return Unavailable(
        "service_unavailable",
        f"The service {service} {why}.",
        {"service": service, "retry_after": 1},
    )


@dataclass
class Client:
    """One connection to the bus for all calls of a process. ``run()`` keeps it up."""

    uri: str
    _link: bus.Link | None = None
    _channel: Any = None
    _pending: dict[str, asyncio.Future[Encoded]] = field(default_factory=dict)
    _breakers: dict[str, Breaker] = field(default_factory=dict)
    _numbers: Any = field(default_factory=itertools.count)
    _tags: Any = None
    _unconfirmed: dict[int, str] = field(default_factory=dict)

    @property
    def trouble(self) -> str | None:
        """Why calls cannot be made now; None when they can."""
        # A channel ends a moment before its link is noticed to have ended.
        if self._link is None or not self._channel.is_open:
            return "not connected to the broker"
        return "the broker takes no messages" if self._link.blocked else None

    async def run(self) -> None:
        """Connect, and connect again whenever the link ends, until cancelled."""
        pause = 0.2
        while True:
            try:
                await self._serve()
                pause = 0.2
            except (OSError, TimeoutError, pika.exceptions.AMQPError) as error:
                log.warning("The broker cannot be reached.", extra={"cause": repr(error)})
            await asyncio.sleep(pause)
            pause = min(pause * 2, 2.0)

    async def _serve(self) -> None:
        link = await bus.connect(self.uri)
        try:
            channel = await link.channel()
            channel.basic_consume(_REPLY_TO, self._on_reply, auto_ack=True)
            channel.add_on_return_callback(self._on_return)
            # Without confirms the broker drops in silence what a full queue refuses, or one whose
            # leader has just died, and the caller would wait for its deadline.
            channel.confirm_delivery(self._on_confirm)
            self._tags, self._unconfirmed = itertools.count(1), {}
            self._link, self._channel = link, channel
            link.when_blocked = partial(self._fail_pending, "became full")
            reason = await link.closed
            log.warning("The link to the broker ended.", extra={"cause": reason})
        finally:
            self._link = self._channel = None
            self._fail_pending("was lost")
            link.close()

    def _fail_pending(self, why: str) -> None:
        """Answer all that wait. What they asked for may have been done: asked again, it is told."""
        for future in self._pending.values():
            if not future.done():
                sentence = f"The bus {why} while the answer was awaited."
                future.set_exception(_Lost("bus_unavailable", sentence, {"retry_after": 1}))
        self._pending.clear()

    def _on_confirm(self, frame: Any) -> None:
        method = frame.method
        tags = [method.delivery_tag]
        if method.multiple:
            tags = [tag for tag in self._unconfirmed if tag <= method.delivery_tag]
        for tag in tags:
            future = self._pending.get(self._unconfirmed.pop(tag, ""))
            refused = isinstance(method, pika.spec.Basic.Nack)
            if refused and future is not None and not future.done():
                sentence = "The bus does not take the command now."
                future.set_exception(_Lost("bus_unavailable", sentence, {"retry_after": 1}))

    def _on_reply(self, _: Any, __: Any, properties: Any, body: bytes) -> None:
        future = self._pending.pop(properties.correlation_id, None)
        if future is None or future.done():
            return
        headers = properties.headers or {}
        if "crm-error" in headers:
            # An exception here would end the link for everybody.
            try:
                future.set_exception(from_wire(codec.loads(body)))
            except (ValueError, AttributeError):
                future.set_exception(_unavailable("bus", "brought an answer that is none"))
        else:
            replayed = "crm-replayed" in headers
            future.set_result(Encoded(body, headers.get("crm-version"), replayed))

    def _on_return(self, _: Any, method: Any, properties: Any, __: bytes) -> None:
        future = self._pending.pop(properties.correlation_id, None)
        if future is not None and not future.done():
            service = method.routing_key.split(".")[0]
            future.set_exception(_unavailable(service, "is not there"))

    async def channel(self) -> Any:
        """A pika channel for one reader alone; when it ends, nothing else does.

        Unavailable while there is no link, or when the broker gives none.
        """
        if self._link is None:
            raise Unavailable("bus_unavailable", "The bus is not connected.", {"retry_after": 1})
        try:
            return await self._link.channel(essential=False)
        except (ConnectionError, TimeoutError, pika.exceptions.AMQPError) as error:
            raise Unavailable(
                "bus_unavailable", "The bus gives no channel.", {"retry_after": 1}
            ) from error

    async def call(
        self,
        command: type[Command],
        request: dict[str, Any],
        context: Context,
        *,
        seconds: float = CALL_SECONDS,
    ) -> Encoded:
        """The service's answer as JSON, untouched; its refusal as the error it raised.

        Unavailable when the bus or the service does not answer in time. What is still waiting in
        the queue at the deadline is dropped unexecuted.
        """
        with tracing.span("client", f"{command.owner}.{command.name}", context) as inner:
            return await self._call(command, request, inner, seconds)

    async def _call(
        self, command: type[Command], request: dict[str, Any], context: Context, seconds: float
    ) -> Encoded:
        trouble, link = self.trouble, self._link
        if trouble or link is None:
            raise Unavailable("bus_unavailable", f"The bus: {trouble}.", {"retry_after": 1})
        breaker = self._breakers.setdefault(command.owner, Breaker())
        breaker.enter(command.owner)
        answered: bool | None = None
        number, future = self._expect()
        try:
            headers = to_headers(replace(context, deadline=epoch_ms() + int(seconds * 1000)))
            self._publish(link.user, command, request, headers, number, seconds)
            answer = await asyncio.wait_for(future, seconds)
            answered = True
            return answer
        except TimeoutError:
            answered = False
            raise _unavailable(command.owner, "did not answer in time") from None
        except Exception as error:
            answered = _shows_answering(error)
            raise
        finally:
            self._pending.pop(number, None)
            breaker.leave(answered=answered)

    def _expect(self) -> tuple[str, "asyncio.Future[Encoded]"]:
        """A new correlation id, and what will hold the reply to it."""
        number = str(next(self._numbers))
        future = self._pending[number] = asyncio.get_running_loop().create_future()
        return number, future

    def _publish(
        self,
        user: str,
        command: type[Command],
        request: dict[str, Any],
        headers: dict[str, Any],
        number: str,
        seconds: float,
    ) -> None:
        headers[RAW_HEADER] = 1
        self._channel.basic_publish(
            RPC_EXCHANGE,
            f"{command.owner}.{command.name}",
            codec.dumps({"args": (), "kwargs": request}),
            pika.BasicProperties(
                content_type="application/json",
                content_encoding="utf-8",
                correlation_id=number,
                reply_to=_REPLY_TO,
                expiration=str(int(seconds * 1000)),
                delivery_mode=1,
                user_id=user,
                headers=headers,
            ),
            mandatory=True,
        )
        self._unconfirmed[next(self._tags)] = number
