"""``crm sender`` as a process, talking to a real mail server and a real SMS centre."""

import json
import os
import signal
import sqlite3
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from email import message_from_bytes, policy
from pathlib import Path

import pytest
from sqlalchemy import text

from contracts import marketing
from crmkit.context import Context
from crmkit.db import Database
from crmkit.ids import new_id
from crmkit.local.installation import Installation, listens
from crmkit.local.spawning import end_group, spawn
from crmkit.local.stack import INBOXES, inbox_settings
from crmkit.testing import SECRET_KEY, empty, envelope, eventually
from services.notifications import campaigns, messages
from services.notifications.models import Base, Colleague, Customer

pytestmark = pytest.mark.server

ROOT = Path(__file__).resolve().parents[3]


@dataclass
class World:
    """A database of committed rows, both providers, and senders that can be killed."""

    database: Database
    installation: Installation
    environment: dict[str, str]
    start: Callable[[tuple[str, ...]], "subprocess.Popen[bytes]"]
    inboxes: "subprocess.Popen[bytes]" = None  # type: ignore[assignment]

    def start_inboxes(self) -> None:
        port = self.installation.port
        self.inboxes = self.start(INBOXES)
        eventually(lambda: listens(port("smtp")) and listens(port("smpp")))

    def said(self, words: str) -> bool:
        return words in self.installation.path("log", "test.log").read_text()

    def sender(self) -> "subprocess.Popen[bytes]":
        return self.start((sys.executable, "-m", "crmkit", "sender"))

    def ask(self, query: str, **values: object) -> list:
        with self.database.reading(Context()) as session:
            return session.execute(text(query), values).all()

    def statuses(self, lane: str) -> dict[str, int]:
        query = "select status, count(*) from message where lane = :lane group by status"
        return {row[0]: row[1] for row in self.ask(query, lane=lane)}

    def mails(self) -> list[tuple[str, bytes]]:
        path = self.installation.path("mails.sqlite")
        with sqlite3.connect(path) as store:
            rows = store.execute("select recipients, raw from message").fetchall()
        store.close()
        return [(recipients.strip(), bytes(raw)) for recipients, raw in rows]

    def texts(self) -> list[str]:
        path = self.installation.path("sms.sqlite")
        with sqlite3.connect(path) as store:
            rows = store.execute("select document from message").fetchall()
        store.close()
        return [row[0] for row in rows]

    def campaign(self, addresses: list[str], channel: str = "email") -> None:
        """Have a campaign handed over to as many customers, who all agreed."""
        people = [(new_id(), address) for address in addresses]
        contents = [
            {
                "language": "ko",
                "subject": "{{ name }} 님, 박람회에 초대합니다",
                "email_body": "{{ name }} 님 안녕하세요.\n" * 20,
                "sms_body": "{{ name }} 님, 박람회에서 만나요. " * 5,
            }
        ]
        facts = {
            "batch_id": new_id(),
            "campaign_id": new_id(),
            "campaign_name": "Spring",
            "channel": channel,
            "default_language": "ko",
            "contents": contents,
            "recipients": [
                {
                    "recipient_id": new_id(),
                    "customer_id": identity,
                    "address": address,
                    "name": "김하늘",
                    "language": "ko",
                }
                for identity, address in people
            ],
        }
        with self.database.transaction(Context()) as session:
            session.add_all(
                Customer(
                    id=identity,
                    kind="person",
                    name="김하늘",
                    language="ko",
                    country="KR",
                    consents=["email", "sms"],
                    team_path="/hq/seoul/",
                )
                for identity, _ in people
            )
            session.flush()
            campaigns.take_in(session, envelope(marketing.RecipientsHandedOff, facts))

    def reminders(self, addresses: list[str]) -> None:
        """Have so many colleagues told something."""
        with self.database.transaction(Context()) as session:
            for address in addresses:
                person = Colleague(
                    id=new_id(),
                    name="이준호",
                    email=address,
                    language="ko",
                    team_path="/hq/seoul/",
                    active=True,
                )
                messages.to_colleague(
                    session, person, "reminder", dedupe_key=address, values={"title": "전화"}
                )

    def tried_again(self, lane: str) -> bool:
        """Whether all is settled; what was refused for now need not wait for its next attempt."""
        with self.database.transaction(Context()) as session:
            refused = "update message set next_at = now() where status = 'queued' and attempts > 0"
            session.execute(text(refused))
        return self.settled(lane)

    def settled(self, *lanes: str) -> bool:
        """Whether nothing waits in these lanes and nobody holds anything."""
        return not any({"queued", "sending"} & set(self.statuses(lane)) for lane in lanes)


