"""Text messages over one kept SMPP 3.4 bind, which also brings the receipts."""

import logging
import re
import select
import socket
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import unquote, urlsplit

import smpplib.client
import smpplib.exceptions

from services.notifications.channels import Outcome, Outgoing, sms_text

log = logging.getLogger(__name__)

TIMEOUT_SECONDS = 10.0
_ALIVE_SECONDS = 30.0
"""How often we ask whether the other side is still there, when it is quiet."""
_PATIENCE = 5
"""How often, a second apart, the rest of a text is tried again when the centre is busy."""
_UDH = 0x40
_TRY_LATER = 0x08
# SMPP 3.4, 5.1.3.
_DEFERRING = frozenset({0x08, 0x14, 0x58})
"""System error, queue full, throttled."""
_NO_SUCH_NUMBER = frozenset({0x0B})
_NOT_FROM_US = 0x0A
"""Invalid source address: ours, and the same in every text."""
_STATES = {
    "DELIVRD": "delivered",
    "EXPIRED": "bounced",
    "DELETED": "bounced",
    "UNDELIV": "bounced",
    "REJECTD": "bounced",
}
"""Final states of a receipt (appendix B); others say that it is still on its way."""
_RECEIPT_ID = re.compile(r"\bid:(\S+)")
_RECEIPT_STATE = re.compile(r"\bstat:(\S+)(?:.*\berr:(\S+))?")

Receive = Callable[[str, str, str | None], None]
_LINK_TROUBLE = (OSError, smpplib.exceptions.ConnectionError, smpplib.exceptions.PDUError)


class SmppChannel:
    """Sends text messages from one name or number through one SMS centre.

    ``url`` is ``smpp://system:password@host:2775``. ``receive`` gets each receipt (id, state,
    reason) and returns when it is kept; only then the centre is told that we have it.
    """

    def __init__(self, url: str, sms_from: str, receive: Receive) -> None:
        self._url = urlsplit(url)
        if self._url.scheme != "smpp" or not self._url.hostname:
            raise SystemExit("SMPP_URL must be smpp:// with user, password and host.")
        self._from = sms_from.lstrip("+")
        # SMPP 3.4, 5.2.5: type of number 5 is a name, 1 an international number.
        self._from_type = (1, 1) if self._from.isdigit() else (5, 0)
        self._receive = receive
        self._client: Any = None
        self._answers: dict[int, Any] = {}
        self._heard = 0.0
        self._reference = 0

    def open(self) -> None:
        """Be bound; OSError when the centre does not want us."""
        if self._client is not None:
            return
        client = smpplib.client.Client(
            self._url.hostname,
            self._url.port or 2775,
            timeout=TIMEOUT_SECONDS,
            allow_unknown_opt_params=True,
            logger_name=__name__ + ".link",
        )
        client.set_message_sent_handler(self._on_answer)
        client.set_error_pdu_handler(self._on_answer)
        client.set_message_received_handler(self._on_delivery)
        try:
            client.connect()
            # Small packets both ways: Nagle's algorithm would hold each back for 40 ms.
            client._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            client.bind_transceiver(
                system_id=unquote(self._url.username or ""),
                password=unquote(self._url.password or ""),
            )
        except _LINK_TROUBLE as error:
            self._end(client)
            raise ConnectionError(f"The SMS centre refused: {error!r}") from error
        self._client, self._heard = client, time.monotonic()

    def send(self, message: Outgoing) -> Outcome:
        """Submit all parts of one text and wait for the answer to each."""
        self._reference = (self._reference + 1) % 256
        try:
            parts = sms_text.parts(message.text, self._reference)
        except ValueError as error:
            return Outcome("failed", str(error))
        ids: list[str] = []
        for part in parts.octets:
            outcome = self._submit(message.address, part, parts)
            for _ in range(_PATIENCE if ids else 0):
                if outcome.kind != "deferred":
                    break
                time.sleep(1)
                outcome = self._submit(message.address, part, parts)
            if outcome.kind != "sent":
                return _after_parts(outcome, ids)
            ids.extend(outcome.provider_ids)
        return Outcome("sent", None, tuple(ids))

    def _submit(self, to: str, octets: bytes, parts: sms_text.Parts) -> Outcome:
        if self._client is None:
            return Outcome("not_begun", "not bound")
        ton, npi = self._from_type
        try:
            pdu = self._client.send_message(
                source_addr_ton=ton,
                source_addr_npi=npi,
                source_addr=self._from,
                dest_addr_ton=1,
                dest_addr_npi=1,
                destination_addr=to.lstrip("+"),
                short_message=octets,
                data_coding=parts.coding,
                esm_class=_UDH if parts.concatenated else 0,
                registered_delivery=1,
            )
            answer = self._answer_to(pdu.sequence)
        except _LINK_TROUBLE as error:
            self._drop()
            return Outcome("unclear", repr(error))
        outcome = answered(answer)
        if outcome.kind == "not_begun":
            log.error("The SMS centre refuses our own address.", extra={"cause": outcome.reason})
            self._drop()
        return outcome

    def _answer_to(self, sequence: int) -> Any:
        """The answer to a submit; receipts that come first are taken in. TimeoutError."""
        end = time.monotonic() + TIMEOUT_SECONDS
        while sequence not in self._answers:
            if time.monotonic() > end:
                raise TimeoutError("The SMS centre does not answer.")
            self._client.read_once(auto_send_enquire_link=False)
        self._heard = time.monotonic()
        return self._answers.pop(sequence)

    def _on_answer(self, pdu: Any) -> None:
        self._answers[pdu.sequence] = pdu

    def _on_delivery(self, pdu: Any) -> int:
        """Keep a receipt; the status that answers it: an error has it delivered again."""
        found = receipt(pdu)
        if found is None:
            return 0
        try:
            self._receive(*found)
        except Exception as error:  # noqa: BLE001 - whatever keeps us from keeping it
            log.warning("A receipt could not be kept.", extra={"cause": repr(error)})
            return _TRY_LATER
        return 0

    def idle(self, seconds: float) -> None:
        """Take in receipts for so long; OSError when the bind is gone."""
        self.open()
        end = time.monotonic() + seconds
        try:
            while (left := end - time.monotonic()) > 0:
                readable, _, _ = select.select([self._client._socket], [], [], left)
                if readable:
                    self._client.read_once(auto_send_enquire_link=False)
                    self._heard = time.monotonic()
            if time.monotonic() - self._heard > _ALIVE_SECONDS:
                self._ask_alive()
        except _LINK_TROUBLE as error:
            self._drop()
            raise ConnectionError(f"The SMS centre went away: {error!r}") from error

    def _ask_alive(self) -> None:
        self._client.send_pdu(smpplib.smpp.make_pdu("enquire_link", client=self._client))
        self._client.read_once(auto_send_enquire_link=False)
        self._heard = time.monotonic()

    def close(self) -> None:
        """Part politely."""
        if self._client is not None:
            try:
                self._client.unbind()
            except _LINK_TROUBLE as error:
                log.debug("The SMS centre did not say good-bye.", extra={"cause": repr(error)})
            self._drop()

    def _drop(self) -> None:
        if self._client is not None:
            self._end(self._client)
        self._client = None
        self._answers.clear()

    @staticmethod
    def _end(client: Any) -> None:
        client.state = smpplib.consts.SMPP_CLIENT_STATE_OPEN  # Or it logs that it was bound.
        client.disconnect()


