"""What becomes of a text when the SMS centre refuses our own name or number."""

import socketserver
import struct
import threading
from collections.abc import Iterator

import pytest

from crmkit.ids import new_id
from services.notifications.channels import Outgoing
from services.notifications.channels.smpp import SmppChannel

pytestmark = pytest.mark.server

HEADER = struct.Struct(">IIII")
BIND, SUBMIT, REPLY = 0x09, 0x04, 0x80000000
INVALID_SOURCE_ADDRESS = 0x0A


class _Choosy(socketserver.StreamRequestHandler):
    """Binds whoever comes, and takes no text of theirs."""

    def handle(self) -> None:
        while len(header := self.rfile.read(HEADER.size)) == HEADER.size:
            size, command, _, sequence = HEADER.unpack(header)
            self.rfile.read(size - HEADER.size)
            status = INVALID_SOURCE_ADDRESS if command == SUBMIT else 0
            body = b"centre\0" if command == BIND else b""
            self.wfile.write(
                HEADER.pack(HEADER.size + len(body), command | REPLY, status, sequence) + body
            )


@pytest.fixture
def choosy_centre() -> Iterator[str]:
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), _Choosy) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        yield f"smpp://rapport:secret@127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join()


class TestRefusing:
    def test_our_own_address_says_nothing_about_the_text(self, choosy_centre, caplog):
        channel = SmppChannel(choosy_centre, "Rapport", lambda *_: None)
        channel.open()
        text = Outgoing(new_id(), "+821098765400", "Kim", "ko", "", "Text.")
        outcome = channel.send(text)
        assert (outcome.kind, outcome.reason) == ("not_begun", "SMPP 0x0000000A")
        assert "The SMS centre refuses our own address." in caplog.messages
        assert channel.send(text).reason == "not bound"
