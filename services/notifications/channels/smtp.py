"""E-mail over one kept SMTP connection."""

import logging
import re
import smtplib
import ssl
import time
from email.utils import parseaddr
from urllib.parse import unquote, urlsplit

from crmkit.clock import now
from services.notifications.channels import Outcome, Outgoing, mime

log = logging.getLogger(__name__)

TIMEOUT_SECONDS = 30.0
_IDLE_SECONDS = 20.0
"""A connection nobody needs is given back before the server grows tired of it."""
_STARTS_WITH_DOT = re.compile(rb"(?m)^\.")
_UNREACHABLE_ADDRESS = (550, 551, 553)
_BY_POLICY = b"5.7."
"""The address is there, but the server does not want this mail from us (RFC 3463, 3.8)."""


class SmtpChannel:
    """Sends mail from one address through one server.

    ``url`` is ``smtp://host:port``, ``smtp+starttls://user:password@host:587`` or ``smtps://…``.
    """

    def __init__(self, url: str, mail_from: str) -> None:
        self._url = urlsplit(url)
        if self._url.scheme not in ("smtp", "smtp+starttls", "smtps") or not self._url.hostname:
            raise SystemExit("SMTP_URL must be smtp://, smtp+starttls:// or smtps:// and a host.")
        name, spec = parseaddr(mail_from)
        try:
            self._from = mime.address(spec)
        except ValueError:
            raise SystemExit(f"MAIL_FROM holds no e-mail address: {mail_from!r}.") from None
        self._sender = mime.mailbox(name, self._from)
        self._domain = self._from.rpartition("@")[2]
        self._smtp: smtplib.SMTP | None = None
        self._used = 0.0

    def open(self) -> None:
        """Have a connection; OSError when the server does not take one."""
        if self._smtp is not None:
            return
        try:
            self._smtp = self._connected()
        except smtplib.SMTPException as error:
            raise ConnectionError(f"The mail server refused: {error}") from error

    def _connected(self) -> smtplib.SMTP:
        host, scheme = self._url.hostname or "", self._url.scheme
        secure = ssl.create_default_context() if scheme != "smtp" else None
        port = self._url.port or {"smtp": 25, "smtps": 465}.get(scheme, 587)
        smtp: smtplib.SMTP
        if scheme == "smtps":
            smtp = smtplib.SMTP_SSL(
                host, port, self._domain, timeout=TIMEOUT_SECONDS, context=secure
            )
        else:
            smtp = smtplib.SMTP(host, port, self._domain, timeout=TIMEOUT_SECONDS)
        if scheme == "smtp+starttls":
            smtp.starttls(context=secure)
        smtp.ehlo_or_helo_if_needed()
        if self._url.username:
            smtp.login(unquote(self._url.username), unquote(self._url.password or ""))
        return smtp

    def send(self, message: Outgoing) -> Outcome:
        """Hand one mail to the server."""
        try:
            recipient = mime.address(message.address)
            raw = self._mail(message, recipient)
        except ValueError as error:
            return Outcome("failed", str(error))
        self._used = time.monotonic()
        try:
            refusal = self._envelope(recipient)
        except (OSError, smtplib.SMTPException) as error:
            self._drop()
            return Outcome("not_begun", repr(error))
        if refusal is not None:
            return self._after_refusal(refusal)
        try:
            return self._data(raw)
        except (OSError, smtplib.SMTPException) as error:
            # The body was on its way: the server may have it, and nobody will tell.
            self._drop()
            return Outcome("unclear", repr(error))

    def _mail(self, message: Outgoing, recipient: str) -> bytes:
        return mime.mail(
            (
                ("From", self._sender),
                ("To", mime.mailbox(message.name, recipient)),
                ("Subject", mime.unstructured(message.subject)),
                ("Date", mime.date(now())),
                ("Message-ID", f"<{message.id}@{self._domain}>"),
                ("Content-Language", message.language),
                *message.headers,
            ),
            message.text,
        )

    def _envelope(self, recipient: str) -> Outcome | None:
        """Announce one mail; the refusal, or None when the server waits for the body.

        MAIL says the same for all mails, so whatever is wrong there, the mail has not been tried:
        OSError or ``not_begun``. From RCPT on it may be this mail that the server cannot bear.
        """
        smtp = self._connection
        code, reply = smtp.mail(self._from)
        if code != 250:
            said = _said(code, reply)
            if code >= 500:
                log.error("The mail server refuses our own address.", extra={"cause": said})
            self._drop()
            return Outcome("not_begun", said)
        try:
            code, reply = smtp.rcpt(recipient)
            if code not in (250, 251):
                return refused(code, reply, about_recipient=True)
            code, reply = smtp.docmd("DATA")
            return None if code == 354 else refused(code, reply)
        except (OSError, smtplib.SMTPException) as error:
            self._drop()
            return Outcome("deferred", repr(error))

    def _data(self, raw: bytes) -> Outcome:
        smtp = self._connection
        smtp.send(_STARTS_WITH_DOT.sub(b"..", raw) + b".\r\n")
        code, reply = smtp.getreply()
        if code < 200 or 300 <= code < 400:
            raise smtplib.SMTPServerDisconnected(f"An answer that is none: {code}")
        return Outcome("sent") if code < 300 else refused(code, reply)

    def _after_refusal(self, refusal: Outcome) -> Outcome:
        if self._smtp is None:
            return refusal
        try:
            self._connection.rset()
        except (OSError, smtplib.SMTPException):
            self._drop()
        return refusal

    @property
    def _connection(self) -> smtplib.SMTP:
        if self._smtp is None:
            raise smtplib.SMTPServerDisconnected("not connected")
        return self._smtp

    def idle(self, seconds: float) -> None:
        """Wait; a connection that has not been used for a while is closed."""
        if self._smtp is not None and time.monotonic() - self._used > _IDLE_SECONDS:
            self.close()
        time.sleep(seconds)

    def close(self) -> None:
        """Part politely."""
        if self._smtp is not None:
            try:
                self._smtp.quit()
            except (OSError, smtplib.SMTPException):
                self._drop()
            self._smtp = None

    def _drop(self) -> None:
        if self._smtp is not None:
            self._smtp.close()
            self._smtp = None


def refused(code: int, reply: bytes, *, about_recipient: bool = False) -> Outcome:
    """What a reply other than yes means (RFC 5321, 4.2.1)."""
    reason = _said(code, reply)
    if code < 500:
        return Outcome("deferred", reason)
    unreachable = about_recipient and code in _UNREACHABLE_ADDRESS
    gone = unreachable and not reply.startswith(_BY_POLICY)
    return Outcome("bounced" if gone else "failed", reason)


def _said(code: int, reply: bytes) -> str:
    return f"{code} {reply.decode('utf-8', 'replace')}"
