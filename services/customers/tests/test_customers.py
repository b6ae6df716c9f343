"""Customers: registering, finding, changing, and what orders make of them."""

from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from contracts import customers as contract
from contracts import gateway, notifications, sales
from crmkit import codec
from crmkit.context import SYSTEM
from crmkit.errors import Conflict, Invalid, NotFound
from crmkit.ids import new_id
from crmkit.messages import load
from crmkit.testing import act_as, announced, envelope, staff
from services.customers import customers
from services.customers.models import ConsentEntry, LifecycleEntry

pytestmark = pytest.mark.server

CONSENT = {"channel": "email", "granted": True, "source": "web form", "proof": "Ticked the box."}


def register(session: Session, **changes: Any) -> dict[str, Any]:
    request = {
        "kind": "person",
        "name": {"family": "김", "given": "민수"},
        "language": "ko",
        "country": "KR",
        "contact_points": [
            {"kind": "email", "value": "Minsu.Kim@rapport.example"},
            {"kind": "phone", "value": "010-2345-6789"},
        ],
    }
    loaded = load(contract.RegisterCustomer, request | changes)
    customer: dict[str, Any] = customers.register(session, **loaded)
    return customer


def found(session: Session, **asked: Any) -> list[str]:
    page = customers.find(session, **load(contract.ListCustomers, asked))
    return [item["display_name"] for item in page["items"]]


class TestRegister:
    def test_shows_the_name_in_its_own_order(self, session: Session) -> None:
        assert register(session)["display_name"] == "김민수"

    def test_keeps_phones_in_one_form(self, session: Session) -> None:
        assert register(session)["contact_points"][1]["value"] == "+821023456789"

    def test_names_the_contact_point_that_is_none(self, session: Session) -> None:
        with pytest.raises(Invalid) as refusal:
            register(session, contact_points=[{"kind": "phone", "value": "12"}])
        assert list(refusal.value.details) == ["contact_points.0.value"]

    def test_refuses_a_name_that_is_empty(self, session: Session) -> None:
        with pytest.raises(Invalid) as refusal:
            register(session, name={})
        assert list(refusal.value.details) == ["name"]

    def test_belongs_to_who_registers(self, session: Session) -> None:
        rep = staff("own", "/hq/seoul/")
        act_as(session, rep)
        customer = register(session)
        assert (customer["owner_id"], customer["team_path"]) == (rep.id, "/hq/seoul/")

    def test_refuses_an_owner_nobody_knows(self, session: Session) -> None:
        with pytest.raises(NotFound, match="colleague_not_found"):
            register(session, owner_id=str(new_id()))

    def test_announces_what_others_need(self, session: Session) -> None:
        customer = register(session, consents=[CONSENT])
        (facts,) = announced(session, contract.CustomerRegistered)
        assert facts["customer_id"] == customer["id"]
        assert facts["consents"] == ["email"]
        assert facts["phone"] == facts["mobile"] == "+821023456789"

    def test_announces_the_phone_that_a_text_message_reaches(self, session: Session) -> None:
        landline = {"kind": "phone", "value": "02-312-3456", "primary": True}
        mobile = {"kind": "phone", "value": "010-2345-6789"}
        register(session, contact_points=[landline, mobile])
        register(session, contact_points=[landline])
        both, one = announced(session, contract.CustomerRegistered)
        assert (both["phone"], both["mobile"]) == ("+8223123456", "+821023456789")
        assert (one["phone"], one["mobile"]) == ("+8223123456", None)

    def test_decides_itself_which_phones_text_messages_reach(self, session: Session) -> None:
        landline = {"kind": "phone", "value": "02-312-3456", "textable": True}
        (point,) = register(session, contact_points=[landline])["contact_points"]
        assert point["textable"] is False

    @pytest.mark.parametrize("point", ["010-2345-6789", {"kind": "email", "vlaue": "a@b.example"}])
    def test_refuses_a_contact_point_of_another_shape(self, session: Session, point: Any) -> None:
        with pytest.raises(Invalid):
            register(session, contact_points=[point])

    def test_shows_a_name_in_the_order_its_bearer_asks_for(self, session: Session) -> None:
        name = {"family": "Nguyen", "given": "Anh", "display_order": "family_first"}
        customer = register(session, name=name)
        shown = customers.get(session, customer_id=customer["id"])
        assert (shown["display_name"], shown["name"]) == ("Nguyen Anh", name)

    def test_writes_consents_into_the_ledger(self, session: Session) -> None:
        register(session, consents=[CONSENT])
        entry = session.scalars(select(ConsentEntry)).one()
        assert (entry.channel, entry.granted, entry.proof) == ("email", True, "Ticked the box.")


