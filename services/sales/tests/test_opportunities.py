"""Opportunities against a real database."""

from datetime import date, timedelta
from decimal import Decimal
from uuid import UUID

import pytest
from sqlalchemy import select

from contracts import customers as customers_contract
from contracts import sales as contract
from crmkit.clock import now
from crmkit.context import SYSTEM
from crmkit.errors import Conflict, Invalid, NotFound
from crmkit.ids import new_id
from crmkit.messages import load
from crmkit.testing import announced, envelope, staff
from services.sales import customers, opportunities, orders
from services.sales.models import StageEntry

pytestmark = pytest.mark.server


def money(amount, currency="USD"):
    return {"amount": Decimal(amount), "currency": currency}


def line(amount, quantity=1, currency="USD"):
    return {"description": "Licence", "quantity": quantity, "unit_price": money(amount, currency)}


def listed(session, **asked):
    request = load(contract.ListOpportunities, asked)
    return opportunities.find(session, **request)["items"]


def steps(session, opportunity):
    rows = session.scalars(
        select(StageEntry)
        .where(StageEntry.opportunity_id == opportunity["id"])
        .order_by(StageEntry.id)
    )
    return [(row.from_stage, row.to_stage) for row in rows]


class TestCreate:
    def test_answers_with_the_whole_opportunity(self, world):
        made = world.opportunity("1200", "KRW")
        assert set(made) == set(contract.Opportunity().fields)
        assert made["amount"] == {"amount": "1200", "currency": "KRW"}
        assert made["customer_name"] == "김민수"
        assert (made["status"], made["stage"], made["version"]) == ("open", "qualification", 1)
        assert (made["owner_id"], made["team_path"]) == (world.kim.id, "/hq/seoul/")

    def test_fits_its_contract(self, world):
        load(contract.Opportunity, _as_json(world.opportunity("12.30")))

    def test_announces_it(self, world):
        made = world.opportunity("12.3", stage="proposal")
        (facts,) = announced(world.session, contract.OpportunityCreated)
        assert facts["opportunity_id"] == made["id"]
        assert facts["customer_id"] == world.buyer
        assert facts["amount"] == money("12.30")
        assert facts["stage"] == "proposal"

    @pytest.mark.parametrize(
        ("customer_id", "may_come"),
        [(None, True), (UUID("01890000-0000-7000-8000-000000000000"), False)],
        ids=["new", "old"],
    )
    def test_says_whether_the_customer_may_be_on_its_way(self, world, customer_id, may_come):
        with pytest.raises(NotFound, match="customer_not_found") as refusal:
            world.opportunity(customer_id=customer_id or new_id())
        assert refusal.value.may_come is may_come

    def test_begins_the_history_of_its_stages(self, world):
        made = world.opportunity(stage="proposal")
        assert steps(world.session, made) == [(None, "proposal")]
        entry = world.session.scalars(select(StageEntry)).one()
        assert entry.entered_by == f"staff:{world.kim.id}"
        assert entry.entered_at == made["created_at"]

    def test_takes_the_id_of_the_caller(self, world):
        identity = new_id()
        assert world.opportunity(id=identity)["id"] == identity

    def test_refuses_a_customer_it_does_not_know(self, world):
        with pytest.raises(NotFound, match="customer_not_found"):
            world.opportunity(customer_id=new_id())

    def test_refuses_a_customer_who_is_not_the_callers_to_see(self, world):
        world.act_as(staff("own"))
        with pytest.raises(NotFound, match="customer_not_found"):
            world.opportunity()

    def test_refuses_half_a_won(self, world):
        with pytest.raises(Invalid) as refusal:
            world.opportunity("0.5", "KRW")
        assert list(refusal.value.details) == ["amount.amount"]

    def test_gives_it_to_the_colleague_who_is_named(self, world):
        lee = world.colleague(staff("own", "/hq/tokyo/"))
        made = world.opportunity(owner_id=lee.id)
        assert (made["owner_id"], made["team_path"]) == (lee.id, "/hq/tokyo/")

    def test_refuses_a_colleague_it_does_not_know(self, world):
        with pytest.raises(NotFound, match="colleague_not_found"):
            world.opportunity(owner_id=new_id())

    def test_leaves_it_to_the_customers_owner_when_no_person_asks(self, world):
        world.act_as(SYSTEM)
        made = world.opportunity()
        assert (made["owner_id"], made["team_path"]) == (world.kim.id, "/hq/seoul/")


