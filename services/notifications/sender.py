"""``crm sender``: sends what waits in the ledger. Plain threads, no eventlet.

Each lane has workers of its own, so a campaign never delays a reminder. One more thread clears up:
messages of senders that died, and receipts.
"""

import hashlib
import logging
import signal
import threading
import time
from collections.abc import Callable
from email.utils import parseaddr
from pathlib import Path
from uuid import UUID

from crmkit import health, logs
from crmkit.context import Context
from crmkit.db import Database
from crmkit.errors import Unavailable
from crmkit.settings import Settings, from_environment
from services.notifications import journal, ledger, receipts, rules
from services.notifications.channels import Channel
from services.notifications.channels.smpp import SmppChannel
from services.notifications.channels.smtp import SmtpChannel
from services.notifications.journal import Journal
from services.notifications.worker import DATABASE_AWAY, Place, Worker

log = logging.getLogger(__name__)

OWNER = "notifications"
THREADS = {"email": 2, "marketing_email": 2, "sms": 1, "marketing_sms": 1}
BATCH = {"email": 20, "marketing_email": 100, "sms": 10, "marketing_sms": 50}
"""Messages a worker claims at once. A pause or a withdrawal counts from the next batch on."""
_CLEAR_UP_SECONDS = 0.5
_ROUNDS_BETWEEN_DUSTING = 7200
_CALM_SECONDS = 6.0
"""So long the database must have answered before messages of lost senders are taken back: after an
outage that was longer than their lease, living senders first record what became of theirs."""


def main() -> None:
    """Send until SIGTERM; the batches in hand are finished first."""
    settings = from_environment()
    logs.set_up("sender", settings.text("LOG_LEVEL", "info"))
    sender = Sender(settings)
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    health.serve(settings, lambda: sender.trouble)
    sender.run(stop)
    log.info("Stopped.")


class Sender:
    """All workers of one process. A missing or odd setting ends the start with one line."""

    def __init__(self, settings: Settings) -> None:
        url, smtp, smpp, mail_from, public_url, _ = settings.need(
            f"{OWNER.upper()}_DATABASE_URL",
            "SMTP_URL",
            "SMPP_URL",
            "MAIL_FROM",
            "PUBLIC_URL",
            "SECRET_KEY",
        )
        self._smtp = (smtp, mail_from)
        self._smpp = (smpp, settings.text("SMS_FROM", "Rapport"))
        company = parseaddr(mail_from)[0] or "Rapport"
        self._place = Place(company, public_url.rstrip("/"), settings.secret_key())
        self._threads = {
            lane: settings.number(f"SENDER_THREADS_{lane.upper()}", threads)
            for lane, threads in THREADS.items()
        }
        self._database = Database(url, pool_size=sum(self._threads.values()) + 2, name="sender")
        # Journals of another installation must not be taken for ours.
        own = hashlib.sha256(url.encode()).hexdigest()[:12]
        self._journals = Path(settings.text("SENDER_JOURNAL", "var/sender")) / own
        for lane in rules.LANES:
            self._channel(lane)  # An odd address is found now, not in a thread.
        self.trouble: str | None = "the sender has not started"

    def run(self, stop: threading.Event) -> None:
        """Work until ``stop`` is set and the batches in hand are done."""
        threads = [
            threading.Thread(target=self._worker(lane, stop).run, name=f"{lane}-{number}")
            for lane, count in self._threads.items()
            for number in range(count)
        ]
        self._round(self._heal)
        for thread in threads:
            thread.start()
        log.info("Sending.", extra={"threads": self._threads})
        self._clear_up(stop)
        for thread in threads:
            thread.join()
        self._database.close()

    def _channel(self, lane: str) -> Channel:
        if lane.endswith("email"):
            return SmtpChannel(*self._smtp)
        return SmppChannel(*self._smpp, self._keep_receipt)

    def _worker(self, lane: str, stop: threading.Event) -> Worker:
        return Worker(
            lane,
            self._channel(lane),
            self._database,
            self._place,
            batch=BATCH[lane],
            journal=self._journal,
            stop=stop,
        )

    def _journal(self, worker: UUID) -> Journal | None:
        """The worker's journal; without one a kill costs a batch of doubts instead of one."""
        try:
            return Journal(self._journals, worker)
        except OSError as error:
            log.warning("There is no place for a journal.", extra={"cause": repr(error)})
            return None

    def _keep_receipt(self, provider_id: str, state: str, reason: str | None) -> None:
        with self._database.transaction(Context()) as session:
            receipts.keep(session, provider_id, state, reason)

    def _clear_up(self, stop: threading.Event) -> None:
        """Twice a second: settle what dead senders had in hand, and what receipts say."""
        rounds, calm_since = 0, time.monotonic()
        while not stop.is_set():
            began = time.monotonic()
            self.trouble = self._round(self._heal) or self._round(self._settle)
            if self.trouble or time.monotonic() - began > _CALM_SECONDS:
                calm_since = time.monotonic()
            elif began - calm_since > _CALM_SECONDS:
                self._round(self._expire)
            if rounds % _ROUNDS_BETWEEN_DUSTING == 0:
                self._round(self._dust)
            rounds += 1
            stop.wait(_CLEAR_UP_SECONDS)

    def _round(self, step: Callable[[], object]) -> str | None:
        """Why the database could not be used, or None."""
        try:
            step()
        except (*DATABASE_AWAY, Unavailable) as error:
            log.warning("Clearing up was interrupted.", extra={"cause": repr(error)})
            return "the database does not answer"
        except Exception:
            log.exception("Clearing up failed.")
        return None

    def _heal(self) -> None:
        for worker, noted in journal.left_behind(self._journals):
            with self._database.transaction(Context()) as session:
                count = ledger.heal(session, worker, noted)
            log.info("A dead sender's batch was settled.", extra={"messages": count})

    def _expire(self) -> None:
        with self._database.transaction(Context()) as session:
            count = ledger.expire(session)
        if count:
            log.warning("Messages of a lost sender were taken back.", extra={"messages": count})

    def _settle(self) -> None:
        with self._database.transaction(Context()) as session:
            receipts.settle(session)

    def _dust(self) -> None:
        with self._database.transaction(Context()) as session:
            receipts.forget(session)
