"""Phone numbers and e-mail addresses, as values."""

import pytest

from services.customers.contact_points import email, phone


class TestPhone:
    @pytest.mark.parametrize(
        ("typed", "region", "stored"),
        [
            ("010-1234-5678", "KR", "+821012345678"),
            ("０１０－１２３４－５６７８", "KR", "+821012345678"),
            ("090ー1234ー5678", "JP", "+819012345678"),
            ("138 1234 5678", "CN", "+8613812345678"),
            ("0912-345-678", "TW", "+886912345678"),
            ("(201) 555-0123", "US", "+12015550123"),
        ],
    )
    def test_understands_how_people_write_numbers_at_home(self, typed, region, stored):
        assert phone(typed, region).e164 == stored

    @pytest.mark.parametrize(
        "typed", ["+82 010-1234-5678", "+82 (0)10-1234-5678", "＋82 10 1234 5678"]
    )
    def test_drops_a_stray_zero_after_the_country_code(self, typed):
        assert phone(typed, "JP").e164 == "+821012345678"

    def test_prefers_the_country_in_the_number_to_the_one_it_is_told(self):
        assert phone("+81 90-1234-5678", "KR").region == "JP"

    def test_shows_the_number_as_its_country_writes_it(self):
        assert phone("+821012345678", "US").national == "010-1234-5678"

    def test_gives_back_what_it_stored(self):
        stored = phone("010-1234-5678", "KR").e164
        assert phone(stored, "CN").e164 == stored

    @pytest.mark.parametrize(
        ("typed", "region"),
        [("010-1234-5678", "KR"), ("070-1234-5678", "JP"), ("2015550123", "US")],
    )
    def test_texts_may_go_to_mobile_numbers(self, typed, region):
        assert phone(typed, region).textable

    @pytest.mark.parametrize(
        ("typed", "region"), [("02-312-3456", "KR"), ("1588-1234", "KR"), ("03-1234-5678", "JP")]
    )
    def test_texts_do_not_go_to_desks_and_service_numbers_though_they_are_valid(
        self, typed, region
    ):
        assert not phone(typed, region).textable

    @pytest.mark.parametrize(
        "typed", ["", "   ", "김민수", "12", "010-12", "1" * 60, "+999 1234567"]
    )
    def test_refuses_what_is_no_number_in_a_sentence(self, typed):
        with pytest.raises(ValueError, match=r"phone number.*[.?]$"):
            phone(typed, "KR")


class TestEmail:
    def test_is_lower_case_so_that_one_withdrawal_stops_every_spelling(self):
        assert email(" Minsu.Kim@Example.COM ") == "minsu.kim@example.com"

    def test_understands_full_width_letters_and_signs(self):
        assert email("ｔａｒｏ＠example．jp") == "taro@example.jp"

    def test_keeps_a_domain_in_its_own_script(self):
        assert email("info@한국.com") == "info@한국.com"

    def test_asks_nothing_of_the_network(self):
        assert email("someone@no-such-host.example") == "someone@no-such-host.example"

    @pytest.mark.parametrize(
        "typed", ["", "kim", "kim@", "@example.com", "a b@example.com", "김@example.com"]
    )
    def test_refuses_what_no_mail_reaches_in_a_sentence(self, typed):
        with pytest.raises(ValueError, match=r"\w.*\.$"):
            email(typed)

    def test_gives_back_what_it_stored(self):
        assert email(email("A.B+c@Example.com")) == "a.b+c@example.com"