@pytest.fixture
def world(
    database: Database,
    database_of: Callable[[str], Database],
    tmp_path: Path,
    request: pytest.FixtureRequest,
) -> Iterator[World]:
    installation = Installation(tmp_path / "var")
    port = installation.port
    environment = {
        "PATH": os.environ["PATH"],
        "NOTIFICATIONS_DATABASE_URL": database.engine.url.render_as_string(hide_password=False),
        "SECRET_KEY": SECRET_KEY,
        "SMTP_URL": f"smtp://127.0.0.1:{port('smtp')}",
        "SMPP_URL": f"smpp://rapport:secret@127.0.0.1:{port('smpp')}",
        "MAIL_FROM": "라포 <crm@rapport.example>",
        "PUBLIC_URL": "https://crm.example",
        "SENDER_JOURNAL": str(installation.path("journal")),
        **inbox_settings(installation, "secret"),
    }
    started: list[subprocess.Popen[bytes]] = []

    def start(command: tuple[str, ...]) -> "subprocess.Popen[bytes]":
        log = installation.path("log", "test.log")
        process = spawn(command, environment=environment, log=log, folder=ROOT)
        started.append(process)
        return process

    world = World(database, installation, environment, start)
    world.start_inboxes()
    yield world
    for process in started:
        end_group(process)
        process.wait(60)
    empty(database, Base.metadata)


def kill(process: "subprocess.Popen[bytes]", number: int = signal.SIGKILL) -> int:
    end_group(process, number)
    return process.wait(60)


def addresses(count: int, start: str = "c") -> list[str]:
    return [f"{start}{number}@customers.example" for number in range(count)]


