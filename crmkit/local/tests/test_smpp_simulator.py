import socket
import struct
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
import smpplib.client
import smpplib.consts
import smpplib.exceptions
import smpplib.gsm

from crmkit.local import smpp_simulator

KOREAN = "안녕하세요, 고객님! 견적서를 보내 드렸습니다. " * 5


class TestDecode:
    def test_knows_the_three_alphabets(self) -> None:
        assert smpp_simulator.decode(b"\x1b\x65 5 \x00 A{"[:7], 0) == "€ 5 @ "
        assert smpp_simulator.decode("Größe".encode("latin-1"), 3) == "Größe"
        assert smpp_simulator.decode("안녕".encode("utf-16-be"), 8) == "안녕"

    def test_has_the_whole_default_alphabet(self) -> None:
        assert len(smpp_simulator.GSM_ALPHABET) == 128


class TestSplitHeader:
    def test_reads_short_and_long_references(self) -> None:
        assert smpp_simulator.split_header(b"\x05\x00\x03\x07\x02\x01hi") == ((7, 2, 1), b"hi")
        assert smpp_simulator.split_header(b"\x06\x08\x04\x01\x00\x02\x02x") == ((256, 2, 2), b"x")

    def test_refuses_a_header_longer_than_the_message(self) -> None:
        with pytest.raises(smpp_simulator.Malformed):
            smpp_simulator.split_header(b"\x20\x00")


@pytest.mark.server
class TestConversation:
    @pytest.fixture
    def client(self, inboxes: Callable[[str], int]) -> Iterator[smpplib.client.Client]:
        client = smpplib.client.Client(
            "127.0.0.1", inboxes("smpp"), timeout=5, allow_unknown_opt_params=True
        )
        client.connect()
        client.bind_transceiver(system_id="rapport", password="secret")
        yield client
        client.unbind()
        client.disconnect()

    def send(self, client: smpplib.client.Client, to: str, text: str) -> int:
        parts, coding, esm_class = smpplib.gsm.make_parts(text)
        for part in parts:
            client.send_message(
                source_addr="rapport",
                destination_addr=to,
                short_message=part,
                data_coding=coding,
                esm_class=esm_class,
                registered_delivery=True,
            )
        return len(parts)

    def test_reassembles_and_confirms(
        self, client: smpplib.client.Client, inboxes: Callable[[str], int]
    ) -> None:
        ids: list[str] = []
        receipts: list[Any] = []
        client.set_message_sent_handler(lambda pdu: ids.append(pdu.message_id.decode()))
        client.set_message_received_handler(lambda pdu: receipts.append(pdu))
        sent = self.send(client, "821012345600", KOREAN)
        assert sent > 1
        sent += self.send(client, "821012345698", "Preis: 5 € [netto]")
        while len(receipts) < sent:
            client.read_once()
        stats = {r.receipted_message_id.decode(): r.short_message.decode() for r in receipts}
        assert list(stats) == ids
        assert [text.split("stat:")[1][:7] for text in stats.values()] == [
            *["DELIVRD"] * (len(ids) - 1),
            "UNDELIV",
        ]
        with httpx.Client(base_url=f"http://127.0.0.1:{inboxes('sms_page')}") as http:
            last, first = http.get("/api/messages").json()["messages"]
            assert first["text"] == KOREAN
            assert first["parts"] == first["parts_received"] == len(ids) - 1
            assert last["text"] == "Preis: 5 € [netto]"
            assert KOREAN[:20] in http.get(f"/messages/{first['id']}").text

    @pytest.mark.parametrize(("ending", "status"), [("96", 0x58), ("95", 0x0B)])
    def test_refuses_as_the_number_asks(
        self, client: smpplib.client.Client, ending: str, status: int
    ) -> None:
        refused: list[int] = []
        client.set_error_pdu_handler(lambda pdu: refused.append(pdu.status))
        self.send(client, f"8210123456{ending}", "x")
        client.read_once()
        assert refused == [status]

    def test_hands_over_what_a_phone_sends(
        self, client: smpplib.client.Client, inboxes: Callable[[str], int]
    ) -> None:
        heard: list[Any] = []
        client.set_message_received_handler(lambda pdu: heard.append(pdu))
        sent = {"from": "821012345600", "to": "rapport", "text": "수신거부"}
        url = f"http://127.0.0.1:{inboxes('sms_page')}/api/incoming"
        assert httpx.post(url, json=sent).status_code == 202
        client.read_once()
        assert heard[0].short_message.decode("utf-16-be") == "수신거부"
        assert heard[0].source_addr == b"821012345600"

    def test_refuses_a_wrong_password(self, inboxes: Callable[[str], int]) -> None:
        client = smpplib.client.Client("127.0.0.1", inboxes("smpp"), allow_unknown_opt_params=True)
        client.connect()
        with pytest.raises(smpplib.exceptions.PDUError):
            client.bind_transmitter(system_id="rapport", password="wrong")
        client.disconnect()

    def test_answers_garbage_with_a_nack(self, inboxes: Callable[[str], int]) -> None:
        with socket.create_connection(("127.0.0.1", inboxes("smpp")), timeout=5) as link:
            link.sendall(struct.pack(">IIII", 16, 0x77, 0, 5))
            assert struct.unpack(">IIII", link.recv(16)) == (16, 0x80000000, 3, 5)
            link.sendall(struct.pack(">IIII", 20, 4, 0, 6) + b"abcd")
            assert struct.unpack(">IIII", link.recv(16))[2] == 4
            link.sendall(b"GET / HTTP/1.1\r\n\r\n")
            assert struct.unpack(">IIII", link.recv(16)) == (16, 0x80000000, 2, 0)
            assert link.recv(1) == b""
