"""Texts of campaigns and messages, and the headers of mails, under attack (S13, S14).

Whoever writes a campaign, or is its recipient, may write anything; what they write is text and
stays text. Placeholders are looked for and nothing is ever executed.
"""

import time
import uuid
from email import message_from_bytes, policy
from email.message import EmailMessage
from itertools import product

import pytest

from contracts.shapes import LANGUAGES
from services.notifications import templates, wording
from services.notifications.channels import Outgoing, mime
from services.notifications.channels.smtp import SmtpChannel
from services.notifications.ledger import Claimed
from services.notifications.worker import Place

CODE = [
    "{{ 7*7 }}",
    "{{ name.__class__.__mro__[1].__subclasses__() }}",
    "{{ ''.__class__ }}",
    "{{ config }}",
    "{{ self._TemplateReference__context }}",
    "{{ cycler.__init__.__globals__.os.popen('id').read() }}",
    "{{ name|safe }}",
    "{{ name.delete() }}",
    "{{ 'x' * 1000000000 }}",
    "{{ name.format(name) }}",
    "{{ range(999999999)|list }}",
    "{% for x in range(999999999) %}x{% endfor %}",
    "{% import os %}",
    "{% include '/etc/passwd' %}",
    "{%- set x = name -%}",
    "${7*7}",
    "#{7*7}",
    "<%= 7*7 %>",
    "{0.__class__}",
    "{name!r}",
    "%(name)s",
    "$name",
    r"\1\g<0>",
    "{{ secret }}",
    "{{ key }}",
    "{{ public_url }}",
    "{{name",
    "name}}",
    "{{ {{ other }} }}",
]
LINES = [
    "Kim\r\nBcc: thief@evil.example",
    "Kim\nBcc: thief@evil.example",
    "Kim\rBcc: thief@evil.example",
    "Kim\x0bBcc: thief@evil.example",
    "Kim\x0cBcc: thief@evil.example",
    "Kim\x85Bcc: thief@evil.example",
    "Kim\u2028Bcc: thief@evil.example",
    "Kim\u2029Bcc: thief@evil.example",
    "Kim\x00Bcc: thief@evil.example",
    "Kim\r\n\r\nAnother body",
    "Kim\r\n.\r\nMAIL FROM:<thief@evil.example>",
    "=?utf-8?q?Kim=0D=0ABcc:_thief@evil.example?=",
    "=?utf-8?b?S2ltDQpCY2M6IHRoaWVmQGV2aWwuZXhhbXBsZQ==?=",
    'Kim" <thief@evil.example>, "x',
    "Kim, thief@evil.example",
    "Kim <thief@evil.example>",
    "Kim;thief@evil.example",
    "(comment) Kim",
    "x" * 5000 + "\r\nBcc: thief@evil.example",
]
ADDRESSES = [
    "a@b.example\r\nBcc: thief@evil.example",
    "a@b.example\nBcc: thief@evil.example",
    "a@b.example, thief@evil.example",
    "a@b.example; thief@evil.example",
    "a@b.example thief@evil.example",
    "a@b.example> RCPT TO:<thief@evil.example",
    "<a@b.example>",
    '"Kim" <a@b.example>',
    '"a@b.example, thief"@evil.example',
    "a@b.example\x00",
    "a@b.example(comment)",
    "@evil.example:a@b.example",
    "a%thief@b.example\r\n",
    "a@[127.0.0.1]",
    "a@b.example ",
    "a\u202e@b.example",
]
KEY = b"k" * 32
GIVEN = {
    "id": uuid.UUID(int=1),
    "lane": "bulk",
    "purpose": "marketing",
    "channel": "email",
    "customer_id": uuid.UUID(int=2),
    "language": "en",
    "country": "US",
    "name": "Kim",
    "address": "a@b.example",
    "subject": "Hello",
    "body": "Hello",
    "attempts": 0,
}
PLACE = Place("Rapport", "https://crm.example", KEY)
HEADERS = {"From", "To", "Subject", "Date", "Message-ID", "Content-Language", "MIME-Version"}
HEADERS |= {"Content-Type", "Content-Transfer-Encoding", "List-Unsubscribe"}
HEADERS |= {"List-Unsubscribe-Post", "Auto-Submitted"}


