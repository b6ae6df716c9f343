"""Counting attempts to log in, against PostgreSQL."""

from datetime import timedelta

import pytest
from sqlalchemy import update

from crmkit.clock import now
from crmkit.ids import new_id
from gateway.identity import attempts, families, rules, staff, teams
from gateway.identity.attempts import Wait
from gateway.identity.models import LoginFailure

pytestmark = pytest.mark.server
EMAIL = "minjun@rapport.example"


def attempt(session, address="192.0.2.7", email=EMAIL):
    return attempts.begin_login(session, email=email, address=address)


def wind(session, **back):
    """Let that time pass since all attempts."""
    moved = {
        "last_at": LoginFailure.last_at - timedelta(**back),
        "began_at": LoginFailure.began_at - timedelta(**back),
    }
    session.execute(update(LoginFailure).values(moved))


class TestFromOneAddress:
    def test_wait_after_the_fifth_and_longer_after_each(self, session):
        for _ in range(5):
            assert attempt(session) is None
        assert 20 <= attempt(session).seconds <= 31
        wind(session, seconds=31)
        assert attempt(session) is None
        assert attempt(session).seconds > 45

    def test_are_forgotten_after_an_hour(self, session):
        for _ in range(6):
            attempt(session)
        wind(session, minutes=61)
        for _ in range(5):
            assert attempt(session) is None

    def test_are_forgotten_after_the_right_password(self, session):
        for _ in range(5):
            attempt(session)
        attempts.forgive_login(session, email=EMAIL.upper(), address="192.0.2.7")
        assert attempt(session) is None

    def test_that_come_too_soon_are_not_counted(self, session):
        for _ in range(30):
            attempt(session)
        assert attempt(session).seconds <= 31


class TestOnOneAccount:
    def test_wait_after_the_tenth_wherever_they_come_from(self, session):
        for number in range(10):
            assert attempt(session, f"198.51.100.{number}") is None
        assert 5 <= attempt(session, "198.51.100.99").seconds <= 16
        wind(session, seconds=16)
        assert attempt(session, "198.51.100.98") is None
        assert attempt(session, "198.51.100.97").seconds > 16

    def test_leave_its_owner_alone_where_they_logged_in_before(self, session):
        team = teams.create_team(session, name="T", slug=new_id().hex)
        made = staff.add_staff(session, name="N", email=EMAIL, team_id=team["id"], roles=["sales"])
        families.open_session(session, staff_id=made["id"], address="203.0.113.1", minutes=1)
        for number in range(11):
            attempt(session, f"198.51.100.{number}")
        assert isinstance(attempt(session, "198.51.100.99"), Wait)
        assert attempt(session, "203.0.113.1") is None


class TestFromOneAddressOnMany:
    def test_wait_until_the_hour_of_a_hundred_is_over(self, session):
        for number in range(100):
            assert attempt(session, email=f"{number}@x.example") is None
        assert 3500 <= attempt(session, email="101@x.example").seconds <= 3601
        assert attempt(session, "198.51.100.1", email="101@x.example") is None
        wind(session, minutes=50)
        assert 500 <= attempt(session, email="101@x.example").seconds <= 601
        wind(session, minutes=11)
        assert attempt(session, email="101@x.example") is None

    def test_count_failures_only(self, session):
        for _ in range(120):
            assert attempt(session) is None
            attempts.forgive_login(session, email=EMAIL, address="192.0.2.7")


class TestWithACode:
    def test_wait_after_the_fifth_from_wherever(self, session):
        who = new_id()
        for _ in range(5):
            assert attempts.begin_code(session, who) is None
        assert isinstance(attempts.begin_code(session, who), Wait)
        assert attempts.begin_code(session, new_id()) is None
        attempts.forgive_code(session, who)
        assert attempts.begin_code(session, who) is None


class TestWaits:
    @pytest.mark.parametrize(
        ("failures", "seconds"), [(9, 0), (10, 15), (11, 30), (14, 240), (60, 300)]
    )
    def test_of_an_account_grow_and_end(self, failures: int, seconds: int):
        assert rules.account_wait(failures) == timedelta(seconds=seconds)

    def test_of_an_address_end_with_the_hour(self):
        assert rules.address_wait(99, timedelta(minutes=1)) == timedelta()
        assert rules.address_wait(100, timedelta(minutes=1)) == timedelta(minutes=59)


def test_nothing_is_kept_of_whom_or_where(session):
    attempt(session)
    kept = session.query(LoginFailure).all()
    assert all(len(row.key) == 32 and row.last_at <= now() for row in kept)
