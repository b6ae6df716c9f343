import smtplib
from collections.abc import Callable
from email.message import EmailMessage

import httpx
import pytest

from crmkit.local import mail_catcher
from crmkit.local.inbox import InboxStore, is_local_name
from crmkit.local.installation import Installation


def mail(subject: str, to: str = "kim@kunde.example", html: str = "") -> EmailMessage:
    message = EmailMessage()
    message["Subject"], message["From"], message["To"] = subject, "라포 <crm@rapport.example>", to
    message.set_content("안녕하세요.\n")
    if html:
        message.add_alternative(html, subtype="html")
    return message


class TestSummary:
    def test_decodes_headers_of_asian_character_sets(self) -> None:
        raw = (
            b"Subject: =?iso-2022-jp?b?GyRCOCtAUT1xGyhC?=\r\n"
            b"From: =?gb18030?b?1cXI/Q==?= <a@b.example>\r\n\r\n"
        )
        found = mail_catcher.summary("a@b.example", ["c@d.example"], raw)
        assert found["subject"] == "見積書"
        assert found["from"] == "张三 <a@b.example>"

    def test_survives_a_mail_that_is_none(self) -> None:
        raw = b"\xff\xfe: \x00\r\nContent-Type: text/plain; charset=nonsense\r\n\r\n\xff"
        found = mail_catcher.details(mail_catcher.summary("", [], raw) | {"id": 1}, raw)
        assert "<h2>" in mail_catcher.view(found)


class TestScriptedReply:
    def test_reads_the_local_part(self) -> None:
        assert str(mail_catcher.scripted_reply("bounce+7@x.example")).startswith("550 ")
        assert str(mail_catcher.scripted_reply("defer+7@x.example")).startswith("451 ")
        assert mail_catcher.scripted_reply("bounce@x.example") is None


class TestStore:
    def test_finds_by_whole_recipient_and_counts_on(self, installation: Installation) -> None:
        store = InboxStore(installation.path("inbox.sqlite"))
        first = store.add(["A_b@x.example", "c@x.example"], {"subject": "one"})
        second = store.add(["aXb@x.example"], {"subject": "two"})
        assert [m["id"] for m in store.list()] == [second, first]
        assert [m["id"] for m in store.list(after=0)] == [first, second]
        assert [m["id"] for m in store.list(to="a_B@x.example")] == [first]
        assert store.list(to="b@x.example") == []
        store.clear()
        assert store.add(["c@x.example"], {}) == second + 1


class TestHost:
    def test_is_refused_when_it_is_a_public_name(self) -> None:
        names = ("localhost:8025", "127.0.0.1", "[::1]:8025", "inboxes:8025")
        assert all(map(is_local_name, names))
        assert not is_local_name("rebound.attacker.example:8025")


@pytest.mark.server
class TestConversation:
    def test_keeps_what_it_is_given_and_shows_it_safely(
        self, inboxes: Callable[[str], int]
    ) -> None:
        smtp, http = inboxes("smtp"), inboxes("mail_page")
        evil = "<script>alert(1)</script>"
        with smtplib.SMTP("127.0.0.1", smtp) as session:
            session.send_message(
                mail(f"株式会社の見積書 {evil}", html=f'<p class="x">Hi{evil}</p>')
            )
            with pytest.raises(smtplib.SMTPRecipientsRefused) as refusal:
                session.send_message(mail("x", to="bounce+1@kunde.example"))
            assert refusal.value.recipients["bounce+1@kunde.example"][0] == 550
            with pytest.raises(smtplib.SMTPRecipientsRefused) as refusal:
                session.send_message(mail("x", to="defer+1@kunde.example"))
            assert refusal.value.recipients["defer+1@kunde.example"][0] == 451
        with httpx.Client(base_url=f"http://127.0.0.1:{http}") as client:
            listed = client.get("/api/messages", params={"to": "KIM@kunde.example"}).json()
            (found,) = listed["messages"]
            assert found["subject"] == f"株式会社の見積書 {evil}"
            assert found["from"] == "라포 <crm@rapport.example>"
            whole = client.get(f"/api/messages/{found['id']}").json()
            assert whole["text"].strip() == "안녕하세요."
            assert evil in whole["html"]
            for path in ("/", f"/messages/{found['id']}"):
                page = client.get(path)
                assert page.status_code == 200
                assert "株式会社の見積書" in page.text
                assert evil not in page.text
                assert "script-src 'sha256-" in page.headers["content-security-policy"]
            assert "sandbox=" in page.text
            assert client.get("/", headers={"Host": "attacker.example"}).status_code == 421
            assert client.get("/messages/99").status_code == 404
            assert client.get("/api/messages", params={"limit": "x"}).status_code == 422
            assert client.delete("/api/messages").status_code == 204
            assert client.get("/api/messages").json() == {"messages": []}
