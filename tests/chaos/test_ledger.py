"""T13: bad providers, and senders that are killed: what was doubled, what is unknown, what is lost.

Awaited mail may come again, under its Message-ID only. Advertising and texts never come again; a
message of which nobody knows whether it left is ``unknown``, and there are no more of those than
times that somebody died or hung up with one in hand.
"""

import contextlib
import random
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import insert, text

from contracts import notifications as contract
from crmkit.clock import now
from crmkit.context import Context
from crmkit.db import Database
from crmkit.ids import new_id
from crmkit.local.postgres import PostgresServer
from crmkit.local.spawning import end_group, spawn
from crmkit.testing import SECRET_KEY, empty, eventually
from services.notifications.models import Base, Customer, Message
from tests.chaos import faults, providers
from tests.chaos.driving import Json
from tests.chaos.providers import Taken

pytestmark = pytest.mark.server

ROOT = Path(__file__).parent.parent.parent
LOGIN = ("rapport", "secret")
LANES = ("email", "marketing_email", "marketing_sms")
SENT = ("sent", "delivered")
SENDERS = 2


@dataclass(frozen=True, slots=True)
class Size:
    """Messages of each lane, kills, and the seconds between these."""

    messages: int
    kills: int
    pause: tuple[float, float]


SLICE = Size(400, 8, (0.3, 1.5))
FULL = Size(5_000, 60, (0.5, 2.5))


class Senders:
    """Some senders that are killed at random and started again at once."""

    def __init__(self, folder: Path, environment: dict[str, str]) -> None:
        self._folder, self._environment = folder, environment
        self._running = [self._start(number) for number in range(SENDERS)]
        self.kills = 0

    def _start(self, number: int) -> Any:
        return spawn(
            (sys.executable, "-m", "crmkit", "sender"),
            environment=self._environment,
            log=self._folder / f"sender-{number}.log",
            folder=ROOT,
        )

    def kill(self, dice: random.Random) -> None:
        """kill -9 of one of them."""
        number = dice.randrange(SENDERS)
        end_group(self._running[number])
        self._running[number].wait(60)
        self._running[number] = self._start(number)
        self.kills += 1

    def end(self) -> None:
        """End them all."""
        for process in self._running:
            process.terminate()
        for process in self._running:
            with contextlib.suppress(Exception):
                process.wait(15)
            end_group(process)


@pytest.fixture
def ledger(database_of: Callable[[str], Database]) -> Iterator[Database]:
    """The database of notifications; emptied afterwards."""
    database = database_of("notifications")
    yield database
    empty(database, Base.metadata)


def fill(database: Database, size: int) -> None:
    """So many messages in each lane, each to an address of its own."""
    at = now()
    with database.transaction(Context()) as session:
        for lane in LANES:
            rows = [_row(lane, number) for number in range(size)]
            marketing = [row for row in rows if row["purpose"] == "marketing"]
            if marketing:
                session.execute(insert(Customer), [_customer(row) for row in marketing])
            session.execute(insert(Message), [row | {"next_at": at} for row in rows])


def _row(lane: str, number: int) -> Json:
    marketing, channel = lane.startswith("marketing"), lane.removeprefix("marketing_")
    identity = new_id()
    address = f"{lane}-{number}@customers.example"
    return {
        "id": identity,
        "dedupe_key": f"{lane}:{number}",
        "purpose": "marketing" if marketing else "transactional",
        "channel": channel,
        "lane": lane,
        "template": "campaign" if marketing else "order_confirmation",
        "customer_id": new_id(),
        "campaign_id": UUID(int=LANES.index(lane)) if marketing else None,
        "recipient_id": identity if marketing else None,
        "language": "en",
        "name": "Kim",
        "address": address if channel == "email" else f"+8210{number:06}10",
        "subject": "Hello",
        "body": "Hello.",
        "status": "queued",
    }


def _customer(row: Json) -> Json:
    return {
        "id": row["customer_id"],
        "kind": "person",
        "name": row["name"],
        "language": "en",
        "country": "KR",
        "email": row["address"],
        "mobile": row["address"],
        "consents": ["email", "sms"],
        "owner_id": None,
        "team_path": "/",
        "as_of_version": 1,
    }


def settled(database: Database) -> bool:
    """Whether everything is; lets the minutes pass that a refused message waits."""
    with database.engine.begin() as connection:
        connection.execute(
            text(
                "update message set next_at = now() where status = 'queued'"
                " and next_at > now() + interval '3 seconds'"
            )
        )
        return not connection.scalar(
            text("select count(*) from message where status in ('queued', 'sending')")
        )


