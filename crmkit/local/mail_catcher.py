"""An SMTP server that keeps every mail for looking at and delivers none.

``bounce+…@`` is refused for good (550) and ``defer+…@`` for now (451), so that what Rapport does
about it can be seen and tested.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, closing
from email import message_from_bytes, policy
from email.message import EmailMessage
from html import escape
from pathlib import Path
from typing import Any

from aiosmtpd.smtp import SMTP, Envelope, Session

from crmkit.local.inbox import Inbox, InboxStore, serving

log = logging.getLogger(__name__)

SCRIPTED_REPLIES = {
    "bounce+": "550 5.1.1 No such mailbox (scripted).",
    "defer+": "451 4.7.1 Try again later (scripted).",
}
LARGEST_MAIL_BYTES = 32 * 1024 * 1024
SHOWN_HEADERS = (
    "subject",
    "from",
    "to",
    "cc",
    "reply-to",
    "date",
    "message-id",
    "list-unsubscribe",
)


def scripted_reply(address: str) -> str | None:
    """What the local part asks the server to answer, or None for an ordinary address."""
    return next(
        (reply for start, reply in SCRIPTED_REPLIES.items() if address.startswith(start)), None
    )


def summary(envelope_from: str, recipients: list[str], raw: bytes) -> dict[str, Any]:
    """What the list shows of a mail."""
    mail = message_from_bytes(raw.partition(b"\r\n\r\n")[0] + b"\r\n\r\n", policy=policy.default)
    return {
        "envelope_from": envelope_from,
        "recipients": recipients,
        **{name.replace("-", "_"): header(mail, name) for name in SHOWN_HEADERS},
    }


def header(mail: EmailMessage, name: str) -> str:
    """The decoded header; empty when absent, undecoded when it cannot be decoded."""
    try:
        return str(mail.get(name, ""))
    except Exception:  # noqa: BLE001 - the parser fails in many ways on headers made up wrongly
        return next((value for key, value in mail.raw_items() if key.lower() == name), "")


def details(message: dict[str, Any], raw: bytes) -> dict[str, Any]:
    """The whole mail: its summary, both bodies, all headers, attachments, and its source."""
    mail = message_from_bytes(raw, policy=policy.default)
    return message | {
        "text": body(mail, "plain"),
        "html": body(mail, "html"),
        "headers": [[name, header(mail, name.lower())] for name in dict.fromkeys(mail.keys())],
        "attachments": attachments(mail),
        "raw": raw.decode("utf-8", errors="replace"),
    }


def body(mail: EmailMessage, kind: str) -> str | None:
    """The body of this kind in its own character set; None when the mail has none."""
    try:
        part = mail.get_body(preferencelist=(kind,))
        return None if part is None else str(part.get_content())
    except Exception as error:  # noqa: BLE001 - any mail at all must stay readable as source
        log.warning("cannot decode the %s body: %s", kind, error)
        return None


def attachments(mail: EmailMessage) -> list[dict[str, Any]]:
    """Name, type and size of each attachment."""
    found = []
    for part in mail.iter_attachments():
        content = part.get_payload(decode=True)
        size = len(content) if isinstance(content, bytes) else 0
        found.append(
            {"name": part.get_filename() or "", "type": part.get_content_type(), "bytes": size}
        )
    return found


def row(message: dict[str, Any]) -> tuple[str, str, str]:
    """Who, what and where-to."""
    return (
        message["from"] or message["envelope_from"],
        message["subject"] or "(no subject)",
        ", ".join(message["recipients"]),
    )


def view(mail: dict[str, Any]) -> str:
    """The mail as HTML; its own HTML sits in a frame without scripts, forms or our origin."""
    facts = {
        "From": mail["from"],
        "To": mail["to"],
        "Cc": mail["cc"],
        "Envelope": f"{mail['envelope_from'] or '<>'} → {', '.join(mail['recipients'])}",
        "Date": mail["date"],
        "Attachments": ", ".join(f"{a['name']} ({a['bytes']} bytes)" for a in mail["attachments"]),
    }
    listed = "".join(f"<dt>{k}</dt><dd>{escape(v)}</dd>" for k, v in facts.items() if v)
    parts = [f"<h2>{escape(mail['subject'] or '(no subject)')}</h2><dl>{listed}</dl>"]
    if mail["html"] is not None:
        page = escape('<base target="_blank">' + mail["html"], quote=True)
        parts.append(
            "<section><h3>HTML</h3><iframe sandbox='allow-popups allow-popups-to-escape-sandbox'"
            f' title="The mail as HTML" srcdoc="{page}"></iframe></section>'
        )
    if mail["text"] is not None:
        parts.append(
            f'<section><h3>Text</h3><pre class="plain">{escape(mail["text"])}</pre></section>'
        )
    parts.append(f"<details><summary>Source</summary><pre>{escape(mail['raw'])}</pre></details>")
    return "".join(parts)


class Keep:
    """aiosmtpd's handler: answer as scripted, keep the rest."""

    def __init__(self, store: InboxStore) -> None:
        self._store = store

    async def handle_RCPT(  # noqa: N802 - aiosmtpd's name
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        """Refuse as the address asks, or accept."""
        refusal = scripted_reply(address)
        if refusal:
            return refusal
        envelope.rcpt_tos.append(address)
        envelope.rcpt_options.extend(options)
        return "250 2.1.5 OK"

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802
        """Keep the mail."""
        raw = envelope.content if isinstance(envelope.content, bytes) else b""
        recipients = [str(address) for address in envelope.rcpt_tos]
        number = self._store.add(
            recipients, summary(envelope.mail_from or "", recipients, raw), raw
        )
        return f"250 2.0.0 Kept as {number}"


@asynccontextmanager
async def running(settings: Mapping[str, str], host: str) -> AsyncIterator[None]:
    """Serve SMTP and the page while the block runs."""
    loop = asyncio.get_running_loop()
    store = InboxStore(Path(settings.get("MAIL_CATCHER_FILE", "var/mails.sqlite")))
    handler = Keep(store)
    smtp_port = int(settings.get("MAIL_CATCHER_SMTP_PORT", "1025"))
    http_port = int(settings.get("MAIL_CATCHER_HTTP_PORT", "8025"))
    inbox = Inbox(
        title="Mail",
        hint="Every mail that Rapport sends ends here; none leaves this machine.",
        store=store,
        row=row,
        details=details,
        view=view,
    )
    smtp = await loop.create_server(
        lambda: SMTP(
            handler,
            hostname="mail-catcher.rapport.example",
            ident="Rapport mail catcher",
            enable_SMTPUTF8=True,
            data_size_limit=LARGEST_MAIL_BYTES,
            loop=loop,
        ),
        host,
        smtp_port,
    )
    with closing(smtp), serving(inbox, host, http_port):
        log.info("SMTP on %s:%s, page on http://%s:%s", host, smtp_port, host, http_port)
        yield
