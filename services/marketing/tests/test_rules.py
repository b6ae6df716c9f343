"""What may follow what, and which texts may be sent."""

import contextlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts import marketing as contract
from crmkit.errors import Conflict, Invalid
from services.marketing import rules
from services.marketing.models import Batch

CONTENT = {"language": "en", "subject": "Hello", "email_body": "Text", "sms_body": "Short"}


def refused(
    channels: tuple[str, ...] = ("email", "sms"), default: str = "en", **changes: Any
) -> dict[str, list[str]]:
    content = {k: v for k, v in (CONTENT | changes).items() if v is not None}
    try:
        rules.refuse_unfit(channels, [content], default)
    except Invalid as refusal:
        return refusal.details
    return {}


class TestStatuses:
    def test_are_those_of_the_contract(self) -> None:
        assert set(rules.MOVES) == set(contract.CAMPAIGN_STATUSES)
        assert set(rules.RECIPIENT_MOVES) == set(contract.RECIPIENT_STATES)

    def test_of_recipients_are_all_counted(self) -> None:
        assert set(rules.COUNTED) == set(contract.RECIPIENT_STATES) - {"selected"}
        assert set(rules.COUNTED) <= {column.name for column in Batch.__table__.columns}

    @pytest.mark.parametrize("status", contract.CAMPAIGN_STATUSES)
    @pytest.mark.parametrize("action", rules.ACTIONS)
    def test_an_action_moves_was_done_or_is_refused(self, action: str, status: str) -> None:
        with contextlib.suppress(Conflict):
            after = rules.after(action, status)
            assert after is None or after in rules.MOVES[status]

    def test_a_refusal_names_the_status_and_the_ways_out(self) -> None:
        with pytest.raises(Conflict, match="status_not_allowed") as refusal:
            rules.after("pause", "draft")
        assert refusal.value.details == {
            "status": "draft",
            "allowed": ["cancelled", "snapshotting"],
        }

    @pytest.mark.parametrize("action", rules.ACTIONS)
    def test_an_action_done_once_is_done(self, action: str) -> None:
        assert rules.after(action, rules.ACTIONS[action]) is None

    def test_a_completed_campaign_cannot_be_cancelled(self) -> None:
        with pytest.raises(Conflict):
            rules.after("cancel", "completed")


class TestFollows:
    @pytest.mark.parametrize(
        "reported", ["accepted", "delivered", "bounced", "failed", "suppressed", "cancelled"]
    )
    def test_a_later_report_settles_what_was_unknown(self, reported: str) -> None:
        assert rules.follows("unknown", reported)

    @pytest.mark.parametrize(
        "state", sorted(set(contract.RECIPIENT_STATES) - rules.OPEN - {"accepted", "unknown"})
    )
    @pytest.mark.parametrize("reported", contract.RECIPIENT_STATES)
    def test_nothing_follows_a_final_state(self, state: str, reported: str) -> None:
        assert not rules.follows(state, reported)

    def test_only_delivered_or_bounced_follow_accepted(self) -> None:
        following = {s for s in contract.RECIPIENT_STATES if rules.follows("accepted", s)}
        assert following == {"delivered", "bounced"}

    def test_every_open_state_can_end(self) -> None:
        for state in rules.OPEN:
            assert rules.RECIPIENT_MOVES[state]


class TestProgress:
    def test_is_nothing_without_an_audience(self) -> None:
        assert rules.progress({"audience": 0}) == 0.0

    def test_counts_what_is_final(self) -> None:
        counts = {"audience": 4, "selected": 0, "queued": 1, "handed_off": 1}
        assert rules.progress(counts) == 0.5


class TestContents:
    def test_are_fit_with_every_text_in_the_default_language(self) -> None:
        assert refused() == {}

    def test_need_the_default_language(self) -> None:
        assert "contents" in refused(default="ko")

    @pytest.mark.parametrize("part", ["subject", "email_body", "sms_body"])
    def test_need_the_parts_of_each_channel(self, part: str) -> None:
        assert "contents" in refused(**{part: None})

    def test_need_nothing_for_other_channels(self) -> None:
        assert refused(channels=("email",), sms_body=None) == {}

    @pytest.mark.parametrize("part", ["subject", "email_body", "sms_body"])
    @pytest.mark.parametrize(
        "text",
        ["{{ company }}", "{% if x %}", "{# note", "{{name}}", "{{ name|safe }}", "{{{ name }}"],
    )
    def test_know_no_placeholder_but_the_name(self, part: str, text: str) -> None:
        assert f"contents.0.{part}" in refused(**{part: f"Hello {text}"})

    def test_may_name_the_customer_often(self) -> None:
        assert refused(email_body="{{ name }}{{ name }} {name} 100%") == {}

    @pytest.mark.parametrize("end", ["\n", "\r", "\u2028", "\x85"])
    def test_have_a_subject_of_one_line(self, end: str) -> None:
        assert "contents.0.subject" in refused(subject=f"Hello{end}Bcc: all@rapport.example")

    def test_name_channels_and_languages_once(self) -> None:
        assert "channels" in refused(channels=("sms", "sms"))
        with pytest.raises(Invalid):
            rules.refuse_unfit(["sms"], [CONTENT, CONTENT], "en")

    @given(st.text(max_size=50))
    def test_leave_nothing_for_a_template_engine(self, text: str) -> None:
        if not refused(sms_body=text or "x"):
            rest = text.replace(rules.PLACEHOLDER, "")
            assert not any(mark in rest for mark in ("{{", "{%", "{#"))

    def test_of_a_channel_hold_nothing_of_another(self) -> None:
        other = {"language": "ko", "subject": "안녕", "email_body": "글"}
        got = rules.contents_for([CONTENT, other], "sms", ["en", "ko"])
        assert got == [{"language": "en", "sms_body": "Short"}]
