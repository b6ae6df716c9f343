"""What a caller is told when the bus cannot be asked."""

import asyncio
from types import SimpleNamespace

import pytest
from pika.channel import Channel

from contracts.customers import GetCustomer
from crmkit.client import Client
from crmkit.context import Context
from crmkit.errors import Unavailable


class TestCall:
    def test_over_a_channel_that_has_just_ended_is_refused_like_one_without_a_link(self) -> None:
        ended = Channel(SimpleNamespace(callbacks=None), 1, lambda _: None)
        link = SimpleNamespace(blocked=False, user="gateway")
        client = Client("", _link=link, _channel=ended)  # type: ignore[arg-type]
        with pytest.raises(Unavailable, match="not connected"):
            asyncio.run(client.call(GetCustomer, {}, Context()))
