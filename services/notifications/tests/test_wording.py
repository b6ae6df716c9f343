"""Texts in five languages."""

import re
from datetime import UTC, date, datetime
from decimal import Decimal

import pytest

from contracts.shapes import LANGUAGES
from services.notifications import templates, wording


class TestFill:
    def test_puts_values_where_their_names_stand(self):
        assert wording.fill("{{ name }}, {{name}}!", {"name": "김민수"}) == "김민수, 김민수!"

    def test_leaves_what_it_does_not_know(self):
        assert wording.fill("{{ other }} {% if %} {{ a.b }}", {"name": "x"}) == (
            "{{ other }} {% if %} {{ a.b }}"
        )

    def test_does_not_look_again_at_what_it_filled_in(self):
        assert wording.fill("{{ a }}{{ b }}", {"a": "{{ b }}", "b": "x"}) == "{{ b }}x"


class TestOneLine:
    def test_leaves_no_way_into_the_next_header(self):
        assert wording.one_line("a\r\nBcc: b@c\x00\u2028d") == "a Bcc: b@c d"


class TestMoney:
    @pytest.mark.parametrize(
        ("amount", "currency", "language", "written"),
        [
            ("1200000", "KRW", "ko", "1,200,000원"),
            ("1200000", "KRW", "en", "₩1,200,000"),
            ("98000", "JPY", "ja", "98,000円"),
            ("98000", "JPY", "zh-Hans", "JP¥98,000"),
            ("1234.5", "CNY", "zh-Hans", "¥1,234.50"),
            ("1234.5", "CNY", "ja", "CN¥1,234.50"),
            ("1500", "TWD", "zh-Hant", "NT$1,500"),
            ("0.05", "USD", "en", "$0.05"),
            ("-10", "EUR", "en", "-€10.00"),
        ],
    )
    def test_is_written_as_readers_expect(self, amount, currency, language, written):
        assert wording.money(Decimal(amount), currency, language) == written


class TestDay:
    def test_is_written_in_words(self):
        on = date(2026, 11, 1)
        assert wording.day(on, "ko") == "2026년 11월 1일"
        assert wording.day(on, "ja") == "2026年11月1日"
        assert wording.day(on, "en") == "1 November 2026"

    def test_of_a_moment_depends_on_the_zone(self):
        at = datetime(2026, 11, 1, 15, 30, tzinfo=UTC)
        assert wording.moment(at, "Asia/Seoul", "ko") == "2026년 11월 2일 00:30 (Asia/Seoul)"


class TestAddressed:
    @pytest.mark.parametrize(
        ("kind", "language", "written"),
        [
            ("person", "ko", "김민수 님"),
            ("organisation", "ko", "김민수 귀중"),
            ("person", "ja", "김민수 様"),
            ("organisation", "ja", "김민수 御中"),
            ("person", "zh-Hans", "김민수"),
            ("person", "en", "김민수"),
        ],
    )
    def test_is_polite_without_guessing(self, kind, language, written):
        assert wording.addressed("김민수", kind, language) == written


class TestTemplates:
    @pytest.mark.parametrize("kind", sorted(templates.TEMPLATES))
    def test_say_the_same_in_every_language(self, kind):
        texts = templates.TEMPLATES[kind]
        assert set(texts) == set(LANGUAGES)
        always = {"company", "addressed"}
        names = {
            language: set(re.findall(r"\{\{ ([a-z_]+) \}\}", text.subject + text.body)) - always
            for language, text in texts.items()
        }
        assert len({frozenset(found) for found in names.values()}) == 1, names

    @pytest.mark.parametrize("kind", sorted(templates.TEMPLATES))
    def test_have_no_malformed_placeholder(self, kind):
        for text in templates.TEMPLATES[kind].values():
            left = re.sub(r"\{\{ [a-z_]+ \}\}", "", text.subject + text.body)
            assert "{" not in left
            assert "}" not in left

    def test_leave_out_a_line_that_would_say_nothing(self):
        values = {"title": "Call", "customer": "", "due_on": "", "reason": "late"}
        text = templates.render("task_assigned", "en", {**values, "addressed": "Ann"})
        assert "Due" not in text.body
        assert "Why: late" in text.body

    def test_fall_back_to_english(self):
        assert templates.render("reminder", "fr", {"title": "x"}).subject == "Reminder: x"

    def test_keep_line_breaks_out_of_the_subject(self):
        text = templates.render("reminder", "en", {"title": "x\r\nBcc: y"})
        assert text.subject == "Reminder: x Bcc: y"