def rows_of(database: Database, lane: str) -> list[Any]:
    """Address, id, status and recipient of the lane's messages."""
    query = "select address, id::text, status, recipient_id::text from message where lane = :lane"
    with database.engine.connect() as connection:
        return list(connection.execute(text(query), {"lane": lane}))


def reported(database: Database) -> dict[str, str]:
    """What marketing was last told of each recipient."""
    query = (
        f"select payload from outbox where type = '{contract.MessagesReported.type}' order by id"
    )
    with database.engine.connect() as connection:
        payloads = connection.execute(text(query)).scalars()
        return {one["recipient_id"]: one["state"] for p in payloads for one in p["results"]}


@pytest.mark.parametrize(
    "size",
    [pytest.param(SLICE, id="slice"), pytest.param(FULL, id="full", marks=pytest.mark.chaos)],
)
def test_nothing_is_lost_and_advertising_never_doubled(
    size: Size,
    ledger: Database,
    postgres: PostgresServer,
    tmp_path: Path,
    note: Callable[..., None],
) -> None:
    seed = faults.seed()
    print(f"{faults.SEED}={seed}")  # noqa: T201 - shown when the test fails, to replay it
    dice, mail, sms = random.Random(seed), Taken(), Taken()
    fill(ledger, size.messages)
    with (
        providers.mail_server(seed, mail) as mail_server,
        providers.sms_centre(seed, sms, tmp_path, LOGIN) as centre,
    ):
        senders = Senders(
            tmp_path,
            {
                "NOTIFICATIONS_DATABASE_URL": postgres.url("notifications"),
                "SMTP_URL": f"smtp://127.0.0.1:{mail_server.port}",
                "SMPP_URL": f"smpp://{':'.join(LOGIN)}@127.0.0.1:{centre.port}",
                "MAIL_FROM": "Rapport <crm@rapport.example>",
                "PUBLIC_URL": "http://127.0.0.1",
                "SECRET_KEY": SECRET_KEY,
                "SENDER_JOURNAL": str(tmp_path / "journal"),
                # So that a kill leaves one message of each lane in doubt at most.
                "SENDER_THREADS_EMAIL": "1",
                "SENDER_THREADS_MARKETING_EMAIL": "1",
            },
        )
        try:
            while senders.kills < size.kills and not settled(ledger):
                time.sleep(dice.uniform(*size.pause))
                senders.kill(dice)
            eventually(lambda: settled(ledger), seconds=400, pause=0.5)
        finally:
            senders.end()

    lanes = {lane: rows_of(ledger, lane) for lane in LANES}
    taken = {"email": mail, "marketing_email": mail, "marketing_sms": sms}
    doubled = {
        lane: sum(max(0, taken[lane].messages[_key(row)] - 1) for row in rows)
        for lane, rows in lanes.items()
    }
    lost = {
        lane: sum(row.status in SENT and not taken[lane].messages[_key(row)] for row in rows)
        for lane, rows in lanes.items()
    }
    unknown = {lane: Counter(row.status for row in rows)["unknown"] for lane, rows in lanes.items()}
    hung_up = mail.silently + sms.silently
    told = reported(ledger)
    marketing = [row for lane in LANES[1:] for row in lanes[lane]]
    note(
        "T13",
        seed=seed,
        messages=size.messages * len(LANES),
        kills=senders.kills,
        lost=sum(lost.values()),
        awaited_mails_repeated=doubled["email"],
        campaign_mails_doubled=doubled["marketing_email"],
        texts_doubled=doubled["marketing_sms"],
        campaign_mails_unknown=unknown["marketing_email"],
        texts_unknown=unknown["marketing_sms"],
        hung_up_with_one_in_hand=hung_up["marketing_email"] + hung_up["marketing_sms"],
    )
    assert senders.kills >= min(size.kills, 4)
    assert not any(lost.values()), lost
    assert (doubled["marketing_email"], doubled["marketing_sms"]) == (0, 0)
    for row in lanes["email"]:
        assert mail.ids.get(row.address, {row.id}) == {row.id}
    for lane in LANES[1:]:
        assert unknown[lane] <= senders.kills + hung_up[lane], lane
    assert {row.recipient_id for row in marketing} == set(told)
    for row in marketing:
        assert told[row.recipient_id] == _state(row.status), row


def _key(row: Any) -> str:
    return str(row.address).lstrip("+")


def _state(status: str) -> str:
    return "accepted" if status == "sent" else status
