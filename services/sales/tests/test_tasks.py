"""Tasks against a real database."""

from dataclasses import replace
from datetime import UTC, date, datetime

import pytest
from sqlalchemy import update

from contracts import sales as contract
from contracts import service_desk
from crmkit.clock import now
from crmkit.context import SYSTEM
from crmkit.errors import Conflict, NotFound
from crmkit.ids import new_id
from crmkit.messages import load
from crmkit.testing import announced, envelope, staff
from services.sales import tasks
from services.sales.models import Task

pytestmark = pytest.mark.server


def listed(session, **asked):
    return tasks.find(session, **load(contract.ListTasks, asked))["items"]


def flagged(customer_id, **facts):
    """A survey that went badly, late on the 1st in Shanghai and early on the 2nd in Seoul."""
    known = {
        "survey_id": new_id(),
        "ticket_id": new_id(),
        "ticket_number": "T-2026-000007",
        "customer_id": customer_id,
        "score": 2,
        "comment": "너무 늦어요",
    }
    event = envelope(service_desk.CustomerDetractorFlagged, {**known, **facts})
    return replace(event, time=datetime(2026, 11, 1, 15, 30, tzinfo=UTC))


class TestCreate:
    def test_is_for_oneself_unless_somebody_is_named(self, world):
        made = tasks.create(
            world.session, title="Call", customer_id=world.buyer, due_on=date(2026, 12, 1)
        )
        assert set(made) == set(contract.Task().fields)
        assert (made["owner_id"], made["team_path"]) == (world.kim.id, "/hq/seoul/")
        assert made["customer_name"] == "김민수"
        assert (made["status"], made["due_on"]) == ("open", date(2026, 12, 1))

    def test_tells_whom_it_is_for(self, world):
        lee = world.colleague(staff("own", "/hq/tokyo/"))
        made = tasks.create(world.session, title="Call", owner_id=lee.id)
        (facts,) = announced(world.session, contract.TaskAssigned)
        assert facts["task_id"] == made["id"]
        assert (facts["owner_id"], facts["team_path"]) == (lee.id, "/hq/tokyo/")
        assert facts["customer_id"] is None

    def test_tells_nobody_when_it_is_for_nobody(self, world):
        world.act_as(SYSTEM)
        made = tasks.create(world.session, title="Call")
        assert made["owner_id"] is None
        assert announced(world.session, contract.TaskAssigned) == []

    def test_refuses_a_customer_who_is_not_the_callers_to_see(self, world):
        world.act_as(staff("own"))
        with pytest.raises(NotFound, match="customer_not_found"):
            tasks.create(world.session, title="Call", customer_id=world.buyer)

    def test_refuses_a_colleague_it_does_not_know(self, world):
        with pytest.raises(NotFound, match="colleague_not_found"):
            tasks.create(world.session, title="Call", owner_id=new_id())


class TestFind:
    def test_lists_within_the_scope(self, world):
        made = tasks.create(world.session, title="Call")
        assert listed(world.session, filter={"status": "open"}) == [made]
        assert tasks.get(world.session, task_id=made["id"]) == made
        world.act_as(staff("own"))
        assert listed(world.session) == []
        with pytest.raises(NotFound, match="task_not_found"):
            tasks.get(world.session, task_id=made["id"])


class TestComplete:
    def test_says_so_once_however_often_it_is_asked(self, world):
        made = tasks.create(world.session, title="Call", customer_id=world.buyer)
        done = tasks.complete(world.session, task_id=made["id"])
        assert done["status"] == "done"
        assert tasks.complete(world.session, task_id=made["id"]) == done
        assert announced(world.session, contract.TaskDone) == [
            {"task_id": made["id"], "customer_id": world.buyer}
        ]

    def test_refuses_one_that_was_cancelled(self, world):
        made = tasks.create(world.session, title="Call")
        world.session.execute(update(Task).values(status="cancelled"))
        with pytest.raises(Conflict, match="status_not_allowed"):
            tasks.complete(world.session, task_id=made["id"])

    def test_keeps_to_the_scope(self, world):
        made = tasks.create(world.session, title="Call")
        world.act_as(staff("own"))
        with pytest.raises(NotFound):
            tasks.complete(world.session, task_id=made["id"])


class TestFollowUp:
    @pytest.fixture(autouse=True)
    def as_the_system(self, world):
        world.act_as(SYSTEM)

    def test_has_the_owner_of_the_customer_call_by_the_next_day(self, world):
        tasks.follow_up(world.session, flagged(world.buyer))
        (task,) = listed(world.session)
        assert (task["owner_id"], task["team_path"]) == (world.kim.id, "/hq/seoul/")
        assert task["customer_id"] == world.buyer
        assert task["title"] == "불만족 고객에게 연락하기"
        assert task["due_on"] == date(2026, 11, 3)
        assert task["reason"] == "T-2026-000007 · 2/5 · 너무 늦어요"

    def test_tells_the_owner(self, world):
        tasks.follow_up(world.session, flagged(world.buyer))
        (facts,) = announced(world.session, contract.TaskAssigned)
        assert facts["owner_id"] == world.kim.id
        assert facts["reason"].endswith("너무 늦어요")

    def test_goes_by_the_day_and_language_of_the_owner_not_of_the_customer(self, world):
        li = world.colleague(staff("own", "/hq/"), language="zh-Hans")
        buyer = world.customer(owner_id=li.id)
        tasks.follow_up(world.session, flagged(buyer))
        (task,) = listed(world.session)
        assert task["due_on"] == date(2026, 11, 2)
        assert task["title"] == "联系不满意的客户"

    def test_goes_by_the_customer_when_nobody_owns_them(self, world):
        buyer = world.customer(owner_id=None, language="ja")
        tasks.follow_up(world.session, flagged(buyer))
        (task,) = listed(world.session)
        assert task["owner_id"] is None
        assert task["team_path"] == "/hq/seoul/"
        assert task["due_on"] == date(2026, 11, 3)
        assert announced(world.session, contract.TaskAssigned) == []

    def test_raises_one_task_a_survey_however_often_it_is_announced(self, world):
        survey_id = new_id()
        tasks.follow_up(world.session, flagged(world.buyer, survey_id=survey_id))
        tasks.follow_up(world.session, flagged(world.buyer, survey_id=survey_id, score=1))
        assert len(listed(world.session)) == 1
        assert len(announced(world.session, contract.TaskAssigned)) == 1
        tasks.follow_up(world.session, flagged(world.buyer))
        assert len(listed(world.session)) == 2

    def test_waits_for_a_customer_it_has_not_heard_of(self, world):
        with pytest.raises(NotFound, match="customer_not_found"):
            tasks.follow_up(world.session, flagged(new_id()))

    def test_is_made_now(self, world):
        before = now()
        tasks.follow_up(world.session, flagged(world.buyer))
        assert before <= listed(world.session)[0]["created_at"] <= now()