class TestMail:
    def test_arrives_as_written_with_a_way_out(self, world: World) -> None:
        world.campaign(["one@customers.example"])
        world.reminders(["agent@rapport.example"])
        world.sender()
        eventually(lambda: world.settled("email", "marketing_email") and len(world.mails()) == 2)
        mails = {to: message_from_bytes(raw, policy=policy.default) for to, raw in world.mails()}
        advert = mails["one@customers.example"]
        assert advert["Subject"] == "김하늘 님, 박람회에 초대합니다"
        assert advert["From"] == "라포 <crm@rapport.example>"
        assert advert["List-Unsubscribe"].startswith("<https://crm.example/u/")
        assert advert["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
        assert advert.get_content().startswith("김하늘 님 안녕하세요.")
        ((identity,),) = world.ask("select id from message where purpose = 'marketing'")
        assert advert["Message-ID"] == f"<{identity}@rapport.example>"
        reminder = mails["agent@rapport.example"]
        assert reminder["List-Unsubscribe"] is None
        assert "전화" in reminder["Subject"]
        kinds = {kind for (kind,) in world.ask("select type from outbox")}
        assert kinds == {
            "crm.notifications.report.reported.v1",
            "crm.notifications.message.sent.v1",
        }

    def test_that_is_refused_bounces_or_waits(self, world: World) -> None:
        world.campaign(["bounce+1@x.example", "defer+1@x.example", "ok@x.example", "none"])
        world.sender()

        def settled() -> bool:
            return world.statuses("marketing_email") == {
                "bounced": 1,
                "queued": 1,
                "sent": 1,
                "failed": 1,
            }

        eventually(settled)
        rows = world.ask("select status, reason, attempts, next_at > now() from message")
        found = {status: (reason, attempts, later) for status, reason, attempts, later in rows}
        assert found["bounced"][0].startswith("550 5.1.1")
        assert found["queued"] == ("451 4.7.1 Try again later (scripted).", 1, True)

    def test_on_which_the_server_hangs_up_does_not_block_the_others(
        self, world: World, rude_mail_server: str
    ) -> None:
        world.environment["SMTP_URL"] = rude_mail_server
        world.campaign(["hang-up@x.example", "cut@x.example", *addresses(5)])
        world.sender()

        def each_had_its_turn() -> bool:
            # Once the five have left, one of the others may still wait untried for a connection.
            waiting = "select attempts, next_at > now() from message where status = 'queued'"
            return world.statuses("marketing_email") == {"sent": 5, "queued": 2} and world.ask(
                waiting
            ) == [(1, True), (1, True)]

        eventually(each_had_its_turn)

    def test_waits_for_a_server_that_is_away(self, world: World) -> None:
        kill(world.inboxes)
        world.campaign(addresses(30))
        world.reminders(["agent@rapport.example"])
        world.sender()
        eventually(lambda: world.said("Sending was interrupted"))
        assert world.statuses("marketing_email") == {"queued": 30}
        world.start_inboxes()
        eventually(lambda: world.settled("email", "marketing_email"), seconds=60)
        assert len(world.mails()) == 31

    def test_is_not_doubled_when_the_server_dies_in_between(self, world: World) -> None:
        adverts = addresses(400)
        world.campaign(adverts)
        world.sender()
        eventually(lambda: len(world.mails()) >= 100)
        kill(world.inboxes)
        world.start_inboxes()
        eventually(lambda: world.tried_again("marketing_email"), seconds=90)
        got = Counter(to for to, _ in world.mails())
        assert [to for to in adverts if got[to] > 1] == []
        status = world.statuses("marketing_email")
        assert status["sent"] + status.get("unknown", 0) == len(adverts)
        assert status.get("unknown", 0) <= 2  # one in hand per connection


class TestTexts:
    def test_arrive_whole_and_their_receipts_are_heard(self, world: World) -> None:
        world.campaign(["+821098765400", "+821098765498", "+821098765495"], channel="sms")
        world.sender()
        wanted = {"delivered": 1, "bounced": 2}
        eventually(lambda: world.statuses("marketing_sms") == wanted)
        reasons = {reason for (reason,) in world.ask("select reason from message")}
        assert reasons == {None, "UNDELIV 001", "SMPP 0x0000000B"}
        assert any('"parts_received": 2' in document for document in world.texts())
        assert world.ask("select count(*) from receipt") == [(0,)]


class TestKill:
    KILLS = 6

    def test_loses_nothing_and_doubles_no_advertising(self, world: World) -> None:
        """Of awaited mail a second copy may come, with the same Message-ID."""
        adverts, reminders = addresses(500), addresses(120, "staff")
        world.campaign(adverts)
        world.reminders(reminders)
        for kills in range(1, self.KILLS + 1):
            sender = world.sender()
            goal = min(kills * 70, 550)
            eventually(lambda goal=goal: len(world.mails()) >= goal, seconds=60)
            kill(sender)
        last = world.sender()
        eventually(lambda: world.settled("email", "marketing_email"), seconds=180)
        assert kill(last, signal.SIGTERM) == 0

        got = Counter(to for to, _ in world.mails())
        assert [to for to in adverts if got[to] > 1] == []
        assert [to for to in reminders if got[to] == 0] == []
        status = world.statuses("marketing_email")
        threads = 2
        assert set(status) <= {"sent", "unknown"}
        assert status.get("unknown", 0) <= self.KILLS * threads
        sent = world.ask("select address from message where status = 'sent'")
        assert [to for (to,) in sent if got[to] == 0] == []
        assert world.statuses("email") == {"sent": len(reminders)}
        by_recipient: dict[str, set[str]] = {}
        for to, raw in world.mails():
            found = message_from_bytes(raw, policy=policy.default)["Message-ID"]
            by_recipient.setdefault(to, set()).add(found)
        assert all(len(ids) == 1 for ids in by_recipient.values())

        reported = world.ask(
            "select r->>'recipient_id', r->>'state' from outbox,"
            " jsonb_array_elements(payload->'results') as r where type like '%report%'"
        )
        assert {identity for identity, _ in reported} == {
            str(identity)
            for (identity,) in world.ask(
                "select recipient_id from message where recipient_id is not null"
            )
        }

    def test_sends_no_text_message_twice(self, world: World) -> None:
        numbers = [f"+8210987{block:02d}{last:02d}" for block in range(4) for last in range(90)]
        world.campaign(numbers, channel="sms")
        for kills in range(1, 4):
            sender = world.sender()
            goal = kills * 60
            eventually(lambda goal=goal: len(world.texts()) >= goal, seconds=60)
            kill(sender)
        world.sender()

        eventually(lambda: world.settled("marketing_sms"), seconds=180)
        got = Counter(json.loads(document)["to"] for document in world.texts())
        assert [number for number in got if got[number] > 1] == []
        status = world.statuses("marketing_sms")
        assert status.get("unknown", 0) <= 3
        # A receipt that was under way at a kill is gone, as the simulator sends each but once.
        assert set(status) <= {"sent", "delivered", "unknown"}

    def test_of_a_stopped_sender_leaves_nothing_in_hand(self, world: World) -> None:
        world.campaign(addresses(300))
        sender = world.sender()
        eventually(lambda: len(world.mails()) >= 50)
        assert kill(sender, signal.SIGTERM) == 0
        status = world.statuses("marketing_email")
        assert set(status) <= {"sent", "queued"}
        assert status["sent"] == len(world.mails())
        assert list(world.installation.path("journal").rglob("*.journal")) == []
