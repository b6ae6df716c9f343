"""Copies of staff, against a real database."""

import pytest

from contracts import gateway
from crmkit.errors import NotFound
from crmkit.ids import new_id
from crmkit.testing import envelope, staff
from services.sales import colleagues, tasks
from services.sales.models import Colleague

pytestmark = pytest.mark.server


def left(actor, version=2):
    facts = {"staff_id": actor.id, "team_path": actor.team_path}
    return envelope(gateway.staff.StaffLeft, facts, version=version)


class TestKeepLeaver:
    def test_gives_nothing_new_to_who_left(self, world):
        colleagues.keep_leaver(world.session, left(world.kim))
        world.act_as(staff())
        with pytest.raises(NotFound, match="colleague_not_found"):
            tasks.create(world.session, title="Call", owner_id=world.kim.id)

    def test_is_not_undone_by_older_news(self, world):
        colleagues.keep_leaver(world.session, left(world.kim))
        world.colleague(world.kim)
        world.session.expire_all()
        assert world.session.get(Colleague, world.kim.id).active is False

    def test_waits_for_the_news_that_they_joined(self, world):
        with pytest.raises(NotFound, match="colleague_not_found"):
            colleagues.keep_leaver(world.session, left(staff(identity=new_id())))