class TestFind:
    @pytest.mark.parametrize(
        "part", ["김민수", "민수", "수", "ㄱㅁㅅ", "6789", "minsu.kim@rapport.example"]
    )
    def test_finds_by_part(self, session: Session, part: str) -> None:
        register(session)
        register(session, name={"family": "이", "given": "영희"}, contact_points=[])
        assert found(session, q=part) == ["김민수"]

    def test_finds_a_single_chinese_character_in_either_writing(self, session: Session) -> None:
        register(session, name={"family": "陳", "given": "偉"}, language="zh-Hant", country="TW",
                 contact_points=[])  # fmt: skip
        assert found(session, q="陈") == ["陳偉"]

    def test_shows_only_what_the_actor_may_see(self, session: Session) -> None:
        act_as(session, staff("own", "/hq/tokyo/"))
        register(session)
        act_as(session, staff("team", "/hq/seoul/"))
        assert found(session) == []
        act_as(session, staff("subtree", "/hq/"))
        assert found(session) == ["김민수"]

    def test_goes_on_where_the_page_ended(self, session: Session) -> None:
        for given in ("가", "나", "다"):
            register(session, name={"family": "김", "given": given}, contact_points=[])
        asked = load(contract.ListCustomers, {"limit": 2, "sort": "display_name"})
        first = customers.find(session, **asked)
        rest = customers.find(session, **asked | {"cursor": first["page"]["next"]})
        names = [item["display_name"] for page in (first, rest) for item in page["items"]]
        assert names == ["김가", "김나", "김다"]
        assert rest["page"]["next"] is None

    def test_refuses_a_cursor_of_another_list(self, session: Session) -> None:
        for given in ("가", "나"):
            register(session, name={"family": "김", "given": given}, contact_points=[])
        asked = load(contract.ListCustomers, {"limit": 1})
        cursor = customers.find(session, **asked)["page"]["next"]
        with pytest.raises(Invalid, match="invalid_query"):
            customers.find(session, **asked | {"cursor": cursor, "filter": {"country": "KR"}})

    def test_refuses_an_unknown_filter(self, session: Session) -> None:
        with pytest.raises(Invalid) as refusal:
            found(session, filter={"shoe_size": "43"})
        assert list(refusal.value.details) == ["filter.shoe_size"]


class TestUpdate:
    def test_raises_the_version_and_says_what_changed(self, session: Session) -> None:
        customer = register(session)
        changed = customers.update(session, customer_id=customer["id"], city="부산", tags=["vip"])
        assert changed["version"] == customer["version"] + 1
        (facts,) = announced(session, contract.CustomerUpdated)
        assert facts["changed"] == ["city", "tags"]

    def test_changing_nothing_announces_nothing(self, session: Session) -> None:
        customer = register(session)
        same = customers.update(session, customer_id=customer["id"], country="KR")
        assert same["version"] == customer["version"]
        assert announced(session, contract.CustomerUpdated) == []

    def test_refuses_a_stale_version(self, session: Session) -> None:
        customer = register(session)
        customers.update(session, customer_id=customer["id"], city="부산")
        with pytest.raises(Conflict, match="stale_version"):
            customers.update(
                session, customer_id=customer["id"], if_match=customer["version"], city="대구"
            )

    def test_takes_contact_points_back_as_they_were_shown(self, session: Session) -> None:
        customer = register(session)
        shown = codec.loads(codec.dumps(customers.get(session, customer_id=customer["id"])))
        points = shown["contact_points"]
        points.append({"kind": "phone", "value": "02-312-3456"})
        asked = {"customer_id": shown["id"], "contact_points": points}
        changed = customers.update(session, **load(contract.UpdateCustomer, asked))
        assert changed["contact_points"][:2] == points[:2]
        assert [p.get("textable") for p in changed["contact_points"]] == [None, True, False]

    def test_is_found_by_the_new_name(self, session: Session) -> None:
        customer = register(session)
        customers.update(session, customer_id=customer["id"], name={"full": "Minsu Park"})
        assert found(session, q="park") == ["Minsu Park"]

    def test_does_not_see_a_foreign_record(self, session: Session) -> None:
        customer = register(session)
        act_as(session, staff("own", "/hq/tokyo/"))
        with pytest.raises(NotFound):
            customers.update(session, customer_id=customer["id"], city="부산")


class TestRecordConsent:
    def test_the_newest_entry_counts_and_the_ledger_keeps_all(self, session: Session) -> None:
        customer = register(session, consents=[CONSENT])
        withdrawal = load(
            contract.RecordConsent,
            {**CONSENT, "granted": False, "customer_id": str(customer["id"])},
        )
        shown = customers.record_consent(session, **withdrawal)
        assert [c["granted"] for c in shown["consents"]] == [False]
        assert len(session.scalars(select(ConsentEntry)).all()) == 2
        assert announced(session, contract.CustomerUpdated)[-1]["consents"] == []


class TestWithdrawConsent:
    def test_stands_in_the_ledger_with_its_proof(self, session: Session) -> None:
        customer = register(session, consents=[CONSENT])
        facts = {
            "unsubscription_id": new_id(),
            "customer_id": customer["id"],
            "channel": "email",
            "message_id": new_id(),
            "campaign_id": new_id(),
            "at": "2026-11-22T00:00:00Z",
        }
        event = envelope(notifications.UnsubscribeReceived, facts)
        customers.withdraw_consent(session, event)
        assert announced(session, contract.CustomerUpdated)[-1]["consents"] == []
        query = select(ConsentEntry).where(ConsentEntry.granted.is_(False))
        entry = session.scalars(query).one()
        assert (entry.channel, entry.purpose, entry.source) == (
            "email",
            "marketing",
            "unsubscribe link",
        )
        assert str(facts["message_id"]) in entry.proof
        assert str(facts["campaign_id"]) in entry.proof


