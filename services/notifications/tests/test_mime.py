"""Mails as bytes, read back with the standard library's parser."""

from email import message_from_bytes, policy
from email.header import decode_header, make_header
from email.message import EmailMessage

import pytest

from services.notifications.channels import mime


def parsed(headers, text="본문입니다.\n.점으로 시작\n") -> EmailMessage:
    raw = mime.mail(headers, text)
    assert all(len(line) <= 78 for line in raw.split(b"\r\n"))
    assert b"\n" not in raw.replace(b"\r\n", b"")
    return message_from_bytes(raw, policy=policy.default)


class TestMail:
    @pytest.mark.parametrize(
        "subject",
        [
            "Your order SO-1",
            "x" * 300,
            "【株式会社】ご注文を承りました（SO-2026-000123）" * 4,
            "주문이 접수되었습니다 👨‍👩‍👧‍👦 " * 10,
            "=?utf-8?b?dHJpY2s=?= no trick",
            "您的订单已提交",
            "",
        ],
    )
    def test_gives_back_any_subject(self, subject):
        found = parsed([("Subject", mime.unstructured(subject))])
        assert found["Subject"].split() == subject.split()
        assert not found["Subject"].defects

    @pytest.mark.parametrize("name", ["김민수", "Kim, Minsu", 'A "B" C', "鈴木" * 30, "Ann", ""])
    def test_gives_back_any_name(self, name):
        found = parsed([("To", mime.mailbox(name, "a@b.example"))])
        (address,) = found["To"].addresses
        assert address.addr_spec == "a@b.example"
        # The parser of Python 3.11 puts blanks between the words of a display name.
        raw = message_from_bytes(mime.mail([("To", mime.mailbox(name, "a@b.example"))], ""))["To"]
        assert (
            str(make_header(decode_header(raw))).replace('"', "").startswith(name.replace('"', ""))
        )
        if len(name) < 20:
            assert address.display_name == name

    def test_gives_back_the_text(self):
        text = "안녕하세요.\r\n.dot\nlast"
        assert parsed([], text).get_content().replace("\r", "") == "안녕하세요.\n.dot\nlast\n"

    def test_lets_no_header_in(self):
        found = parsed([("Subject", mime.unstructured("hello\r\nBcc: evil@x.example"))])
        assert found["Bcc"] is None
        with pytest.raises(ValueError, match="not ready"):
            mime.mail([("List-Unsubscribe", "<x>\r\nBcc: evil@x.example")], "")


class TestAddress:
    def test_puts_a_domain_in_its_own_script_into_ascii(self):
        assert mime.address("info@한국.com") == "info@xn--3e0b707e.com"

    @pytest.mark.parametrize(
        "text",
        [
            "",
            "a",
            "a@",
            "@b",
            "a b@c",
            "a@b\r\nRCPT TO:<x@y>",
            "<a@b>",
            "김@b.example",
            "a@-b-",
            "a..b@c",
        ],
    )
    def test_refuses_what_is_none(self, text):
        with pytest.raises(ValueError, match="no e-mail address"):
            mime.address(text)
