"""The demo company, as values: the same everywhere, and fit for every table it is poured into."""

from datetime import timedelta
from itertools import pairwise
from unicodedata import name as unicode_name

import pytest

from demo import company as demo

SAMPLE = 3_000
CUSTOMERS = list(demo.customers(SAMPLE))
DEALS = [demo.deal(n) for n in range(SAMPLE)]
TICKETS = [demo.ticket(n) for n in range(SAMPLE)]
SCRIPTS = {
    "ko": {"HANGUL"},
    "ja": {"CJK", "IDEOGRAPHIC", "HIRAGANA", "KATAKANA"},
    "zh-Hans": {"CJK"},
    "en": {"LATIN"},
}


class TestStaff:
    def test_has_one_administrator_who_logs_in_first(self):
        assert [one.email for one in demo.STAFF if "admin" in one.roles] == [
            "admin@rapport.example"
        ]
        assert demo.STAFF[0] is demo.ADMIN

    def test_has_in_every_team_one_manager_three_reps_and_two_agents(self):
        for team in demo.TEAMS:
            roles = sorted(one.roles for one in demo.STAFF if one.team_path == team.path)
            assert roles == [("manager", "sales"), *[("sales",)] * 3, *[("service",)] * 2]

    def test_holds_known_roles_and_teams_only(self):
        paths = {team.path for team in demo.TEAMS} | {demo.HQ_PATH}
        for one in demo.STAFF:
            assert set(one.roles) <= {"admin", "manager", "sales", "service", "marketing"}
            assert one.team_path in paths

    def test_has_ids_and_addresses_of_its_own(self):
        assert len({one.id for one in demo.STAFF}) == len({one.email for one in demo.STAFF})
        assert len({one.id for one in demo.STAFF}) == len(demo.STAFF)

    def test_keeps_its_ids_for_ever(self):
        assert str(demo.ADMIN.id) == "018b8307-ac00-73ed-91bc-256a8706cd0c"

    def test_is_shown_in_the_order_of_its_script(self):
        assert demo.ADMIN.name == "Robin Carter"
        assert "박지영" in {one.name for one in demo.STAFF}


class TestCustomer:
    def test_is_the_same_however_many_are_asked_for(self):
        assert list(demo.customers(3, start=700)) == CUSTOMERS[700:703]

    def test_is_the_same_for_ever(self):
        first = demo.customer(0)
        assert (str(first.id), first.name) == ("018b882e-0800-71e3-b1d7-a57c06ed4d4a", "구성규")

    @pytest.mark.parametrize("start", [0, 20_000, 1_000_000, 5_000_000])
    def test_has_ids_and_times_that_grow(self, start):
        for earlier, later in pairwise(demo.customers(200, start)):
            assert earlier.id < later.id
            assert earlier.created_at < later.created_at < demo.AS_OF

    def test_has_ids_of_version_7_that_hold_the_time(self):
        for one in CUSTOMERS[:100]:
            assert (one.id.version, one.id.variant) == (7, "specified in RFC 4122")
            assert one.id.int >> 80 == round(one.created_at.timestamp() * 1000)

    def test_is_a_person_with_a_birthday_or_a_company_with_a_name(self):
        for one in CUSTOMERS:
            person = one.kind == "person"
            assert bool(one.family and one.given and one.birthday) == person
            assert bool(one.organisation) == (one.kind == "organisation") != person

    def test_has_its_name_in_the_script_of_its_language(self):
        for one in CUSTOMERS:
            if one.kind == "person":
                scripts = {
                    unicode_name(char).split()[0]
                    for char in one.family + one.given
                    if char.isalpha()
                }
                assert scripts <= SCRIPTS[one.language]

    def test_has_a_reading_unless_the_name_is_latin(self):
        assert all(bool(one.reading) == (one.language != "en") for one in CUSTOMERS)

    def test_has_an_address_that_no_other_has_and_that_no_mail_reaches(self):
        assert len({one.email for one in CUSTOMERS}) == SAMPLE
        assert all(one.email.isascii() and one.email.endswith(".example") for one in CUSTOMERS)

    def test_has_a_phone_that_hardly_another_has(self):
        assert len({one.phone for one in CUSTOMERS}) > 0.98 * SAMPLE

    def test_belongs_to_a_rep_of_its_team(self):
        reps = {one.id: one.team_path for one in demo.STAFF if one.roles == ("sales",)}
        assert all(reps[one.owner_id] == one.team_path for one in CUSTOMERS)

    def test_comes_in_every_language_stage_source_and_list(self):
        assert {one.language for one in CUSTOMERS} == set(SCRIPTS)
        assert {one.lifecycle for one in CUSTOMERS} == set(demo.LIFECYCLE)
        assert {one.source for one in CUSTOMERS} == set(demo.SOURCES)
        assert {one.list_kind for one in CUSTOMERS} == set(demo.LIST_KINDS)

    def test_has_a_name_that_seldom_repeats(self):
        assert len({one.name for one in CUSTOMERS}) > 0.9 * SAMPLE

    def test_has_answered_each_channel_once(self):
        for one in CUSTOMERS:
            assert len(dict(one.consents)) == len(one.consents)
            assert set(dict(one.consents).values()) <= {"granted", "withdrawn"}