def claimed(**changes: object) -> Claimed:
    """A message of a campaign as a sender gets it."""
    return Claimed(**(GIVEN | changes))  # type: ignore[arg-type]


def sent(message: Claimed) -> EmailMessage:
    """The mail as it goes to the server, read back by the standard library."""
    channel = SmtpChannel("smtp://127.0.0.1:1", "Rapport <crm@rapport.example>")
    outgoing = PLACE.outgoing(message)
    raw = channel._mail(outgoing, mime.address(outgoing.address))
    found = message_from_bytes(raw, policy=policy.default)
    assert isinstance(found, EmailMessage)
    return found


class TestCode:
    def test_in_a_campaign_is_text(self, subtests: pytest.Subtests) -> None:
        for attack, field in product(CODE, ("subject", "body")):
            with subtests.test(attack=attack, field=field):
                mail = sent(claimed(**{field: attack}))
                shown = mail["Subject"] if field == "subject" else mail.get_content()
                assert "".join(shown.split()).endswith("".join(attack.split()))

    def test_in_a_name_is_text_wherever_it_is_filled_in(self, subtests: pytest.Subtests) -> None:
        for attack in CODE:
            with subtests.test(attack=attack):
                mail = sent(claimed(name=attack, subject="Hi {{ name }}", body="Dear {{ name }}!"))
                assert attack in mail.get_content()
                (recipient,) = mail["To"].addresses
                assert recipient.addr_spec == "a@b.example"

    def test_in_a_ticket_is_text(self, subtests: pytest.Subtests) -> None:
        for attack, language in product(CODE, LANGUAGES):
            values = dict.fromkeys(("number", "subject", "addressed", "outcome", "token"), attack)
            with subtests.test(attack=attack, language=language):
                text = templates.render("survey", language, {**values, "expires_on": "x"})
                assert attack in text.body

    def test_of_ours_is_what_it_stands_for(self) -> None:
        assert "Dear Kim!" in sent(claimed(body="Dear {{ name }}!")).get_content()

    @pytest.mark.parametrize(
        "bomb",
        [
            "{{" * 200_000,
            "{{ " + " " * 400_000,
            "{{a" * 150_000,
            "{{ name }}" * 20_000,
            "}}" * 200_000,
        ],
    )
    def test_costs_no_more_than_its_length(self, bomb: str) -> None:
        began = time.process_time()
        wording.fill(bomb, {"name": "Kim"})
        wording.one_line(bomb)
        assert time.process_time() - began < 1


class TestHeaders:
    def test_take_no_more_than_one_value(self, subtests: pytest.Subtests) -> None:
        for attack, field in product(LINES, ("name", "subject")):
            with subtests.test(attack=attack, field=field):
                mail = sent(claimed(**{field: attack}))
                assert set(mail.keys()) <= HEADERS
                assert len(mail.keys()) == len(set(mail.keys()))
                (recipient,) = mail["To"].addresses
                assert recipient.addr_spec == "a@b.example"
                assert mail["From"].addresses[0].addr_spec == "crm@rapport.example"
                assert mail.get_content().strip() == "Hello"

    def test_are_not_reached_from_the_body(self, subtests: pytest.Subtests) -> None:
        for attack in LINES:
            with subtests.test(attack=attack):
                mail = sent(claimed(body=attack))
                assert set(mail.keys()) <= HEADERS
                raw = bytes(mail)
                assert b"\r\n.\r\n" not in raw.replace(b"\n", b"\r\n")

    @pytest.mark.parametrize("attack", ADDRESSES)
    def test_take_one_address_or_none(self, attack: str) -> None:
        with pytest.raises(ValueError, match="no e-mail address"):
            sent(claimed(address=attack))

    @pytest.mark.parametrize("attack", LINES)
    def test_of_ours_are_refused_when_a_line_ends_in_them(self, attack: str) -> None:
        outgoing = Outgoing(
            id=uuid.uuid4(),
            address="a@b.example",
            name="Kim",
            language="en",
            subject="S",
            text="T",
            headers=(("List-Unsubscribe", f"<{attack}>"),),
        )
        channel = SmtpChannel("smtp://127.0.0.1:1", "crm@rapport.example")
        try:
            raw = channel._mail(outgoing, "a@b.example")
        except ValueError:
            return
        assert b"\nBcc" not in raw
        assert b"\nAnother" not in raw
