"""The audit log: who did what to whom, in the transaction in which it happened.

Entries are only ever added: our own role may do nothing else, and a trigger refuses it to the one
that owns the table. Each entry holds the hash of the one before it, so that a change from below
shows (``verify_audit_trail``).
"""

import logging
from collections.abc import Sequence
from datetime import UTC
from typing import Any

from sqlalchemy import BigInteger, DateTime, Index, LargeBinary, Text, Uuid, insert, select, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, Session, mapped_column

from contracts.gateway import audit as contract
from crmkit import codec, pages
from crmkit.clock import now
from crmkit.db import context, select_named
from crmkit.ids import new_id
from crmkit.rights import ONLY_ADDED
from gateway import audit_chain, keys
from gateway.identity.models import Base

log = logging.getLogger("gateway.audit")

_LOCK = 0x5261_7070_4175_6474
_KEY = "audit chain"
_BATCH = 5_000


class AuditEntry(Base):
    """One entry. ``position`` counts without gaps; ``key_id`` names the key of ``entry_hash``."""

    __tablename__ = "audit_entry"
    __table_args__ = (
        Index("ix_audit_entry_actor", "actor", "position"),
        Index("ix_audit_entry_subject", "subject", "position"),
        Index("ix_audit_entry_action", "action", "position"),
        {"info": {ONLY_ADDED: True}},
    )

    id: Mapped[Any] = mapped_column(Uuid, primary_key=True)
    position: Mapped[int] = mapped_column(BigInteger, unique=True)
    at: Mapped[Any] = mapped_column(DateTime(timezone=True))
    action: Mapped[str] = mapped_column(Text)
    actor: Mapped[str] = mapped_column(Text)
    subject: Mapped[str] = mapped_column(Text)
    address: Mapped[str | None] = mapped_column(Text)
    request_id: Mapped[str] = mapped_column(Text)
    details: Mapped[dict[str, Any]] = mapped_column(JSONB)
    key_id: Mapped[str] = mapped_column(Text)
    previous_hash: Mapped[bytes] = mapped_column(LargeBinary)
    entry_hash: Mapped[bytes] = mapped_column(LargeBinary)


_CONTENT = (
    "id",
    "position",
    "at",
    "action",
    "actor",
    "subject",
    "address",
    "request_id",
    "details",
)
COLUMNS: dict[str, Any] = {name: getattr(AuditEntry, name) for name in _CONTENT}
_WHOLE = select_named(COLUMNS)


def note(session: Session, action: str, subject: str, /, *, by: str = "", **details: Any) -> None:
    """Add an entry; it stays if the transaction does. Ask last: the chain is locked till its end.

    ``subject`` is like ``staff/0199…``. ``by`` names the actor where the session knows none yet, as
    at a login. Personal data in ``details`` is masked.
    """
    request = context(session)
    session.flush()
    session.execute(text("select pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
    last = session.execute(
        select(AuditEntry.position, AuditEntry.entry_hash)
        .order_by(AuditEntry.position.desc())
        .limit(1)
    ).one_or_none()
    previous = last.entry_hash if last else audit_chain.FIRST
    key_id, key = keys.newest(_KEY)
    content = {
        "id": new_id(),
        "position": last.position + 1 if last else 1,
        "at": now(),
        "action": action,
        "actor": by or request.actor.initiator,
        "subject": subject,
        "address": request.address,
        "request_id": request.request_id,
        # As JSON brings it back, or the hash could not be computed again.
        "details": codec.loads(codec.dumps(audit_chain.masked(details))),
    }
    session.execute(
        insert(AuditEntry).values(
            **content,
            key_id=key_id,
            previous_hash=previous,
            entry_hash=audit_chain.linked(previous, content, key),
        )
    )


def list_audit_entries(session: Session, **asked: Any) -> dict[str, Any]:
    """A page of the log, newest first."""
    return pages.page(session, _WHOLE, contract.ListAuditEntries, COLUMNS, asked)


def verify_audit_trail(session: Session, *, after: int = 0, limit: int = 20_000) -> dict[str, Any]:
    """Whether the entries after a position are as they were written, and where they end.

    ``broken_at`` is the first position that is missing or does not fit; the one at ``after``, too,
    may be missing. That the newest entries were cut off shows only to who goes on from a position
    beyond the new end, or holds the head against one that was kept elsewhere: the process log has
    it once an hour.
    """
    found = _Chain(session, after)
    while found.broken_at is None and found.checked < limit:
        batch = _next(session, found.position, min(_BATCH, limit - found.checked))
        if not batch or not all(found.holds(entry) for entry in batch):
            break
    return {
        "intact": found.broken_at is None,
        "checked": found.checked,
        "broken_at": found.broken_at,
        "position": found.position,
        "head": found.head.hex(),
        "more": found.checked == limit,
    }


def _next(session: Session, after: int, limit: int) -> Sequence[AuditEntry]:
    query = select(AuditEntry).where(AuditEntry.position > after).order_by(AuditEntry.position)
    return session.scalars(query.limit(limit)).all()


class _Chain:
    """How far the chain was followed."""

    def __init__(self, session: Session, after: int) -> None:
        before = select(AuditEntry.entry_hash).where(AuditEntry.position == after)
        self.position, self.checked = after, 0
        head = session.scalar(before) if after else audit_chain.FIRST
        self.head = head or b""
        self.broken_at = None if head else after
        self._keys = keys.known(_KEY)

    def holds(self, entry: AuditEntry) -> bool:
        """Whether the entry is the next one and unchanged; the chain has moved on to it then."""
        content = {name: getattr(entry, name) for name in _CONTENT}
        content["at"] = entry.at.astimezone(UTC)
        key = self._keys.get(entry.key_id)
        if (
            entry.position != self.position + 1
            or entry.previous_hash != self.head
            or key is None
            or entry.entry_hash != audit_chain.linked(self.head, content, key)
        ):
            self.broken_at = self.position + 1
            return False
        self.position, self.head = entry.position, entry.entry_hash
        self.checked += 1
        return True


def tell_head(session: Session) -> None:
    """Write the newest position and hash to the process log, which is kept by others."""
    head = session.execute(
        select(AuditEntry.position, AuditEntry.entry_hash)
        .order_by(AuditEntry.position.desc())
        .limit(1)
    ).one_or_none()
    if head is not None:
        shown = {"position": head.position, "head": head.entry_hash.hex()}
        log.info("The audit log ends here.", extra=shown)
