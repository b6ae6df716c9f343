"""What becomes of a mail when the server hangs up or refuses, by how far it had come."""

import pytest

from crmkit.ids import new_id
from services.notifications.channels import Outcome, Outgoing
from services.notifications.channels.smtp import SmtpChannel, refused

pytestmark = pytest.mark.server


def send(url: str, to: str, sender: str = "crm@rapport.example") -> tuple[SmtpChannel, Outcome]:
    channel = SmtpChannel(url, f"Rapport <{sender}>")
    channel.open()
    mail = Outgoing(new_id(), to, "Kim", "ko", "Subject", "Text.")
    return channel, channel.send(mail)


class TestHangingUp:
    def test_on_a_mail_is_a_refusal_of_that_mail(self, rude_mail_server):
        channel, outcome = send(rude_mail_server, "hang-up@customers.example")
        assert (outcome.kind, outcome.reason) == ("deferred", "421 4.3.2 Not you again.")
        channel.close()

    def test_without_a_word_is_one_too(self, rude_mail_server):
        channel, outcome = send(rude_mail_server, "cut@customers.example")
        assert outcome.kind == "deferred"
        channel.close()

    @pytest.mark.parametrize("sender", ["hang-up@rapport.example", "cut@rapport.example"])
    def test_before_it_heard_of_the_mail_costs_no_attempt(self, rude_mail_server, sender):
        channel, outcome = send(rude_mail_server, "kim@customers.example", sender)
        assert outcome.kind == "not_begun"
        channel.close()

    def test_leaves_the_next_mail_untried(self, rude_mail_server):
        channel, _ = send(rude_mail_server, "cut@customers.example")
        mail = Outgoing(new_id(), "kim@customers.example", "Kim", "ko", "Subject", "Text.")
        assert channel.send(mail).kind == "not_begun"
        channel.open()
        assert channel.send(mail).kind == "sent"
        channel.close()


class TestRefusing:
    def test_our_own_address_says_nothing_about_the_mail(self, rude_mail_server, caplog):
        to, us = "kim@customers.example", "unwanted@rapport.example"
        channel, outcome = send(rude_mail_server, to, us)
        assert outcome.kind == "not_begun"
        assert "The mail server refuses our own address." in caplog.messages
        mail = Outgoing(new_id(), to, "Kim", "ko", "Subject", "Text.")
        assert "not connected" in str(channel.send(mail).reason)

    def test_a_mail_by_policy_says_nothing_about_the_address(self, rude_mail_server):
        channel, outcome = send(rude_mail_server, "unwanted@customers.example")
        assert (outcome.kind, outcome.reason) == ("failed", "550 5.7.1 We want nothing of that.")
        channel.close()

    def test_an_address_that_is_not_there_is_a_bounce(self):
        for reply in (b"5.1.1 No such user.", b"no such user"):
            assert refused(550, reply, about_recipient=True).kind == "bounced"