class TestPhones:
    def test_are_mobile_numbers_that_the_system_takes(self):
        phonenumbers = pytest.importorskip("phonenumbers")
        for one in CUSTOMERS:
            number = phonenumbers.parse(one.phone)
            assert phonenumbers.is_valid_number(number), one.phone
            assert phonenumbers.region_code_for_number(number) == one.country
            assert phonenumbers.number_type(number) in {
                phonenumbers.PhoneNumberType.MOBILE,
                phonenumbers.PhoneNumberType.FIXED_LINE_OR_MOBILE,
            }


class TestDeal:
    def test_belongs_to_the_customer_of_its_number_and_to_that_owner(self):
        for deal, customer in zip(DEALS, CUSTOMERS, strict=True):
            assert (deal.customer_id, deal.owner_id) == (customer.id, customer.owner_id)
            assert customer.name in deal.title

    def test_is_won_by_those_who_bought_and_lost_by_those_who_are_lost(self):
        for deal, customer in zip(DEALS, CUSTOMERS, strict=True):
            bought = customer.lifecycle in {"first_buyer", "repeat", "loyal", "dormant"}
            assert (deal.stage == "won") == bought
            assert customer.lifecycle != "lost" or deal.stage == "lost"

    def test_is_closed_if_won_or_lost_and_has_a_reason_if_lost(self):
        for deal in DEALS:
            assert (deal.closed_at is not None) == (deal.stage in {"won", "lost"})
            assert bool(deal.lost_reason) == (deal.stage == "lost")

    def test_happens_after_the_customer_came_and_before_the_demo_ends(self):
        for deal, customer in zip(DEALS, CUSTOMERS, strict=True):
            closed_at = deal.closed_at or demo.AS_OF
            assert customer.created_at <= deal.created_at <= closed_at <= demo.AS_OF

    def test_is_expected_on_the_day_it_closed_or_after_the_demo_ends(self):
        for deal in DEALS:
            closed_on = deal.closed_at and deal.closed_at.date()
            assert deal.expected_close_on == closed_on or deal.expected_close_on > demo.AS_OF.date()

    def test_is_a_positive_amount_in_the_currency_of_the_language(self):
        currencies = {"ko": "KRW", "ja": "JPY", "zh-Hans": "CNY", "en": "USD"}
        for deal, customer in zip(DEALS, CUSTOMERS, strict=True):
            assert deal.currency == currencies[customer.language]
            assert deal.amount_minor > 0

    def test_comes_in_every_stage(self):
        assert {deal.stage for deal in DEALS} == set(demo.DEAL_STAGES)

    def test_is_the_same_the_second_time(self):
        assert demo.deal(17) == DEALS[17]


class TestTicket:
    def test_belongs_to_the_customer_of_its_number_and_to_an_agent_of_its_team(self):
        agents = {one.id: one.team_path for one in demo.STAFF if one.roles == ("service",)}
        for ticket, customer in zip(TICKETS, CUSTOMERS, strict=True):
            assert (ticket.customer_id, ticket.language) == (customer.id, customer.language)
            assert (ticket.assignee_id is None) == (ticket.status == "new")
            assert agents.get(ticket.assignee_id, ticket.team_path) == customer.team_path

    def test_is_opened_after_the_customer_came_and_resolved_after_that(self):
        for ticket, customer in zip(TICKETS, CUSTOMERS, strict=True):
            resolved_at = ticket.resolved_at or demo.AS_OF
            assert customer.created_at <= ticket.opened_at <= resolved_at <= demo.AS_OF
            assert (ticket.resolved_at is None) == (ticket.status not in {"resolved", "closed"})

    def test_is_not_left_open_for_weeks(self):
        for ticket in TICKETS:
            if ticket.resolved_at is None:
                assert ticket.opened_at >= demo.AS_OF - timedelta(days=10)

    def test_comes_in_every_status_and_priority(self):
        assert {ticket.status for ticket in TICKETS} == set(demo.TICKET_STATUSES)
        assert {ticket.priority for ticket in TICKETS} == set(demo.PRIORITIES)

    def test_is_the_same_the_second_time(self):
        assert demo.ticket(17) == TICKETS[17]


class TestIds:
    def test_are_never_shared_between_kinds(self):
        ids = [
            row.id for rows in (demo.TEAMS, demo.STAFF, CUSTOMERS, DEALS, TICKETS) for row in rows
        ]
        assert len(set(ids)) == len(ids)
