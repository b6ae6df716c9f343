"""One thread of the sender: it empties one lane through one kept connection."""

import logging
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import exc

from crmkit.context import Context
from crmkit.db import Database
from crmkit.ids import new_id
from services.notifications import ledger, links, rules, wording
from services.notifications.channels import Channel, Outcome, Outgoing
from services.notifications.journal import BEGUN, Journal

log = logging.getLogger(__name__)

DATABASE_AWAY = (exc.OperationalError, exc.InterfaceError, exc.TimeoutError)
"""What the driver raises while the database cannot be used; anything else is a fault of ours."""
POLL_SECONDS = 0.25
_LONGEST_PAUSE_SECONDS = 5.0
_RENEW_AFTER_SECONDS = 15.0
_CONNECTION_LOST = ("not_begun", "unclear")
_LAST_BATCH_SECONDS = 10.0
"""How long a worker that is told to stop goes on with the batch in hand."""


@dataclass(frozen=True, slots=True)
class Place:
    """What messages say about where they come from. ``key`` signs their links."""

    company: str
    public_url: str
    key: bytes

    def outgoing(self, message: ledger.Claimed) -> Outgoing:
        """The message with its last blanks filled and its headers."""
        marketing = message.purpose == rules.MARKETING
        if marketing:
            values = {"name": message.name}
        else:
            values = {"company": self.company, "public_url": self.public_url}
        text = wording.fill(message.body, values)
        return Outgoing(
            id=message.id,
            address=message.address,
            name=message.name,
            language=message.language,
            subject=wording.fill(message.subject, values),
            text=rules.label(message.purpose, message.country, message.channel, text),
            headers=self._headers(message) if message.channel == "email" else (),
        )

    def _headers(self, message: ledger.Claimed) -> tuple[tuple[str, str], ...]:
        if message.purpose != rules.MARKETING or message.customer_id is None:
            return (("Auto-Submitted", "auto-generated"),)  # RFC 3834, 5.
        token = links.unsubscribe_token(message.customer_id, message.id, message.channel, self.key)
        return (  # RFC 8058, 3.1.
            ("List-Unsubscribe", f"<{self.public_url}/u/{token}>"),
            ("List-Unsubscribe-Post", "List-Unsubscribe=One-Click"),
        )


