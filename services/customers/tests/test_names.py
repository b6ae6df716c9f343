"""Names in four scripts, as values."""

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.customers.names import (
    display_name,
    match_key,
    normalise,
    query_keys,
    search_keys,
    search_text,
)

HANGUL = st.text(
    st.sampled_from("김이박최정민서준지현우수은영하늘빛전자물산꽃뷁"), min_size=1, max_size=8
)
KANA = st.text(
    st.sampled_from("あいうさとうたけしやまだガギヴァンーアリサ々"), min_size=1, max_size=8
)
HAN = st.text(
    st.sampled_from("王小明曾国藩單單于解吕女重庆上海華信科技有限公司沢邊"), min_size=1, max_size=10
)
LATIN_WORD = st.text(st.sampled_from(string.ascii_letters + "éüßøñÅ'-."), min_size=1, max_size=8)
LATIN = st.lists(LATIN_WORD, min_size=1, max_size=4).map(" ".join)
MIXED = st.lists(
    st.one_of(
        HANGUL,
        KANA,
        HAN,
        LATIN,
        st.sampled_from(["(주)", "㈱", "有限公司", "2024", "７", "·", "&", "😀"]),
    ),
    min_size=1,
    max_size=4,
).map("".join)
NAMES = st.one_of(HANGUL, KANA, HAN, LATIN, MIXED)


def found(q: str, display: str, **more: list[str]) -> bool:
    """Whether the two conditions of the search, asked of one row, are both met."""
    tokens, needle = query_keys(q)
    return set(tokens) <= set(search_keys(display, **more)) and needle in search_text(
        display, **more
    )


class TestDisplayName:
    @pytest.mark.parametrize(
        ("family", "given_name", "shown"),
        [
            ("김", "민수", "김민수"),
            ("山田", "太郎", "山田太郎"),
            ("𠮷田", "アンナ", "𠮷田アンナ"),
            ("王", "小明", "王小明"),
            ("Smith", "John", "John Smith"),
            ("Kim", "민수", "민수 Kim"),
            ("", "Madonna", "Madonna"),
        ],
    )
    def test_follows_the_order_of_the_script(self, family, given_name, shown):
        assert display_name("person", {"family": family, "given": given_name}) == shown

    def test_puts_the_middle_name_between(self):
        name = {"family": "Kennedy", "given": "John", "middle": "F."}
        assert display_name("person", name) == "John F. Kennedy"

    def test_puts_a_latin_family_name_first_where_that_is_the_custom(self):
        name = {"family": "Nguyen", "given": "Anh", "display_order": "family_first"}
        assert display_name("person", name) == "Nguyen Anh"

    def test_puts_the_given_name_first_in_any_script_where_its_bearer_does(self):
        name = {"family": "スミス", "given": "アンナ", "display_order": "given_first"}
        assert display_name("person", name) == "アンナ スミス"

    def test_takes_a_full_name_as_it_is(self):
        assert display_name("person", {"full": "Björk", "family": None}) == "Björk"

    def test_shows_an_organisation_by_its_name(self):
        assert display_name("organisation", {"name": " ㈜한빛  전자 "}) == "㈜한빛 전자"

    def test_composes_what_a_mac_sends_decomposed(self):
        decomposed = "\u1100\u1175\u11b7"
        assert display_name("person", {"family": decomposed, "given": "민수"}) == "김민수"

    def test_refuses_a_name_of_nothing(self):
        with pytest.raises(ValueError, match="needs a family name"):
            display_name("person", {"family": " ", "given": ""})


class TestNormalise:
    @pytest.mark.parametrize(
        ("one", "other"),
        [
            ("ＫＩＭ", "kim"),
            ("㈜한빛", "(주)한빛"),
            ("ヤマダ", "やまだ"),
            ("ﾔﾏﾀﾞ", "やまだ"),
            ("陳國強", "陈国强"),
            ("渡邊", "渡辺"),
            ("髙橋", "高橋"),
            ("𠮷田", "吉田"),
            ("Müller", "muller"),
            ("STRASSE", "straße"),
            ("葛\U000e0100城", "葛城"),
            ("  김 \u3000 민수\n", "김 민수"),
            ("\u1100\u1175\u11b7", "김"),
        ],
    )
    def test_makes_two_spellings_one(self, one, other):
        assert normalise(one) == normalise(other)

    def test_keeps_legal_forms(self):
        assert normalise("株式会社ヤマダ") == "株式会社やまだ"

    def test_drops_what_a_text_column_cannot_hold(self):
        assert normalise("Kim\x00 Min\u200bsu") == "kim minsu"

    @given(st.one_of(st.text(), NAMES))
    def test_changes_nothing_the_second_time(self, text):
        assert normalise(normalise(text)) == normalise(text)