class TestAnswers:
    @pytest.fixture(params=[("0", "EUR"), ("12.30", "EUR"), ("1200", "KRW")])
    def made(self, world, request):
        return self.as_read(world, world.opportunity(*request.param))

    def as_read(self, world, answer):
        read = opportunities.get(world.session, opportunity_id=answer["id"])
        assert _as_json(answer) == _as_json(read)
        return {"opportunity_id": answer["id"]}

    def test_of_changes_say_what_is_read_then(self, world, made):
        changes = {"title": "Eleven", "expected_on": None}
        self.as_read(world, opportunities.update(world.session, **made, **changes))
        self.as_read(world, opportunities.move(world.session, **made, stage="proposal"))
        self.as_read(world, opportunities.win(world.session, **made))
        self.as_read(world, opportunities.win(world.session, **made))

    def test_of_a_loss_too(self, world, made):
        self.as_read(world, opportunities.lose(world.session, **made, reason="Price"))


class TestGet:
    def test_finds_ones_own(self, world):
        made = world.opportunity()
        assert opportunities.get(world.session, opportunity_id=made["id"]) == made

    @pytest.mark.parametrize(
        ("scope", "path", "seen"),
        [
            ("own", "/hq/seoul/", False),
            ("team", "/hq/seoul/", True),
            ("team", "/hq/", False),
            ("subtree", "/hq/", True),
            ("subtree", "/hq/tokyo/", False),
            ("all", "/hq/tokyo/", True),
        ],
    )
    def test_keeps_to_the_scope(self, world, scope, path, seen):
        made = world.opportunity()
        world.act_as(staff(scope, path))
        if seen:
            assert opportunities.get(world.session, opportunity_id=made["id"]) == made
        else:
            with pytest.raises(NotFound, match="opportunity_not_found"):
                opportunities.get(world.session, opportunity_id=made["id"])


class TestFind:
    def test_lists_the_newest_first_with_the_customers_name(self, world):
        first, second = world.opportunity(), world.opportunity()
        assert listed(world.session) == [second, first]

    def test_shows_the_name_the_customer_has_now(self, world):
        world.opportunity()
        facts = {"customer_id": world.buyer, "display_name": "김민지", "language": "ko"}
        facts |= {"owner_id": world.kim.id, "team_path": "/hq/seoul/"}
        facts |= {"kind": "person", "country": "KR", "lifecycle_stage": "prospect", "tags": []}
        facts |= {"email": None, "phone": None, "birthday": None, "consents": [], "changed": []}
        event = envelope(customers_contract.CustomerUpdated, facts, version=2)
        customers.keep(world.session, event)
        assert [row["customer_name"] for row in listed(world.session)] == ["김민지"]

    def test_filters_and_pages(self, world):
        made = [world.opportunity() for _ in range(3)]
        opportunities.lose(world.session, opportunity_id=made[0]["id"], reason="Price")
        request = load(contract.ListOpportunities, {"filter": {"status": "open"}, "limit": 1})
        first = opportunities.find(world.session, **request)
        second = opportunities.find(world.session, **{**request, "cursor": first["page"]["next"]})
        assert [row["id"] for row in first["items"]] == [made[2]["id"]]
        assert [row["id"] for row in second["items"]] == [made[1]["id"]]
        assert second["page"]["next"] is None

    def test_gives_only_the_fields_that_are_asked_for(self, world):
        world.opportunity("5", "JPY")
        assert listed(world.session, fields="amount,customer_name") == [
            {"amount": {"amount": "5", "currency": "JPY"}, "customer_name": "김민수"}
        ]

    def test_keeps_to_the_scope(self, world):
        world.opportunity()
        world.act_as(staff("own"))
        assert listed(world.session) == []

    @pytest.mark.parametrize("name", [*contract.ListOpportunities.filters])
    def test_takes_every_filter_it_declares(self, world, name):
        made = world.opportunity()
        value = made[name].isoformat() if hasattr(made[name], "isoformat") else str(made[name])
        assert len(listed(world.session, filter={name: value})) == 1


