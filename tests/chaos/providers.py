"""Providers of e-mail and SMS as bad as they come: slow, refusing, taking a message and hanging up.

They run in a thread of the test and count what they took, whether or not they said so.
"""

import asyncio
import random
import re
import threading
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path

from crmkit.local import smpp_simulator as smpp
from crmkit.local.inbox import InboxStore

LOOPBACK = "127.0.0.1"
_MESSAGE_ID = re.compile(rb"(?im)^message-id: *<([^@>]+)@")
Connected = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]

# What becomes of a hundred messages on average; the rest is taken at once.
SLOW, HANG_UP_BEFORE, HANG_UP_AFTER, NOT_NOW, NEVER = 4, 2, 2, 3, 1


@dataclass
class Taken:
    """What a provider took. ``silently`` counts by lane how often it hung up over a body."""

    messages: Counter[str] = field(default_factory=Counter)
    ids: dict[str, set[str]] = field(default_factory=dict)
    silently: Counter[str] = field(default_factory=Counter)

    def note(self, address: str, message_id: str = "") -> None:
        """One message to an address, under the id it bears."""
        self.messages[address] += 1
        self.ids.setdefault(address, set()).add(message_id)


class Provider:
    """A server on a port of its own, in a thread of its own."""

    def __init__(self, connected: Connected) -> None:
        self._connected = connected
        self._loop = asyncio.new_event_loop()
        self._listening = threading.Event()
        self._thread = threading.Thread(target=self._run, name="provider", daemon=True)
        self.port = 0

    def __enter__(self) -> "Provider":
        self._thread.start()
        assert self._listening.wait(5)
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        server = self._loop.run_until_complete(
            asyncio.start_server(self._connected, LOOPBACK, 0, limit=2**20)
        )
        self.port = server.sockets[0].getsockname()[1]
        self._listening.set()
        self._loop.run_forever()
        server.close()
        for task in asyncio.all_tasks(self._loop):
            task.cancel()
        self._loop.run_until_complete(asyncio.sleep(0.05))
        self._loop.close()


def fate(dice: random.Random) -> str:
    """What is to become of the next message."""
    weights = {
        "slow": SLOW,
        "hang up before": HANG_UP_BEFORE,
        "hang up after": HANG_UP_AFTER,
        "not now": NOT_NOW,
        "never": NEVER,
    }
    rest = 100 - sum(weights.values())
    return dice.choices([*weights, "taken"], [*weights.values(), rest])[0]


def lane_of(address: str) -> str:
    """The lane of a message, with which its address begins."""
    return address.partition("-")[0]


class MailServer:
    """SMTP, one conversation a connection. Half of the refusals come before the body."""

    def __init__(self, seed: int, taken: Taken) -> None:
        self._dice = random.Random(seed)
        self._taken = taken

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Talk until one of the two has enough."""
        address, what = "", ""
        writer.write(b"220 here\r\n")
        while line := await reader.readline():
            command = line[:4].upper()
            if command == b"QUIT":
                break
            reply: bytes | None = b"250 yes\r\n"
            if command == b"RCPT":
                address = line.split(b"<")[1].split(b">")[0].decode()
                what = fate(self._dice)
                reply = refusal(what) if self._dice.random() < 0.5 else reply
            elif command == b"DATA":
                reply = await self._data(reader, writer, address, what)
            if reply is None:
                break
            writer.write(reply)

    async def _data(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, address: str, what: str
    ) -> bytes | None:
        """What is said to a body; None for no word at all."""
        writer.write(b"354 go on\r\n")
        if what == "hang up before":
            await reader.read(64)
            self._taken.silently[lane_of(address)] += 1
            return None
        body = await reader.readuntil(b"\r\n.\r\n")
        reply = refusal(what)
        if reply.startswith(b"250"):
            found = _MESSAGE_ID.search(body)
            self._taken.note(address, found[1].decode() if found else "")
        if what == "hang up after":
            self._taken.silently[lane_of(address)] += 1
            return None
        if what == "slow":
            await asyncio.sleep(self._dice.uniform(0.05, 0.4))
        return reply


def refusal(what: str) -> bytes:
    """What is said to a message of that fate."""
    return {
        "not now": b"451 4.7.1 Not now.\r\n",
        "never": b"554 5.7.1 Never.\r\n",
    }.get(what, b"250 yes\r\n")


def mail_server(seed: int, taken: Taken) -> Provider:
    """An SMTP server."""
    return Provider(_quietly(MailServer(seed, taken)))


def sms_centre(seed: int, taken: Taken, folder: Path, login: tuple[str, str]) -> Provider:
    """SMPP: the simulator of ``make run``, spoiled."""
    dice = random.Random(seed)

    class Link(smpp.Link):
        """A connection to whose submits anything may happen."""

        def _submit(self, sequence: int, body: bytes) -> None:
            what = fate(dice)
            address = smpp.parse_submit(body).destination
            if what in ("not now", "never"):
                status = smpp.THROTTLED if what == "not now" else smpp.BAD_DESTINATION
                self.send(smpp.SUBMIT | smpp.REPLY, status=status, sequence=sequence)
                return
            if what != "hang up before":
                taken.note(address)
            if what == "hang up after":
                self.centre.accept(smpp.parse_submit(body), self)
            if what.startswith("hang up"):
                taken.silently["marketing_sms"] += 1
                self.writer.transport.abort()
                return
            later = dice.uniform(0.05, 0.4) if what == "slow" else 0
            loop = asyncio.get_running_loop()
            loop.call_later(later, smpp.Link._submit, self, sequence, body)

    store = InboxStore(folder / "sms.sqlite")
    centre = smpp.Centre(store, *login, receipt_seconds=0.05)

    async def converse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await Link(centre, writer).listen(reader)

    return Provider(_quietly(converse))


def _quietly(converse: Connected) -> Connected:
    async def until_it_breaks(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await converse(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            writer.close()

    return until_it_breaks