class TestSearchKeys:
    def test_of_a_korean_name_hold_characters_pairs_and_initials(self):
        keys = search_keys("김민수")
        assert keys == ["김민", "민수", "김", "민", "수", "ㄱㅁ", "ㅁㅅ", "ㄱ", "ㅁ", "ㅅ"]

    def test_hold_each_token_once_and_in_the_same_order_each_time(self):
        keys = search_keys("한국한국", ["Hankook"], ["a@example.com"], ["+821012345678"])
        assert len(keys) == len(set(keys))
        assert keys == search_keys("한국한국", ["Hankook"], ["a@example.com"], ["+821012345678"])

    def test_mark_addresses_and_numbers_so_that_no_name_meets_them(self):
        keys = search_keys("王", emails=["Wang@Example.com"], phones=["+8613812345678"])
        marked = {key for key in keys if ":" in key}
        assert marked == {
            "e:wang@example.com",
            "l:wang",
            "d:example.com",
            "p:+8613812345678",
            "t:5678",
        }

    def test_hold_no_pinyin_of_a_japanese_name(self):
        assert "sh" in search_keys("山田")
        assert "sh" not in search_keys("山田", ["やまだ"])


class TestQueryKeys:
    @given(NAMES, st.data())
    def test_find_every_part_of_a_name(self, name, data):
        text = normalise(name)
        start = data.draw(st.integers(0, len(text) - 1), label="start") if text else 0
        end = data.draw(st.integers(start, len(text)), label="end")
        part = text[start:end]
        inside_a_word = len(query_keys(part)[1]) == 1 and part.strip() < "\u1100"
        assert inside_a_word or found(part, name)

    @given(NAMES, NAMES, st.data())
    def test_find_every_part_of_every_line_of_the_search_text(self, name, reading, data):
        line = data.draw(st.sampled_from(search_text(name, [reading]).split("\n")))
        start = data.draw(st.integers(0, max(0, len(line) - 2)), label="start")
        part = line[start : data.draw(st.integers(start + 2, len(line) + 2), label="end")]
        inside_a_word = len(part) == 1 and part < "\u1100"
        assert inside_a_word or found(part, name, readings=[reading])

    @given(NAMES, NAMES)
    def test_never_find_a_row_without_the_needle(self, q, name):
        assert not found(q, name) or query_keys(q)[1] in search_text(name)

    @pytest.mark.parametrize(
        "q",
        [
            "김",
            "민",
            "민수",
            "ㄱㅁㅅ",
            "ㅁㅅ",
            "ㅅ",
            "김ㅁㅅ",
            "김미".replace("미", "ㅁ"),
            "김 민수",
        ],
    )
    def test_find_a_korean_name(self, q):
        assert found(q, "김민수")

    @pytest.mark.parametrize("q", ["ㄱㅅ", "박ㅁㅅ", "ㄴ", "수민"])
    def test_do_not_find_another_korean_name(self, q):
        assert not found(q, "김민수")

    @pytest.mark.parametrize("q", ["山", "田太", "ヤマダ", "ﾀﾛｳ", "やまだたろう", "山田 太郎"])
    def test_find_a_japanese_name_by_kanji_and_by_reading(self, q):
        assert found(q, "山田太郎", readings=["やまだ たろう"])

    @pytest.mark.parametrize(
        ("q", "name"),
        [
            ("小", "王小明"),
            ("wangxm", "王小明"),
            ("wang xiao ming", "王小明"),
            ("Xiaoming Wang", "王小明"),
            ("wxm", "王小明"),
            ("shan", "单小明"),
            ("dan", "单小明"),
            ("zgf", "曾国藩"),
            ("zeng guofan", "曾國藩"),
            ("xie", "解晓东"),
            ("lv", "吕布"),
            ("lü bu", "吕布"),
            ("lyu", "吕布"),
            ("chongqing", "重庆银行"),
            ("xi'an", "西安银行"),
            ("ouyang", "歐陽修"),
        ],
    )
    def test_find_a_chinese_name_by_its_pinyin(self, q, name):
        assert found(q, name) is (q != "wangxm")

    @pytest.mark.parametrize("q", ["j", "s", "jo", "smith", "Smith John", "john s", "ohn"])
    def test_find_a_latin_name_in_any_order_of_its_words(self, q):
        assert found(q, "John Smith")

    def test_take_a_single_latin_letter_as_the_start_of_a_word(self):
        assert not found("h", "John Smith")

    @pytest.mark.parametrize("q", ["obrien", "O'Brien", "o’b", "jean luc"])
    def test_look_past_apostrophes_hyphens_and_spaces(self, q):
        assert found(q, "Jean-Luc O'Brien")

    @pytest.mark.parametrize(
        "q", ["kim@example.com", "KIM@", "kim@exa", "@example.com", "kim＠example.com"]
    )
    def test_find_an_address_from_its_start_or_by_its_domain(self, q):
        assert found(q, "김민수", emails=["Kim@Example.com"])

    @pytest.mark.parametrize("q", ["im@example.com", "kim@other.com", "@example"])
    def test_do_not_find_another_address(self, q):
        assert not found(q, "김민수", emails=["kim@example.com"])

    @pytest.mark.parametrize(
        "q",
        [
            "5678",
            "345678",
            "010-1234-5678",
            "01012345678",
            "+82 10 1234 5678",
            "+82 010-1234-5678",
            "５６７８",
        ],
    )
    def test_find_a_phone_by_its_end(self, q):
        assert found(q, "김민수", phones=["+821012345678"])

    @pytest.mark.parametrize("q", ["1234", "9999-5678", "8765"])
    def test_do_not_find_another_phone(self, q):
        assert not found(q, "김민수", phones=["+821012345678"])

    @pytest.mark.parametrize("q", ["2024", "expo 20", "0241"])
    def test_find_digits_that_are_part_of_a_name(self, q):
        assert found(q, "Expo 20241")

    @pytest.mark.parametrize("q", ["", "  ", "()", "…"])
    def test_ask_for_nothing_when_nothing_was_typed(self, q):
        assert query_keys(q) == ([], "")

    def test_stay_few_however_much_is_pasted(self):
        assert len(query_keys("".join(map(chr, range(0xAC00, 0xAC00 + 5000))))[0]) < 40


