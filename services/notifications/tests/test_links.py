"""Links that carry their own proof."""

import pytest

from crmkit.ids import new_id
from services.notifications.links import open_unsubscribe_token, unsubscribe_token

KEY = b"k" * 32


class TestUnsubscribeToken:
    def test_gives_back_customer_message_and_channel(self):
        customer_id, message_id = new_id(), new_id()
        token = unsubscribe_token(customer_id, message_id, "email", KEY)
        assert open_unsubscribe_token(token, KEY) == (customer_id, message_id, "email")

    def test_is_worth_nothing_when_changed_or_signed_by_another(self):
        token = unsubscribe_token(new_id(), new_id(), "email", KEY)
        for wrong in (token[:-3] + "AAA", token[:10], "", "!!!"):
            with pytest.raises(ValueError, match=r"link|base64|padding|data characters"):
                open_unsubscribe_token(wrong, KEY)
        with pytest.raises(ValueError, match="no link"):
            open_unsubscribe_token(token, b"x" * 32)