class TestLifecycle:
    def order(self, customer: dict[str, Any]) -> Any:
        money = {"amount": "1000", "currency": "KRW"}
        facts = {
            "order_id": new_id(),
            "number": "SO-1",
            "customer_id": customer["id"],
            "opportunity_id": None,
            "total": money,
            "lines": [],
            "owner_id": None,
            "team_path": "/",
            "payment_due_on": None,
            "submitted_at": "2026-11-22T00:00:00Z",
        }
        return envelope(sales.OrderSubmitted, facts)

    def test_orders_lead_from_first_buyer_to_loyal(self, session: Session) -> None:
        customer = register(session)
        stages = []
        for _ in range(5):
            customers.advance_on_order(session, self.order(customer))
            now = customers.get(session, customer_id=customer["id"])
            stages.append(now["lifecycle_stage"])
        assert stages == ["first_buyer", "repeat", "repeat", "repeat", "loyal"]

    def test_each_step_is_kept_with_its_cause(self, session: Session) -> None:
        customer = register(session)
        customers.advance_on_order(session, self.order(customer))
        step = session.scalars(select(LifecycleEntry)).one()
        assert (step.from_stage, step.to_stage) == ("suspect", "first_buyer")
        assert step.cause.startswith("crm.sales.order.submitted.v1 ")
        (facts,) = announced(session, contract.CustomerLifecycleChanged)
        assert facts["to_stage"] == "first_buyer"


def hear_of(session: Session, staff_id: UUID, team_path: str, *, version: int = 1) -> None:
    facts = {
        "staff_id": staff_id,
        "name": "박지훈",
        "email": "park@rapport.example",
        "language": "ko",
        "team_id": new_id(),
        "team_path": team_path,
        "roles": ["sales"],
        "capacity": 5,
        "active": True,
    }
    event = envelope(gateway.staff.StaffChanged, facts, version=version)
    customers.keep_colleague(session, event)


class TestTransfer:
    def test_the_new_owners_team_sees_the_customer(self, session: Session) -> None:
        customer, colleague = register(session), new_id()
        hear_of(session, colleague, "/hq/tokyo/")
        customers.transfer(session, customer_id=customer["id"], owner_id=colleague)
        act_as(session, staff("team", "/hq/tokyo/"))
        assert customers.get(session, customer_id=customer["id"])["owner_id"] == colleague

    def test_a_second_time_announces_nothing(self, session: Session) -> None:
        customer, colleague = register(session), new_id()
        hear_of(session, colleague, "/hq/tokyo/")
        for _ in range(2):
            customers.transfer(session, customer_id=customer["id"], owner_id=colleague)
        (facts,) = announced(session, contract.CustomerUpdated)
        assert facts["changed"] == ["owner_id", "team_path"]

    def test_a_customer_out_of_scope_cannot_be_given_away(self, session: Session) -> None:
        customer = register(session)
        act_as(session, staff("own", "/hq/tokyo/"))
        with pytest.raises(NotFound, match="customer_not_found"):
            customers.transfer(session, customer_id=customer["id"], owner_id=new_id())

    def test_refuses_a_colleague_nobody_knows(self, session: Session) -> None:
        customer = register(session)
        with pytest.raises(NotFound, match="colleague_not_found"):
            customers.transfer(session, customer_id=customer["id"], owner_id=new_id())


class TestKeepColleague:
    def test_old_news_does_not_overwrite_newer(self, session: Session) -> None:
        staff_id = new_id()
        hear_of(session, staff_id, "/hq/tokyo/", version=3)
        hear_of(session, staff_id, "/hq/seoul/", version=2)
        act_as(session, SYSTEM)
        customer = register(session, owner_id=str(staff_id))
        assert customer["team_path"] == "/hq/tokyo/"

    def test_whoever_left_gets_no_more_customers(self, session: Session) -> None:
        customer, staff_id = register(session), new_id()
        hear_of(session, staff_id, "/hq/tokyo/")
        left = envelope(
            gateway.staff.StaffLeft, {"staff_id": staff_id, "team_path": "/hq/tokyo/"}, version=2
        )
        customers.keep_leaver(session, left)
        hear_of(session, staff_id, "/hq/tokyo/", version=1)
        with pytest.raises(NotFound, match="colleague_not_found"):
            customers.transfer(session, customer_id=customer["id"], owner_id=staff_id)
        with pytest.raises(NotFound, match="colleague_not_found"):
            register(session, owner_id=str(staff_id))

    def test_a_leaving_waits_for_the_joining(self, session: Session) -> None:
        facts = {"staff_id": new_id(), "team_path": "/hq/"}
        with pytest.raises(NotFound):
            customers.keep_leaver(session, envelope(gateway.staff.StaffLeft, facts))
