"""Decisions about messages and reminders, as values."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from crmkit.errors import Conflict
from services.notifications import rules

SEOUL = ZoneInfo("Asia/Seoul")


class TestLane:
    def test_keeps_campaigns_out_of_the_way_of_everything_else(self):
        assert rules.lane("marketing", "email") == "marketing_email"
        assert {rules.lane(p, "email") for p in ("transactional", "service", "internal")} == {
            "email"
        }


class TestVerdict:
    def test_believes_the_provider(self):
        for kind in ("sent", "bounced", "failed"):
            assert rules.verdict(kind, "email", 1).status == kind

    def test_sends_awaited_mail_again_when_it_is_unclear_whether_it_left(self):
        assert rules.verdict("unclear", "email", 1).status == "queued"

    @pytest.mark.parametrize("lane", ["marketing_email", "sms", "marketing_sms"])
    def test_never_sends_advertising_or_a_text_message_twice(self, lane):
        assert rules.verdict("unclear", lane, 1).status == "unknown"

    def test_waits_longer_each_time_and_gives_up_after_six_attempts(self):
        pauses = [rules.verdict("deferred", "marketing_email", n) for n in range(1, 7)]
        assert [v.status for v in pauses] == ["queued"] * 5 + ["failed"]
        seconds = [v.pause_seconds for v in pauses[:5]]
        assert seconds == sorted(seconds)
        assert seconds[0] > 0

    def test_does_not_count_an_attempt_in_which_nothing_left(self):
        verdict = rules.verdict("not_begun", "sms", 1)
        assert (verdict.status, verdict.attempts) == ("queued", 0)


class TestMove:
    def test_lets_a_fired_reminder_be_snoozed_acknowledged_settled_or_cancelled(self):
        for to in ("armed", "acknowledged", "auto_resolved", "cancelled"):
            assert rules.move("fired", to) == to

    @pytest.mark.parametrize("over", ["acknowledged", "auto_resolved", "cancelled"])
    def test_changes_nothing_that_is_over(self, over):
        with pytest.raises(Conflict, match="status_not_allowed"):
            rules.move(over, "armed")

    def test_acknowledges_nothing_that_has_not_fired(self):
        with pytest.raises(Conflict):
            rules.move("armed", "acknowledged")


class TestNextYear:
    def test_comes_at_the_same_time_of_day_a_year_later(self):
        first = datetime(2025, 5, 3, 9, tzinfo=SEOUL)
        after = datetime(2025, 5, 3, 0, 1, tzinfo=UTC)
        assert rules.next_year(first, "Asia/Seoul", after) == datetime(2026, 5, 3, 9, tzinfo=SEOUL)

    def test_skips_the_years_that_are_over(self):
        first = datetime(1990, 5, 3, 9, tzinfo=SEOUL)
        after = datetime(2026, 6, 1, tzinfo=UTC)
        assert rules.next_year(first, "Asia/Seoul", after).year == 2027

    def test_comes_on_28_february_in_common_years_and_on_the_29th_in_leap_years(self):
        first = datetime(2024, 2, 29, 9, tzinfo=SEOUL)
        days = []
        at = first
        for _ in range(4):
            at = rules.next_year(first, "Asia/Seoul", at)
            days.append((at.year, at.month, at.day))
        assert days == [(2025, 2, 28), (2026, 2, 28), (2027, 2, 28), (2028, 2, 29)]

    def test_counts_days_in_the_zone_and_not_in_utc(self):
        # 29 February 08:00 in Seoul is still the 28th in UTC.
        first = datetime(2024, 2, 29, 8, tzinfo=SEOUL).astimezone(UTC)
        found = rules.next_year(first, "Asia/Seoul", first)
        assert found.astimezone(SEOUL) == datetime(2025, 2, 28, 8, tzinfo=SEOUL)

    def test_keeps_the_time_on_the_wall_when_the_clocks_change(self):
        zone = ZoneInfo("Europe/Berlin")
        first = datetime(2025, 3, 30, 9, tzinfo=zone)  # summer time since that night
        found = rules.next_year(first, "Europe/Berlin", first)
        assert found.utctimetuple().tm_hour == 7
        later = rules.next_year(datetime(2025, 3, 29, 9, tzinfo=zone), "Europe/Berlin", first)
        assert later == datetime(2026, 3, 29, 9, tzinfo=zone)


class TestReportedState:
    def test_tells_marketing_only_what_is_final(self):
        assert rules.reported_state("sent") == "accepted"
        assert rules.reported_state("queued") is None
        assert rules.reported_state("bounced") == "bounced"
