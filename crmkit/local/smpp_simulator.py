"""An SMS centre that speaks SMPP 3.4, keeps every message for looking at and delivers none.

The last two digits of the destination choose what happens: 98 undeliverable, 97 expired,
96 throttled, 95 invalid address, 94 no receipt, anything else delivered.  Section numbers are
those of the SMPP 3.4 specification, issue 1.2.
"""

import asyncio
import logging
import struct
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from html import escape
from itertools import count
from pathlib import Path
from typing import Any

from crmkit.local.inbox import Inbox, InboxStore, serving

log = logging.getLogger(__name__)

HEADER = struct.Struct(">IIII")
# 5.1.2.1: command ids; a reply has the highest bit set.
BIND_RECEIVER, BIND_TRANSMITTER, BIND_TRANSCEIVER = 0x01, 0x02, 0x09
SUBMIT, DELIVER, UNBIND, ENQUIRE_LINK = 0x04, 0x05, 0x06, 0x15
REPLY = 0x80000000
GENERIC_NACK = 0x80000000
# 5.1.3: command status.
OK, BAD_LENGTH, BAD_COMMAND, BAD_BIND_STATE, ALREADY_BOUND = 0x00, 0x02, 0x03, 0x04, 0x05
SYSTEM_ERROR, BAD_DESTINATION, BAD_PASSWORD, BAD_SYSTEM_ID, THROTTLED = 0x08, 0x0B, 0x0E, 0x0F, 0x58
LARGEST_PDU_BYTES = 65_536
# 5.3.2: optional parameters.
SAR_REFERENCE, SAR_TOTAL, SAR_NUMBER, MESSAGE_PAYLOAD = 0x020C, 0x020E, 0x020F, 0x0424
RECEIPTED_ID, MESSAGE_STATE = 0x001E, 0x0427
# 5.2.12: the message starts with a user data header; it is a delivery receipt.
ESM_UDH, ESM_RECEIPT = 0x40, 0x04
# 5.2.17: receipts always, or only about failures.
RECEIPT_ALWAYS, RECEIPT_ON_FAILURE = 1, 2
# 5.2.28: message states.
STATES = {"DELIVRD": 2, "EXPIRED": 3, "UNDELIV": 5}
REFUSALS = {"96": THROTTLED, "95": BAD_DESTINATION}
OUTCOMES = {"98": "UNDELIV", "97": "EXPIRED"}
NO_RECEIPT = "94"