class TestSearchText:
    def test_holds_one_form_a_line(self):
        text = search_text("王小明", ["Wang"], ["W@Example.com"], ["+8613812345678"])
        assert text.split("\n") == [
            "王小明",
            "wang",
            "wangxiaomingwangxiaoming",
            "wxm",
            "w@example.com",
            "+8613812345678",
        ]


class TestMatchKey:
    @pytest.mark.parametrize(
        ("one", "other"),
        [
            ("㈜한빛전자", "주식회사 한빛전자"),
            ("한빛전자(주)", "한빛 전자"),
            ("유한회사 새롬", "새롬"),
            ("㈱ヤマダ", "株式会社やまだ"),
            ("山田商事有限会社", "(有)山田商事"),
            ("合同会社山田", "山田"),
            ("上海华信股份有限公司", "上海華信有限責任公司"),
            ("华信有限公司", "华信"),
            ("Acme Co., Ltd.", "ACME Inc."),
            ("Acme L.L.C.", "acme"),
            ("王小明", "王晓明"),
            ("王小明", "Wang Xiaoming"),
            ("Minsu Kim", "KIM Minsu"),
        ],
    )
    def test_is_the_same_for_two_spellings_of_one_name(self, one, other):
        assert match_key(one) == match_key(other)

    @pytest.mark.parametrize(
        ("one", "other"),
        [("한빛전자", "한빛물산"), ("山田", "山本"), ("王小明", "张小明"), ("Acme", "Apex")],
    )
    def test_differs_for_different_names(self, one, other):
        assert match_key(one) != match_key(other)

    def test_reads_a_surname_as_a_surname(self):
        assert match_key("单小明") == "shanxiaoming"
        assert match_key("尉迟恭") == "yuchigong"

    @pytest.mark.parametrize("name", ["주식회사", "有限公司", "Inc.", "株式会社", "有限公司 ()"])
    def test_keeps_a_name_that_is_a_legal_form_only(self, name):
        assert match_key(name)

    @given(NAMES)
    def test_does_not_depend_on_how_the_name_was_typed(self, name):
        assert match_key(name) == match_key(normalise(name))
