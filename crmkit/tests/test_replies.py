"""Replies to a broker that ends connections and falls silent."""

import subprocess
import sys
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import eventlet
import pytest
from pika import frame, spec

from crmkit import replies
from crmkit.tests import brokers

# With a cooperative standard library, as in `crm serve`. Two of the three nodes are not there. For
# all there is time, but for the word that a reply was taken that is sent again.
_WRITER = """
import os, sys, warnings; warnings.simplefilter("ignore")
os.environ["EVENTLET_NO_GREENDNS"] = "yes"
import eventlet; eventlet.monkey_patch()
from types import SimpleNamespace
from crmkit import replies
from crmkit.testing import eventually

LONG, SHORT = 60.0, 1.0
replies.PATIENCE_SECONDS = replies.AGAIN_SECONDS = replies.FRESH_SECONDS = LONG
settle, blocked = replies.Link.settle, []

def impatiently(link):
    replies.PATIENCE_SECONDS = SHORT
    try:
        settle(link)
    finally:
        blocked.append(writer.blocked)
        replies.PATIENCE_SECONDS = LONG

replies.Link.settle = impatiently
writer = replies.Replies()
writer.container = SimpleNamespace(
    config={"AMQP_URI": ";".join(f"amqp://x:x@127.0.0.1:{port}/" for port in (1, 1, sys.argv[1]))},
    spawn_managed_thread=lambda run, identifier: eventlet.spawn(run),
)
writer.setup()
for word in (b"first", b"second", b"end"):
    writer.send(SimpleNamespace(properties={"reply_to": "amq.rabbitmq.reply-to.x"}), word, {})
eventually(lambda: blocked == [True] * 3)
writer.send(SimpleNamespace(properties={"reply_to": "amq.rabbitmq.reply-to.x"}), b"later", {})
writer.stop()
"""


class Broker(brokers.Broker):
    """Ends its first connection when it is told to, and answers nothing but greetings."""

    def __init__(self) -> None:
        super().__init__()
        self.taken: list[tuple[int, str]] = []

    def answers(self, number: int, one: Any) -> Iterator[Any]:
        yield from super().answers(number, one)
        if isinstance(one, frame.Body):
            word = one.fragment.decode()
            self.taken.append((number, word))
            if word == "end" and number == 0:
                one.channel_number = 0
                yield spec.Connection.Close(541, "INTERNAL_ERROR", 0, 0)


class TestReplies:
    @pytest.mark.server
    def test_go_on_after_a_broker_was_silent(self) -> None:
        ours = Broker()
        with brokers.listening(ours) as port:
            subprocess.run([sys.executable, "-c", _WRITER, str(port)], check=True, timeout=120)
        before = [word for number, word in ours.taken if number == 0]
        after = [word for number, word in ours.taken if number > 0]
        assert before == ["first", "second", "end"]
        assert after == ["first", "second", "end", "later"]

    def test_that_nobody_takes_hold_up_no_end(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(replies, "BACKLOG", 1)
        monkeypatch.setattr(replies, "PATIENCE_SECONDS", 0.1)
        waiting = replies.Replies()
        waiting.send(SimpleNamespace(properties={}), b"x", {})
        with eventlet.Timeout(30):
            waiting.stop()
