"""What docs/runbook.md has people type into a restored database, typed into one."""

import re
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import select, text
from sqlalchemy.orm import Session

from contracts import notifications as contract
from crmkit import catalog
from crmkit.clock import now
from crmkit.db import Database
from crmkit.dsn import dsn
from crmkit.ids import new_id
from crmkit.local.postgres import PostgresServer
from crmkit.testing import announced, rolled_back
from services.notifications import ledger, rules
from services.notifications.models import Message

RUNBOOK = (Path(__file__).resolve().parents[2] / "docs" / "runbook.md").read_text()
JUMP, GIVE_UP = (
    next(block for block in re.findall(r"```sql\n(.*?)```", RUNBOOK, re.S) if word in block)
    for word in ("event_number", "update message")
)
NUMBERS = {"sales": "order_count", "service_desk": "ticket_number"}
SEQUENCES = "select sequencename from pg_sequences where schemaname = 'public'"


def message(session: Session, lane: str, status: str, campaign: bool = False) -> Message:
    """A message as the dump had it; one being sent belongs to a sender that is gone."""
    made = Message(
        id=new_id(),
        dedupe_key=str(new_id()),
        purpose=rules.MARKETING if campaign else "service",
        channel="sms" if lane.endswith("sms") else "email",
        lane=lane,
        template="t",
        campaign_id=new_id() if campaign else None,
        recipient_id=new_id() if campaign else None,
        language="en",
        name="Kim",
        address="kim@customers.example",
        subject="s",
        body="b",
        status=status,
        claimed_by=new_id() if status == "sending" else None,
        lease_until=now() + timedelta(seconds=30) if status == "sending" else None,
    )
    session.add(made)
    session.flush()
    return made


class TestJumpingAhead:
    @pytest.mark.parametrize("owner", catalog.owners())
    def test_moves_every_number_that_others_may_have_seen(
        self, owner: str, postgres: PostgresServer, database_of: Callable[[str], Database]
    ) -> None:
        database_of(owner)
        with psycopg.connect(dsn(postgres.migration_url(owner)), autocommit=True) as connection:

            def numbers() -> dict[str, int]:
                names = [name for (name,) in connection.execute(SEQUENCES)]
                asked = {n: connection.execute("select nextval(%s::regclass)", [n]) for n in names}
                return {name: cursor.fetchall()[0][0] for name, cursor in asked.items()}

            before = numbers()
            connection.execute(JUMP)
            after = numbers()
        assert NUMBERS.get(owner, "outbox_sequence") in before
        assert all(after[name] > before[name] + 1000 for name in before)
        assert after["outbox_sequence"] > before["outbox_sequence"] + 1_000_000

    def test_moves_the_versions_of_events(
        self, postgres: PostgresServer, database_of: Callable[[str], Database]
    ) -> None:
        database_of("notifications")
        owned = Database(postgres.migration_url("notifications"), pool_size=1, name="test owned")
        with rolled_back(owned) as session:
            kept = message(session, "email", "sent")
            session.execute(text(JUMP))
            session.refresh(kept)
            assert kept.event_number == 1000
        owned.close()


class TestGivingUpWhatWaited:
    @pytest.mark.parametrize("status", ["queued", "held", "sending"])
    @pytest.mark.parametrize("lane", rules.LANES)
    def test_sends_nothing_and_tells_marketing(
        self, lane: str, status: str, database_of: Callable[[str], Database]
    ) -> None:
        with rolled_back(database_of("notifications")) as session:
            waiting = message(session, lane, status, campaign=lane.startswith(rules.MARKETING))
            gone = message(session, lane, "sent")
            session.execute(text(GIVE_UP))
            # No time passes within a transaction.
            session.execute(text("update message set lease_until = lease_until - interval '1 s'"))
            ledger.expire(session)
            assert not any(ledger.waits(session, one) for one in rules.LANES)
            rows = session.execute(select(Message.id, Message.status)).all()
            found = {row.id: row.status for row in rows}
            assert found == {waiting.id: "unknown", gone.id: "sent"}
            told = announced(session, contract.MessagesReported)
            results = [result["recipient_id"] for report in told for result in report["results"]]
            assert results == [one for one in (waiting.recipient_id,) if one]