def answered(pdu: Any) -> Outcome:
    """What a submit_sm_resp means."""
    if pdu.status == 0:
        return Outcome("sent", None, (pdu.message_id.decode("latin-1"),))
    reason = f"SMPP 0x{pdu.status:08X}"
    if pdu.status == _NOT_FROM_US:
        return Outcome("not_begun", reason)
    if pdu.status in _DEFERRING:
        return Outcome("deferred", reason)
    return Outcome("bounced" if pdu.status in _NO_SUCH_NUMBER else "failed", reason)


def _after_parts(outcome: Outcome, ids: list[str]) -> Outcome:
    """The outcome of a text of which some parts left before one did not."""
    if not ids:
        return outcome
    reason = f"only {len(ids)} parts left: {outcome.reason}"
    return Outcome("unclear" if outcome.kind == "unclear" else "failed", reason, tuple(ids))


def receipt(pdu: Any) -> tuple[str, str, str | None] | None:
    """Id, state and reason in a deliver_sm; None when it is no receipt or not the last word."""
    text = (pdu.short_message or b"").decode("latin-1")
    stated = _RECEIPT_STATE.search(text)
    tagged = getattr(pdu, "receipted_message_id", None)
    named = _RECEIPT_ID.search(text)
    state = _STATES.get(stated[1]) if stated else None
    if not state or not stated or not (tagged or named):
        return None
    identity = tagged.rstrip(b"\0").decode("latin-1") if tagged else named[1] if named else ""
    reason = f"{stated[1]} {stated[2] or ''}".strip()
    return identity, state, None if state == "delivered" else reason