class TestUpdate:
    def test_changes_what_is_given_and_announces_that(self, world):
        made = world.opportunity()
        changed = opportunities.update(
            world.session,
            opportunity_id=made["id"],
            if_match=1,
            amount=money("30", "KRW"),
            expected_on=None,
            title=made["title"],
        )
        assert changed["amount"] == {"amount": "30", "currency": "KRW"}
        assert changed["expected_on"] is None
        assert changed["version"] == 2
        (facts,) = announced(world.session, contract.OpportunityUpdated)
        assert facts["changed"] == ["amount", "expected_on"]
        assert facts["amount"] == money("30", "KRW")

    def test_announces_nothing_when_nothing_is_other_than_before(self, world):
        made = world.opportunity("7")
        again = opportunities.update(
            world.session, opportunity_id=made["id"], amount=money("7.00"), title=made["title"]
        )
        assert again == made
        assert announced(world.session, contract.OpportunityUpdated) == []

    def test_refuses_an_old_version(self, world):
        made = world.opportunity()
        with pytest.raises(Conflict, match="stale_version"):
            opportunities.update(
                world.session, opportunity_id=made["id"], if_match=9, title="Other"
            )

    def test_refuses_once_it_is_closed(self, world):
        closed = world.won()
        with pytest.raises(Conflict, match="opportunity_closed"):
            opportunities.update(world.session, opportunity_id=closed["id"], title="Other")

    def test_keeps_to_the_scope(self, world):
        made = world.opportunity()
        world.act_as(staff("own"))
        with pytest.raises(NotFound):
            opportunities.update(world.session, opportunity_id=made["id"], title="Other")


class TestMove:
    def test_goes_forward_and_back_and_tells_each_step(self, world):
        made = world.opportunity()
        for stage in ("negotiation", "proposal"):
            moved = opportunities.move(world.session, opportunity_id=made["id"], stage=stage)
            assert moved["stage"] == stage
        facts = announced(world.session, contract.OpportunityStageChanged)
        assert [(f["from_stage"], f["to_stage"]) for f in facts] == [
            ("qualification", "negotiation"),
            ("negotiation", "proposal"),
        ]
        assert steps(world.session, made) == [
            (None, "qualification"),
            ("qualification", "negotiation"),
            ("negotiation", "proposal"),
        ]

    def test_into_the_same_stage_changes_nothing(self, world):
        made = world.opportunity()
        again = opportunities.move(world.session, opportunity_id=made["id"], stage="qualification")
        assert again == made
        assert announced(world.session, contract.OpportunityStageChanged) == []

    def test_refuses_once_it_is_closed(self, world):
        closed = world.won()
        with pytest.raises(Conflict) as refusal:
            opportunities.move(world.session, opportunity_id=closed["id"], stage="proposal")
        assert refusal.value.code == "stage_not_allowed"
        assert refusal.value.details == {"stage": "won", "allowed": []}

    def test_keeps_to_the_scope(self, world):
        made = world.opportunity()
        world.act_as(staff("team", "/hq/tokyo/"))
        with pytest.raises(NotFound):
            opportunities.move(world.session, opportunity_id=made["id"], stage="proposal")


