"""Text messages in parts."""

import pytest

from services.notifications.channels.sms_text import GSM_CODING, UCS2_CODING, parts


class TestParts:
    @pytest.mark.parametrize(
        ("text", "coding", "count"),
        [
            ("a" * 160, GSM_CODING, 1),
            ("a" * 161, GSM_CODING, 2),
            ("€" * 80, GSM_CODING, 1),
            ("€" * 81, GSM_CODING, 2),
            ("a" * 306, GSM_CODING, 2),
            ("a" * 307, GSM_CODING, 3),
            ("가" * 70, UCS2_CODING, 1),
            ("가" * 71, UCS2_CODING, 2),
            ("`", UCS2_CODING, 1),
            ("ç", UCS2_CODING, 1),
            ("Ç", GSM_CODING, 1),
            ("", GSM_CODING, 1),
        ],
    )
    def test_uses_as_few_as_the_alphabet_allows(self, text, coding, count):
        found = parts(text, 7)
        assert (found.coding, len(found.octets)) == (coding, count)

    def test_never_tears_an_escaped_character(self):
        found = parts("a" * 152 + "€" * 20, 7)
        assert found.octets[0][6:] == b"a" * 152
        assert all(len(part) <= 160 for part in found.octets)

    def test_never_tears_a_surrogate_pair(self):
        text = "가" * 66 + "😀" * 10
        found = parts(text, 7)
        assert all(len(part) <= 140 for part in found.octets)
        assert "".join(part[6:].decode("utf-16-be") for part in found.octets) == text

    def test_says_in_each_part_where_it_belongs(self):
        found = parts("가" * 150, 300)
        assert [part[:6] for part in found.octets] == [
            bytes((5, 0, 3, 300 & 0xFF, 3, n)) for n in (1, 2, 3)
        ]

    def test_refuses_what_is_too_long(self):
        with pytest.raises(ValueError, match="too long"):
            parts("가" * 67 * 256, 1)
