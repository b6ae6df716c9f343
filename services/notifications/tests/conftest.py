"""Facts that several tests need: a customer and a colleague that notifications knows."""

import socketserver
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from sqlalchemy.orm import Session

from contracts import customers, gateway
from crmkit.db import Database
from crmkit.ids import new_id
from crmkit.testing import empty, envelope
from services.notifications import people
from services.notifications.models import Base, Colleague, Customer


@pytest.fixture
def live(database: Database) -> Iterator[Database]:
    """The database for tests that commit; emptied afterwards."""
    yield database
    empty(database, Base.metadata)


class _Rude(socketserver.StreamRequestHandler):
    """Takes mail, but hangs up or refuses as soon as it hears of some addresses or senders."""

    def handle(self) -> None:
        self.wfile.write(b"220 here\r\n")
        for line in self.rfile:
            command = line.strip().lower()
            if b"hang-up" in command:
                self.wfile.write(b"421 4.3.2 Not you again.\r\n")
                return
            if b"unwanted" in command:
                self.wfile.write(b"550 5.7.1 We want nothing of that.\r\n")
                continue
            if b"cut" in command:
                return
            if command == b"data":
                self.wfile.write(b"354 go on\r\n")
                while self.rfile.readline() not in (b".\r\n", b""):
                    pass
            self.wfile.write(b"250 yes\r\n")


class _MailServer(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True


@pytest.fixture
def rude_mail_server() -> Iterator[str]:
    """A mail server that hangs up on ``hang-up@…`` (421) and ``cut@…``, refuses ``unwanted@…``."""
    with _MailServer(("127.0.0.1", 0), _Rude) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        yield f"smtp://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join()


@pytest.fixture
def customer(session: Session) -> Callable[..., Customer]:
    """Makes a customer known by the event that says so."""

    def make(version: int = 1, **changes: Any) -> Customer:
        facts = {
            "customer_id": new_id(),
            "kind": "person",
            "display_name": "김하늘",
            "language": "ko",
            "country": "KR",
            "lifecycle_stage": "prospect",
            "owner_id": None,
            "team_path": "/hq/seoul/",
            "tags": [],
            "email": "haneul@customers.example",
            "phone": "+821098765400",
            "mobile": "+821098765400",
            "birthday": None,
            "consents": ["email", "sms"],
            **changes,
        }
        people.keep_customer(
            session, envelope(customers.CustomerRegistered, facts, version=version)
        )
        return people.customer_of(session, facts["customer_id"])

    return make


@pytest.fixture
def colleague(session: Session) -> Callable[..., Colleague]:
    """Makes a colleague known by the event that says so."""

    def make(version: int = 1, **changes: Any) -> Colleague:
        facts = {
            **gateway.staff.StaffFacts.example,
            "staff_id": new_id(),
            "team_id": new_id(),
            "name": "이준호",
            "email": "junho@rapport.example",
            **changes,
        }
        people.keep_colleague(session, envelope(gateway.staff.StaffJoined, facts, version=version))
        return people.colleague_of(session, facts["staff_id"])

    return make