# 3GPP TS 23.038, 6.2.1: the default alphabet and its extension; SMPP sends a septet per octet.
GSM_ALPHABET = (
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞ\x1bÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
GSM_EXTENSION = {
    0x0A: "\f", 0x14: "^", 0x28: "{", 0x29: "}", 0x2F: "\\", 0x3C: "[", 0x3D: "~", 0x3E: "]",
    0x40: "|", 0x65: "€",
}  # fmt: skip


def decode_gsm(octets: bytes) -> str:
    """The text of unpacked GSM septets."""
    text, escaped = [], False
    for octet in octets:
        if octet == 0x1B:
            escaped = True
            continue
        plain = GSM_ALPHABET[octet & 0x7F]
        text.append(GSM_EXTENSION.get(octet, plain) if escaped else plain)
        escaped = False
    return "".join(text)


def decode(octets: bytes, data_coding: int) -> str:
    """The text in this coding (5.2.19); what cannot be text is shown as hexadecimal."""
    match data_coding:
        case 0:
            return decode_gsm(octets)
        case 1:
            return octets.decode("ascii", errors="replace")
        case 3:
            return octets.decode("latin-1")
        case 8:
            return octets.decode("utf-16-be", errors="replace")
        case _:
            return octets.hex(" ")


class Malformed(Exception):
    """A PDU that ends too early."""


@dataclass(slots=True)
class Fields:
    """Reads the parts of a PDU's body one after the other."""

    body: bytes
    position: int = 0

    def text(self) -> str:
        """A C-octet string."""
        end = self.body.find(b"\0", self.position)
        if end < 0:
            raise Malformed
        found = self.body[self.position : end].decode("latin-1")
        self.position = end + 1
        return found

    def octet(self) -> int:
        """One number of one octet."""
        return self.octets(1)[0]

    def octets(self, size: int) -> bytes:
        """So many octets."""
        end = self.position + size
        if end > len(self.body):
            raise Malformed
        found = self.body[self.position : end]
        self.position = end
        return found

    def optional(self) -> dict[int, bytes]:
        """The optional parameters, which stand last."""
        found: dict[int, bytes] = {}
        while self.position < len(self.body):
            tag, size = struct.unpack(">HH", self.octets(4))
            found[tag] = self.octets(size)
        return found


@dataclass(frozen=True, slots=True)
class Submitted:
    """A submit_sm (4.4.1), as far as it matters here; `octets` without the user data header."""

    source: str
    destination: str
    data_coding: int
    wants_receipt: int
    octets: bytes
    reference: int = 0
    total: int = 1
    number: int = 1


def parse_submit(body: bytes) -> Submitted:
    """The message in a submit_sm; Malformed when it is none."""
    fields = Fields(body)
    fields.text()
    fields.octets(2)
    source = fields.text()
    fields.octets(2)
    destination = fields.text()
    esm_class = fields.octet()
    fields.octets(2)
    fields.text()
    fields.text()
    wants_receipt = fields.octet() & 0x03
    fields.octet()
    data_coding = fields.octet()
    fields.octet()
    octets = fields.octets(fields.octet())
    optional = fields.optional()
    octets = optional.get(MESSAGE_PAYLOAD, octets)
    part = (0, 1, 1)
    if esm_class & ESM_UDH:
        part, octets = split_header(octets)
    elif SAR_TOTAL in optional:
        part = (
            int.from_bytes(optional.get(SAR_REFERENCE, b"")),
            int.from_bytes(optional[SAR_TOTAL]),
            int.from_bytes(optional.get(SAR_NUMBER, b"\1")),
        )
    return Submitted(source, destination, data_coding, wants_receipt, octets, *part)


def split_header(octets: bytes) -> tuple[tuple[int, int, int], bytes]:
    """Reference, total and number from a user data header (TS 23.040, 9.2.3.24), and the rest."""
    if not octets or octets[0] >= len(octets):
        raise Malformed
    elements, rest = Fields(octets[1 : 1 + octets[0]]), octets[1 + octets[0] :]
    while elements.position < len(elements.body):
        kind = elements.octet()
        data = elements.octets(elements.octet())
        if kind == 0x00 and len(data) == 3:
            return (data[0], data[1], data[2]), rest
        if kind == 0x08 and len(data) == 4:
            return (int.from_bytes(data[:2]), data[2], data[3]), rest
    return (0, 1, 1), rest


def receipt_text(message_id: str, outcome: str, submitted_at: datetime, text: str) -> str:
    """A delivery receipt in the format of appendix B; the first 20 letters must be ASCII here."""
    delivered = "001" if outcome == "DELIVRD" else "000"
    error = "000" if outcome == "DELIVRD" else "001"
    excerpt = text[:20].encode("ascii", errors="replace").decode()
    return (
        f"id:{message_id} sub:001 dlvrd:{delivered} submit date:{submitted_at:%y%m%d%H%M}"
        f" done date:{datetime.now(UTC):%y%m%d%H%M} stat:{outcome} err:{error} text:{excerpt}"
    )


def deliver_body(
    source: str, destination: str, esm_class: int, data_coding: int, octets: bytes
) -> bytes:
    """The body of a deliver_sm (4.6.1)."""
    return b"".join(
        (
            b"\0\1\1", source.encode("latin-1", "replace"), b"\0",
            b"\1\1", destination.encode("latin-1", "replace"), b"\0",
            bytes((esm_class, 0, 0, 0, 0, 0, 0, data_coding, 0, len(octets))), octets,
        )
    )  # fmt: skip


def parameter(tag: int, value: bytes) -> bytes:
    """An optional parameter."""
    return struct.pack(">HH", tag, len(value)) + value


@dataclass(slots=True)
class Centre:
    """The SMS centre: who is bound, what is kept, what waits for a receiver."""

    store: InboxStore
    system_id: str
    password: str
    receipt_seconds: float
    ids: Iterator[int] = field(
        default_factory=lambda: count(int(datetime.now(UTC).timestamp() * 1000))
    )
    links: list["Link"] = field(default_factory=list)
    waiting: list[bytes] = field(default_factory=list)
    pieces: dict[tuple[str, str, int, int], dict[int, Submitted]] = field(default_factory=dict)
    rows: dict[tuple[str, str, int, int], int] = field(default_factory=dict)
    tasks: set["asyncio.Task[None]"] = field(default_factory=set)

    def check(self, system_id: str, password: str) -> int:
        """The status that answers this login."""
        if system_id != self.system_id:
            return BAD_SYSTEM_ID
        return OK if password == self.password else BAD_PASSWORD

    def accept(self, message: Submitted, link: "Link") -> tuple[int, str]:
        """Keep a message and plan its receipt; the status and the id to answer with."""
        ending = message.destination[-2:]
        if ending in REFUSALS:
            return REFUSALS[ending], ""
        message_id = str(next(self.ids))
        outcome = OUTCOMES.get(ending, "DELIVRD")
        text = self._keep(message, message_id, outcome)
        wanted = message.wants_receipt == RECEIPT_ALWAYS or (
            message.wants_receipt == RECEIPT_ON_FAILURE and outcome != "DELIVRD"
        )
        if wanted and ending != NO_RECEIPT:
            task = asyncio.create_task(self._receipt(message, message_id, outcome, text, link))
            self.tasks.add(task)
            task.add_done_callback(self.tasks.discard)
        return OK, message_id

    def _keep(self, message: Submitted, message_id: str, outcome: str) -> str:
        """Put the part to the parts already there; the text as far as it has arrived."""
        key = (message.source, message.destination, message.reference, message.total)
        parts = self.pieces.setdefault(key, {}) if message.total > 1 else {}
        if message.number in parts:
            # The reference came round again: a new message.
            parts.clear()
            self.rows.pop(key, None)
        parts[message.number] = message
        # Decoded as one: a character may lie across the border of two parts.
        octets = b"".join(parts[number].octets for number in sorted(parts))
        text = decode(octets, message.data_coding)
        document = {
            "message_id": message_id,
            "from": message.source,
            "to": message.destination,
            "text": text,
            "data_coding": message.data_coding,
            "parts": message.total,
            "parts_received": len(parts),
            "outcome": outcome,
        }
        if key in self.rows and message.total > 1:
            self.store.replace(self.rows[key], document)
        else:
            self.rows[key] = self.store.add([message.destination], document, octets)
        if len(parts) == message.total:
            self.pieces.pop(key, None)
            self.rows.pop(key, None)
        return text

    async def _receipt(
        self, message: Submitted, message_id: str, outcome: str, text: str, link: "Link"
    ) -> None:
        submitted_at = datetime.now(UTC)
        await asyncio.sleep(self.receipt_seconds)
        octets = receipt_text(message_id, outcome, submitted_at, text).encode()
        body = deliver_body(message.destination, message.source, ESM_RECEIPT, 0, octets)
        body += parameter(RECEIPTED_ID, message_id.encode() + b"\0")
        body += parameter(MESSAGE_STATE, bytes((STATES[outcome],)))
        self.deliver(body, link)

    def deliver(self, body: bytes, preferred: "Link | None" = None) -> None:
        """Hand a deliver_sm to a receiver; it waits when nobody can receive."""
        receivers = [link for link in self.links if link.receives]
        if preferred in receivers:
            receivers = [preferred]
        if receivers:
            receivers[0].send(DELIVER, body)
        else:
            self.waiting.append(body)

    def bound(self, link: "Link") -> None:
        """Somebody logged in: hand over what waits."""
        self.links.append(link)
        if link.receives:
            waiting, self.waiting = self.waiting, []
            for body in waiting:
                link.send(DELIVER, body)

    def incoming(self, message: dict[str, Any], loop: asyncio.AbstractEventLoop) -> None:
        """A message from a phone: ``from``, ``to``, ``text``; comes from the page's thread."""
        text = str(message["text"])
        octets = text.encode("utf-16-be")
        if len(octets) > 140:
            raise ValueError("the text is longer than one SMS (70 characters)")
        body = deliver_body(str(message["from"]), str(message["to"]), 0, 8, octets)
        loop.call_soon_threadsafe(self.deliver, body)


@dataclass(eq=False, slots=True)
class Link:
    """One connection of a client."""

    centre: Centre
    writer: asyncio.StreamWriter
    bound_as: int = 0
    sequence: Iterator[int] = field(default_factory=lambda: count(1))

    @property
    def receives(self) -> bool:
        """Whether deliver_sm may be sent here."""
        return self.bound_as in (BIND_RECEIVER, BIND_TRANSCEIVER) and not self.writer.is_closing()

    def send(
        self, command: int, body: bytes = b"", status: int = OK, sequence: int | None = None
    ) -> None:
        """One PDU; requests of ours get the next sequence number."""
        number = next(self.sequence) if sequence is None else sequence
        self.writer.write(HEADER.pack(HEADER.size + len(body), command, status, number) + body)

    def answer(self, command: int, sequence: int, body: bytes) -> bool:
        """React to one PDU; whether to go on listening."""
        if command & REPLY:
            return True
        match command:
            case 0x01 | 0x02 | 0x09:
                self._bind(command, sequence, body)
            case 0x15:
                self.send(command | REPLY, sequence=sequence)
            case 0x06:
                self.send(command | REPLY, sequence=sequence)
                return False
            case 0x04:
                self._submit(sequence, body)
            case _:
                self.send(GENERIC_NACK, status=BAD_COMMAND, sequence=sequence)
        return True

    def _bind(self, command: int, sequence: int, body: bytes) -> None:
        fields = Fields(body)
        status = self.centre.check(fields.text(), fields.text())
        if self.bound_as:
            status = ALREADY_BOUND
        self.send(command | REPLY, b"rapport-sms\0", status, sequence)
        if status == OK:
            self.bound_as = command
            self.centre.bound(self)

    def _submit(self, sequence: int, body: bytes) -> None:
        if self.bound_as not in (BIND_TRANSMITTER, BIND_TRANSCEIVER):
            self.send(SUBMIT | REPLY, status=BAD_BIND_STATE, sequence=sequence)
            return
        status, message_id = self.centre.accept(parse_submit(body), self)
        reply = message_id.encode() + b"\0" if status == OK else b""
        self.send(SUBMIT | REPLY, reply, status, sequence)

    async def listen(self, reader: asyncio.StreamReader) -> None:
        """Answer PDUs until the client leaves or sends what is none."""
        try:
            while True:
                size, command, _status, sequence = HEADER.unpack(
                    await reader.readexactly(HEADER.size)
                )
                if not HEADER.size <= size <= LARGEST_PDU_BYTES:
                    self.send(GENERIC_NACK, status=BAD_LENGTH, sequence=0)
                    break
                body = await reader.readexactly(size - HEADER.size)
                try:
                    go_on = self.answer(command, sequence, body)
                except Malformed:
                    self.send(GENERIC_NACK, status=BAD_LENGTH, sequence=sequence)
                    go_on = True
                await self.writer.drain()
                if not go_on:
                    break
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            if self in self.centre.links:
                self.centre.links.remove(self)
            self.writer.close()


def row(message: dict[str, Any]) -> tuple[str, str, str]:
    """Who, what and where-to."""
    return message["from"], message["text"], message["to"]


def details(message: dict[str, Any], raw: bytes) -> dict[str, Any]:
    """The message and its octets."""
    return message | {"octets": raw.hex(" ")}


def view(message: dict[str, Any]) -> str:
    """The message as HTML."""
    codings = {0: "GSM 7-bit", 1: "ASCII", 3: "Latin-1", 8: "UCS-2"}
    coding = codings.get(message["data_coding"], f"data coding {message['data_coding']}")
    parts = f"{message['parts_received']} of {message['parts']} parts"
    facts = {
        "From": message["from"],
        "Message id": message["message_id"],
        "Sent as": f"{coding}, {parts}" if message["parts"] > 1 else coding,
    }
    listed = "".join(f"<dt>{k}</dt><dd>{escape(str(v))}</dd>" for k, v in facts.items())
    outcome = escape(message["outcome"])
    return (
        f'<h2>{escape(message["to"])}</h2><dl>{listed}<dt>Receipt</dt><dd><span class="state">'
        f'{outcome}</span></dd></dl><section><h3>Text</h3><pre class="plain">'
        f"{escape(message['text'])}</pre></section>"
    )


@asynccontextmanager
async def running(settings: Mapping[str, str], host: str) -> AsyncIterator[None]:
    """Serve SMPP and the page while the block runs."""
    loop = asyncio.get_running_loop()
    centre = Centre(
        InboxStore(Path(settings.get("SMS_SIMULATOR_FILE", "var/sms.sqlite"))),
        settings.get("SMS_SIMULATOR_SYSTEM_ID", "rapport"),
        settings.get("SMS_SIMULATOR_PASSWORD", "rapport"),
        float(settings.get("SMS_SIMULATOR_RECEIPT_SECONDS", "0.2")),
    )
    smpp_port = int(settings.get("SMS_SIMULATOR_SMPP_PORT", "2775"))
    http_port = int(settings.get("SMS_SIMULATOR_HTTP_PORT", "8026"))
    inbox = Inbox(
        title="SMS",
        hint="Every SMS that Rapport sends ends here. Numbers ending in 98 fail, 97 expire.",
        store=centre.store,
        row=row,
        details=details,
        view=view,
        incoming=lambda message: centre.incoming(message, loop),
    )

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await Link(centre, writer).listen(reader)

    server = await asyncio.start_server(connected, host, smpp_port)
    with closing(server), serving(inbox, host, http_port):
        log.info("SMPP on %s:%s, page on http://%s:%s", host, smpp_port, host, http_port)
        yield
