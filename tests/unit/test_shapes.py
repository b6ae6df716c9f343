"""Fields that several contracts share."""

import pytest
from marshmallow import ValidationError

from contracts.shapes import day, moment, time_zone_of


class TestMomentAndDay:
    @pytest.mark.parametrize("at", ["1900-01-01T00:00:00Z", "2200-12-31T23:59:59-12:00"])
    def test_take_what_may_ever_be_meant(self, at: str):
        assert moment().deserialize(at).isoformat()[:4] == at[:4]
        assert day().deserialize(at[:10]).isoformat() == at[:10]

    @pytest.mark.parametrize(
        "at", ["9999-12-31T23:59:59-12:00", "0001-01-01T00:00:00+12:00", "1899-12-31T00:00:00Z"]
    )
    def test_refuse_the_ends_of_the_calendar_in_a_sentence(self, at: str):
        for field, value in ((moment(), at), (day(), at[:10])):
            with pytest.raises(ValidationError, match="between the years 1900 and 2200"):
                field.deserialize(value)


class TestTimeZoneOf:
    def test_is_where_the_language_is_spoken_else_where_the_company_is(self):
        assert time_zone_of("ja") == "Asia/Tokyo"
        assert time_zone_of("en") == time_zone_of(None) == "Asia/Seoul"