class TestWin:
    def test_closes_it_and_places_an_order(self, world):
        won = world.won("12.50")
        assert (won["status"], won["stage"], won["version"]) == ("won", "qualification", 2)
        order = orders.get(world.session, order_id=won["order_id"])
        assert order["opportunity_id"] == won["id"]
        assert order["submitted_at"] == won["closed_at"]
        assert order["total"] == {"amount": "12.50", "currency": "USD"}
        assert order["lines"] == [
            {
                "description": "Ten licences",
                "quantity": 1,
                "unit_price": {"amount": "12.50", "currency": "USD"},
            }
        ]

    def test_announces_the_win_and_the_order_once_however_often_it_is_asked(self, world):
        won = world.won()
        again = opportunities.win(world.session, opportunity_id=won["id"], lines=[line("1")])
        assert again == won
        (win,) = announced(world.session, contract.OpportunityWon)
        (placed,) = announced(world.session, contract.OrderSubmitted)
        assert win["order_id"] == placed["order_id"] == won["order_id"]
        assert placed["total"] == win["amount"] == money("100.00")
        assert placed["lines"][0]["unit_price"] == money("100.00")
        assert steps(world.session, won) == [(None, "qualification"), ("qualification", "won")]

    def test_takes_the_sum_of_the_lines_as_what_was_sold(self, world):
        won = world.won("100", lines=[line("10.25", quantity=3), line("1")])
        assert won["amount"] == {"amount": "31.75", "currency": "USD"}
        order = orders.get(world.session, order_id=won["order_id"])
        assert order["total"] == won["amount"]
        assert [(one["quantity"], one["unit_price"]["amount"]) for one in order["lines"]] == [
            (3, "10.25"),
            (1, "1.00"),
        ]
        (facts,) = announced(world.session, contract.OpportunityWon)
        assert facts["amount"] == money("31.75")

    def test_refuses_lines_in_another_currency_and_leaves_it_open(self, world):
        made = world.opportunity()
        with pytest.raises(Conflict, match="other_currency"):
            opportunities.win(
                world.session, opportunity_id=made["id"], lines=[line("1"), line("1", 1, "EUR")]
            )
        assert opportunities.get(world.session, opportunity_id=made["id"]) == made
        assert announced(world.session, contract.OrderSubmitted) == []

    def test_names_the_line_that_is_no_amount(self, world):
        with pytest.raises(Invalid) as refusal:
            world.won("1", lines=[line("1"), line("0.001")])
        assert list(refusal.value.details) == ["lines.1.unit_price.amount"]

    def test_refuses_lines_that_come_to_more_than_an_order_can_be(self, world):
        with pytest.raises(Invalid) as refusal:
            world.won("1", lines=[line("9999999999999", 1_000_000)])
        assert list(refusal.value.details) == ["lines.amount"]

    def test_is_due_in_thirty_days_unless_agreed_otherwise(self, world):
        def due(**terms):
            won = world.won(**terms)
            return orders.get(world.session, order_id=won["order_id"])["payment_due_on"]

        in_seoul = (now() + timedelta(hours=9)).date()
        assert due() - in_seoul in (timedelta(30), timedelta(31))
        assert due(payment_due_on=date(2027, 1, 2)) == date(2027, 1, 2)
        assert due(payment_due_on=None) is None

    def test_refuses_what_was_lost(self, world):
        made = world.opportunity()
        opportunities.lose(world.session, opportunity_id=made["id"], reason="Price")
        with pytest.raises(Conflict) as refusal:
            opportunities.win(world.session, opportunity_id=made["id"])
        assert refusal.value.details == {"stage": "lost", "allowed": []}

    def test_keeps_to_the_scope(self, world):
        made = world.opportunity()
        world.act_as(staff("own"))
        with pytest.raises(NotFound):
            opportunities.win(world.session, opportunity_id=made["id"])


class TestLose:
    def test_closes_it_and_announces_why(self, world):
        made = world.opportunity(stage="proposal")
        lost = opportunities.lose(world.session, opportunity_id=made["id"], reason="Price")
        assert (lost["status"], lost["lost_reason"]) == ("lost", "Price")
        assert lost["closed_at"] is not None
        (facts,) = announced(world.session, contract.OpportunityLost)
        assert facts["reason"] == "Price"
        assert steps(world.session, made)[-1] == ("proposal", "lost")

    def test_keeps_the_first_reason_and_announces_nothing_the_second_time(self, world):
        made = world.opportunity()
        lost = opportunities.lose(world.session, opportunity_id=made["id"], reason="Price")
        again = opportunities.lose(world.session, opportunity_id=made["id"], reason="Other")
        assert again == lost
        assert len(announced(world.session, contract.OpportunityLost)) == 1

    def test_refuses_what_was_won(self, world):
        won = world.won()
        with pytest.raises(Conflict, match="stage_not_allowed"):
            opportunities.lose(world.session, opportunity_id=won["id"], reason="Price")

    def test_keeps_to_the_scope(self, world):
        made = world.opportunity()
        world.act_as(staff("own"))
        with pytest.raises(NotFound):
            opportunities.lose(world.session, opportunity_id=made["id"], reason="Price")


def _as_json(values):
    from crmkit import codec

    assert isinstance(values["id"], UUID)
    return codec.loads(codec.dumps(values))