class Worker:
    """Claims, sends and records until told to stop. ``id`` is how the ledger knows it."""

    def __init__(
        self,
        lane: str,
        channel: Channel,
        database: Database,
        place: Place,
        *,
        batch: int,
        journal: Callable[[UUID], Journal | None],
        stop: threading.Event,
    ) -> None:
        self.id = new_id()
        self.lane = lane
        self._channel = channel
        self._database = database
        self._place = place
        self._batch = batch
        self._open_journal = journal
        self._journal: Journal | None = None
        self._stop = stop
        self._stop_by: float | None = None
        self._renewed = 0.0

    def run(self) -> None:
        """Work; begins again after any trouble, with growing pauses."""
        self._journal = self._open_journal(self.id)
        pause = POLL_SECONDS
        while not self._stop.is_set():
            try:
                if not self._step():
                    self._channel.idle(POLL_SECONDS)
                pause = POLL_SECONDS
                continue
            except OSError as error:
                self._complain(error)
            except exc.SQLAlchemyError as error:
                self._complain(error)
                self._begin_afresh()
            except Exception:
                log.exception("Sending failed.", extra={"lane": self.lane})
                self._begin_afresh()
            self._stop.wait(pause)
            pause = min(pause * 2, _LONGEST_PAUSE_SECONDS)
        self._channel.close()
        if self._journal is not None:
            self._journal.close()

    def _complain(self, error: Exception) -> None:
        log.warning("Sending was interrupted.", extra={"lane": self.lane, "cause": repr(error)})

    def _begin_afresh(self) -> None:
        """Under another id: whatever was left in hand is healed like that of a dead worker."""
        if self._journal is not None:
            self._journal.leave()
        self.id = new_id()
        self._journal = self._open_journal(self.id)

    def _step(self) -> bool:
        """Send one batch; False when nothing is due."""
        with self._database.reading(Context()) as session:
            if not ledger.waits(session, self.lane):
                return False
        self._channel.open()
        with self._database.transaction(Context()) as session:
            claimed = ledger.claim(session, self.id, self.lane, self._batch)
        self._renewed = time.monotonic()
        if claimed:
            outcomes = self._send(claimed)
            self._settle(claimed, outcomes)
            self._give_pause(outcomes)
        return True

    def _give_pause(self, outcomes: dict[UUID, Outcome]) -> None:
        """ConnectionError when a batch ended with its first message, as the next one might, too.

        There are providers that take connections and then no mail, because of our own address say.
        """
        if len(outcomes) == 1:
            (only,) = outcomes.values()
            if only.kind in _CONNECTION_LOST:
                raise ConnectionError(only.reason)

    def _send(self, claimed: Sequence[ledger.Claimed]) -> dict[UUID, Outcome]:
        """What became of each, as far as it came; the rest had not begun."""
        outcomes: dict[UUID, Outcome] = {}
        for message in claimed:
            if self._time_is_up() or not self._still_ours(claimed):
                break
            outcome = self._attempt(message)
            outcomes[message.id] = outcome
            if outcome.kind in _CONNECTION_LOST:
                log.warning(
                    "The connection was lost.", extra={"lane": self.lane, "cause": outcome.reason}
                )
                break
        return outcomes

    def _attempt(self, message: ledger.Claimed) -> Outcome:
        try:
            ready = self._place.outgoing(message)
            if self._journal is not None:
                self._journal.begin(message.id)
        except OSError as error:
            return Outcome("not_begun", repr(error))
        except (TypeError, ValueError) as error:
            return Outcome("failed", repr(error))
        try:
            outcome = self._channel.send(ready)
        except Exception as error:
            # A bug of ours met an odd message: nobody knows how far it came.
            log.exception("A message could not be sent.", extra={"message_id": str(message.id)})
            outcome = Outcome(BEGUN.kind, repr(error))
            self._channel.close()
        self._note_end(message.id, outcome)
        return outcome

    def _note_end(self, message: UUID, outcome: Outcome) -> None:
        """Note it, if that can be; it left all the same, and the ledger is about to know."""
        if self._journal is not None:
            try:
                self._journal.end(message, outcome)
            except OSError as error:
                log.warning("The journal cannot be written.", extra={"cause": repr(error)})

    def _settle(self, claimed: Sequence[ledger.Claimed], outcomes: dict[UUID, Outcome]) -> None:
        """Record the batch, waiting for the database as long as it takes.

        A worker that must stop first leaves its journal to the next.
        """
        untouched = Outcome("not_begun", "interrupted")
        rows = [(m.id, m.lane, m.attempts, outcomes.get(m.id, untouched)) for m in claimed]
        while True:
            try:
                with self._database.transaction(Context()) as session:
                    ledger.record(session, self.id, rows)
                break
            except (OSError, *DATABASE_AWAY) as error:
                log.warning("Results wait for the database.", extra={"cause": repr(error)})
                if self._time_is_up():
                    raise
                time.sleep(1)
        if self._journal is not None:
            self._journal.clear()

    def _still_ours(self, claimed: Sequence[ledger.Claimed]) -> bool:
        """Whether the batch is safely within its lease, which is renewed in time."""
        if time.monotonic() - self._renewed < _RENEW_AFTER_SECONDS:
            return True
        try:
            with self._database.transaction(Context()) as session:
                ours = ledger.renew(session, self.id, [message.id for message in claimed])
        except exc.SQLAlchemyError:
            return time.monotonic() - self._renewed < rules.LEASE_SECONDS / 2
        self._renewed = time.monotonic()
        return ours

    def _time_is_up(self) -> bool:
        if not self._stop.is_set():
            return False
        if self._stop_by is None:
            self._stop_by = time.monotonic() + _LAST_BATCH_SECONDS
        return time.monotonic() > self._stop_by
