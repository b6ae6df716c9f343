"""Use cases of staff, teams, roles and API keys against PostgreSQL."""

import contextlib
from datetime import timedelta

import pytest
from sqlalchemy import func, select, update

from contracts import gateway as contract
from crmkit import testing
from crmkit.clock import now
from crmkit.context import Actor
from crmkit.errors import Conflict, Forbidden, Invalid, NotFound
from crmkit.messages import load
from crmkit.tables import outbox
from crmkit.testing import act_as, announced
from demo import company as demo
from gateway import seed
from gateway.identity import api_keys, bearer, families, roles, staff, teams
from gateway.identity.factors import Refused
from gateway.identity.models import ApiKey, LoginSession, Staff
from gateway.problems import Problem

pytestmark = pytest.mark.server
PASSWORD = "a long sentence to log in with"


@pytest.fixture
def seoul(session):
    hq = teams.create_team(session, name="HQ", slug="hq")
    return teams.create_team(session, name="Seoul", slug="seoul", parent_id=hq["id"])


@pytest.fixture
def minjun(session, seoul):
    return staff.add_staff(
        session,
        name="Kim Minjun",
        email="Minjun@Rapport.example",
        language="ko",
        team_id=seoul["id"],
        roles=["sales"],
        password=PASSWORD,
    )


def as_member(session, member, scope="all"):
    act_as(session, testing.staff(scope, member["team_path"], member["id"]))


class TestTeams:
    def test_get_a_path_below_their_parent_and_are_announced(self, session, seoul):
        assert seoul["path"] == "/hq/seoul/"
        assert [one["path"] for one in announced(session, contract.teams.TeamCreated)] == [
            "/hq/",
            "/hq/seoul/",
        ]

    def test_are_refused_at_a_path_that_is_taken(self, session, seoul):
        with pytest.raises(Conflict, match="team_exists"):
            teams.create_team(session, name="Seoul 2", slug="seoul", parent_id=seoul["parent_id"])

    def test_keep_quiet_about_a_name_they_have_already(self, session, seoul):
        teams.change_team(session, team_id=seoul["id"], name="Seoul")
        assert announced(session, contract.teams.TeamChanged) == []
        changed = teams.change_team(session, team_id=seoul["id"], name="서울", if_match=1)
        assert changed["version"] == 3 or changed["version"] == 2
        assert announced(session, contract.teams.TeamChanged)[0]["name"] == "서울"

    def test_are_listed_in_the_order_of_the_tree(self, session, seoul):
        asked = load(contract.teams.ListTeams, {})
        page = teams.list_teams(session, **asked)
        assert [one["path"] for one in page["items"]] == ["/hq/", "/hq/seoul/"]


class TestAddStaff:
    def test_announces_all_that_copies_need(self, session, minjun, seoul):
        (facts,) = announced(session, contract.staff.StaffJoined)
        assert facts == {
            "staff_id": minjun["id"],
            "name": "Kim Minjun",
            "email": "minjun@rapport.example",
            "language": "ko",
            "team_id": seoul["id"],
            "team_path": "/hq/seoul/",
            "roles": ["sales"],
            "capacity": 20,
            "active": True,
        }

    def test_shows_no_password(self, session, minjun):
        assert "password" not in str(minjun)

    def test_refuses_an_address_that_is_taken(self, session, minjun, seoul):
        with pytest.raises(Conflict, match="staff_exists"):
            staff.add_staff(
                session,
                name="X",
                email="MINJUN@rapport.example",
                team_id=seoul["id"],
                roles=["sales"],
            )

    def test_refuses_roles_that_do_not_exist(self, session, seoul):
        with pytest.raises(Invalid) as refusal:
            staff.add_staff(
                session, name="X", email="x@x.example", team_id=seoul["id"], roles=["king"]
            )
        assert "roles" in refusal.value.details

    def test_lets_nobody_make_somebody_mightier_than_themselves(self, session, minjun, seoul):
        as_member(session, minjun)
        with pytest.raises(Forbidden, match="more_than_own"):
            staff.add_staff(
                session, name="X", email="x@x.example", team_id=seoul["id"], roles=["admin"]
            )

    def test_keeps_to_the_actors_part_of_the_tree(self, session, minjun, seoul):
        as_member(session, minjun, "team")
        with pytest.raises(NotFound):
            staff.add_staff(
                session,
                name="X",
                email="x@x.example",
                team_id=seoul["parent_id"],
                roles=["sales"],
            )

    def test_refuses_an_easy_password(self, session, seoul):
        with pytest.raises(Invalid) as refusal:
            staff.add_staff(
                session,
                name="X",
                email="x@x.example",
                team_id=seoul["id"],
                roles=["sales"],
                password="password1234",
            )
        assert "password" in refusal.value.details


class TestChangeStaff:
    def test_announces_the_state_after_it_once(self, session, minjun):
        changed = staff.change_staff(session, staff_id=minjun["id"], capacity=5, if_match=1)
        again = staff.change_staff(session, staff_id=minjun["id"], capacity=5)
        assert changed["capacity"] == again["capacity"] == 5
        (facts,) = announced(session, contract.staff.StaffChanged)
        assert facts["capacity"] == 5

    def test_refuses_a_stale_version(self, session, minjun):
        staff.change_staff(session, staff_id=minjun["id"], capacity=5)
        with pytest.raises(Conflict, match="stale_version"):
            staff.change_staff(session, staff_id=minjun["id"], capacity=6, if_match=1)

    def test_says_that_somebody_left_and_ends_their_sessions(self, session, minjun):
        opened = log_in(session, minjun)
        left = staff.change_staff(session, staff_id=minjun["id"], active=False)
        assert left["active"] is False
        assert announced(session, contract.staff.StaffLeft) == [
            {"staff_id": minjun["id"], "team_path": "/hq/seoul/"}
        ]
        assert announced(session, contract.staff.StaffChanged) == []
        assert bearer.of_session(session, families.digest(opened.access_token)) is None

    def test_says_what_else_changed_when_somebody_leaves(self, session, minjun):
        staff.change_staff(session, staff_id=minjun["id"], active=False, name="Kim M.", capacity=1)
        (left,) = announced(session, contract.staff.StaffLeft)
        (changed,) = announced(session, contract.staff.StaffChanged)
        assert left["staff_id"] == changed["staff_id"] == minjun["id"]
        told = (changed["name"], changed["capacity"], changed["active"])
        assert told == ("Kim M.", 1, False)
        kinds = session.scalars(select(outbox.c.type).order_by(outbox.c.id)).all()[-2:]
        assert kinds == [contract.staff.StaffLeft.type, contract.staff.StaffChanged.type]

    def test_lets_nobody_change_somebody_mightier(self, session, minjun, seoul):
        boss = staff.add_staff(
            session, name="Boss", email="b@x.example", team_id=seoul["id"], roles=["admin"]
        )
        as_member(session, minjun)
        with pytest.raises(Forbidden, match="more_than_own"):
            staff.change_staff(session, staff_id=boss["id"], password=PASSWORD)

    def test_hides_who_is_out_of_scope(self, session, minjun, seoul):
        other = staff.add_staff(
            session,
            name="O",
            email="o@x.example",
            team_id=seoul["parent_id"],
            roles=["sales"],
        )
        as_member(session, minjun, "team")
        with pytest.raises(NotFound):
            staff.change_staff(session, staff_id=other["id"], name="P")
        asked = load(contract.staff.ListStaff, {"filter": {"active": "true"}})
        page = staff.list_staff(session, **asked)
        assert [one["id"] for one in page["items"]] == [minjun["id"]]

    def test_of_ones_own_password_wants_the_current_one(self, session, minjun):
        as_member(session, minjun, "own")

        def change(current):
            return staff.change_password(
                session,
                staff_id=minjun["id"],
                current_password=current,
                new_password=PASSWORD * 2,
            )

        assert change("x") == Refused("wrong_password")
        assert change(PASSWORD)["id"] == minjun["id"]
        assert change(PASSWORD) == Refused("wrong_password")


class TestRoles:
    def test_of_the_company_add_to_those_everybody_has(self, session):
        made = roles.put_role(session, role="auditor", permissions=["orders.read"], scope="all")
        assert (made["version"], made["built_in"]) == (1, False)
        again = roles.put_role(session, role="auditor", permissions=["orders.read"], scope="all")
        assert again == made
        changed = roles.put_role(
            session, role="auditor", permissions=["orders.read"], scope="team", if_match=1
        )
        assert changed["version"] == 2
        names = [one["name"] for one in roles.list_roles(session)["items"]]
        assert {"admin", "auditor"} <= set(names)
        assert roles.grants_of(session, ["auditor"]) == {"orders.read": "team"}

    def test_are_changed_by_who_saw_what_they_hold_now(self, session):
        roles.put_role(session, role="auditor", permissions=["orders.read"], scope="all")
        for seen, refusal in ((None, "428"), (2, "stale_version")):
            with pytest.raises((Problem, Conflict), match=refusal):
                roles.put_role(
                    session,
                    role="auditor",
                    permissions=["orders.read"],
                    scope="own",
                    if_match=seen,
                )
        assert roles.grants_of(session, ["auditor"]) == {"orders.read": "all"}

    def test_of_every_installation_stay_as_they_are(self, session):
        with pytest.raises(Conflict, match="role_is_built_in"):
            roles.put_role(session, role="admin", permissions=["orders.read"], scope="own")

    def test_name_permissions_that_exist(self, session):
        with pytest.raises(Invalid):
            roles.put_role(session, role="auditor", permissions=["orders.eat"], scope="own")

    def test_have_everything_for_all_or_not_at_all(self, session):
        with pytest.raises(Invalid) as refusal:
            roles.put_role(session, role="boss", permissions=["*"], scope="team")
        assert set(refusal.value.details) == {"scope"}

    def test_hold_no_more_than_who_makes_them(self, session, minjun):
        as_member(session, minjun)
        with pytest.raises(Forbidden, match="more_than_own"):
            roles.put_role(session, role="auditor", permissions=["orders.read"], scope="all")

    def test_are_taken_from_nobody_by_who_holds_less(self, session, minjun):
        roles.put_role(session, role="auditor", permissions=["audit.read"], scope="all")
        as_member(session, minjun)
        with pytest.raises(Forbidden, match="more_than_own"):
            roles.put_role(session, role="auditor", permissions=["tasks.read"], scope="own")
        assert roles.grants_of(session, ["auditor"]) == {"audit.read": "all"}


def log_in(session, member, minutes=60):
    return families.open_session(
        session, staff_id=member["id"], address="192.0.2.7", minutes=minutes
    )


def renew(session, token):
    return families.renew(session, refresh_token=token, minutes=60)


def holder(session, opened):
    session.flush()
    return bearer.of_session(session, families.digest(opened.access_token))


class TestSessions:
    def test_let_their_holder_in_with_roles_and_team(self, session, minjun):
        principal = holder(session, log_in(session, minjun))
        assert principal.id == minjun["id"]
        assert (principal.team_path, principal.language) == ("/hq/seoul/", "ko")
        assert principal.actor("customers.read").scope == "own"

    def test_keep_no_token_readable(self, session, minjun):
        opened = log_in(session, minjun)
        session.flush()
        row = session.execute(select(LoginSession.__table__)).one()
        for token in (opened.access_token, opened.refresh_token):
            assert token.encode() not in b"".join(v for v in row if isinstance(v, bytes))

    def test_end_with_their_time(self, session, minjun):
        assert holder(session, log_in(session, minjun, minutes=-1)) is None

    def test_replace_both_tokens_on_refresh(self, session, minjun):
        first = log_in(session, minjun)
        session.flush()
        second = renew(session, first.refresh_token)
        assert holder(session, first) is None
        assert holder(session, second).id == minjun["id"]

    def test_end_when_a_spent_refresh_token_comes_again(self, session, minjun):
        first = log_in(session, minjun)
        session.flush()
        second = renew(session, first.refresh_token)
        assert renew(session, first.refresh_token) is None
        assert holder(session, second) is None
        assert renew(session, second.refresh_token) is None

    @pytest.mark.parametrize("token", ["", "crr_", "crr_x.y", "x" * 200, "é"])
    def test_take_no_token_we_did_not_make(self, session, minjun, token: str):
        opened = log_in(session, minjun)
        session.flush()
        assert renew(session, token) is None
        assert holder(session, opened) is not None

    def test_idle_for_two_weeks_are_over(self, session, minjun):
        opened = log_in(session, minjun)
        session.flush()
        session.execute(update(LoginSession).values(refresh_expires_at=now()))
        assert renew(session, opened.refresh_token) is None

    def test_end_when_asked(self, session, minjun):
        opened = log_in(session, minjun)
        current = holder(session, opened).session_id
        families.end(session, staff_id=minjun["id"], session_id=current, reason="signed_out")
        assert holder(session, opened) is None

    def test_are_deleted_a_month_after_their_end(self, session, minjun):
        log_in(session, minjun)
        session.flush()
        families.forget_old(session)
        assert session.scalar(select(func.count()).select_from(LoginSession)) == 1
        session.execute(update(LoginSession).values(ends_at=now() - timedelta(days=31)))
        families.forget_old(session)
        assert session.scalar(select(func.count()).select_from(LoginSession)) == 0


SCOPES = ["api_keys.write"]


def as_key(session, **bounds):
    """Act as a key that may make keys, bound like that."""
    made = api_keys.create_api_key(session, name="Maker", scopes=SCOPES, **bounds)
    act_as(session, Actor(made["id"], "integration"))
    return made


class TestApiKeys:
    def test_show_their_secret_once_and_let_in_with_their_scopes(self, session):
        made = api_keys.create_api_key(session, name="ERP", scopes=["orders.read"])
        assert made["secret"].startswith(f"crm_{made['id'].hex}_")
        principal = bearer.of_key(session, families.digest(made["secret"]))
        assert (principal.id, principal.kind) == (made["id"], "integration")
        assert principal.grants == {"orders.read": "all"}
        assert "secret" not in api_keys.get_api_key(session, api_key_id=made["id"])

    def test_let_nobody_in_once_revoked_or_expired(self, session):
        made = api_keys.create_api_key(session, name="ERP", scopes=["orders.read"])
        api_keys.revoke_api_key(session, api_key_id=made["id"], if_match=made["version"])
        assert bearer.of_key(session, families.digest(made["secret"])) is None
        old = api_keys.create_api_key(
            session, name="Old", scopes=["orders.read"], expires_at=now() - timedelta(days=1)
        )
        assert bearer.of_key(session, families.digest(old["secret"])) is None

    def test_note_their_use_without_becoming_another_version(self, session):
        made = api_keys.create_api_key(session, name="ERP", scopes=["orders.read"])
        bearer.of_key(session, families.digest(made["secret"]))
        session.expire_all()
        key = session.get_one(ApiKey, made["id"])
        assert key.last_used_at is not None
        assert (key.version, key.updated_at) == (made["version"], made["updated_at"])

    def test_hold_no_more_than_who_makes_them(self, session, minjun):
        as_member(session, minjun)
        with pytest.raises(Forbidden, match="more_than_own"):
            api_keys.create_api_key(session, name="X", scopes=["staff.write"])

    @pytest.mark.parametrize(
        ("networks", "allowed"),
        [
            (["192.0.2.0/24"], True),
            (["192.0.2.128/25", "192.0.2.7", "2001:db8:1::/48"], True),
            ([], False),
            (["192.0.0.0/16"], False),
            (["192.0.2.7", "198.51.100.1"], False),
        ],
    )
    def test_made_by_a_key_come_from_where_it_does(self, session, networks, allowed: bool):
        as_key(session, networks=["192.0.2.0/24", "2001:db8::/32"])
        with contextlib.nullcontext() if allowed else pytest.raises(Forbidden, match="freer"):
            api_keys.create_api_key(session, name="X", scopes=SCOPES, networks=networks)

    @pytest.mark.parametrize(
        ("days", "allowed"), [(9, True), (10, True), (11, False), (None, False)]
    )
    def test_made_by_a_key_end_when_it_does(self, session, days: int | None, allowed: bool):
        today = now()
        as_key(session, expires_at=today + timedelta(days=10))
        ends = None if days is None else today + timedelta(days=days)
        with contextlib.nullcontext() if allowed else pytest.raises(Forbidden, match="freer"):
            api_keys.create_api_key(session, name="X", scopes=SCOPES, expires_at=ends)

    def test_made_by_a_key_without_bounds_need_none(self, session):
        as_key(session)
        api_keys.create_api_key(session, name="X", scopes=SCOPES)

    def test_get_no_new_secret_from_a_key_bound_closer(self, session):
        free = api_keys.create_api_key(session, name="Free", scopes=SCOPES)
        bound = as_key(session, networks=["192.0.2.7"])
        with pytest.raises(Forbidden, match="freer"):
            api_keys.rotate_api_key(session, api_key_id=free["id"], overlap_hours=0)
        api_keys.rotate_api_key(session, api_key_id=bound["id"], overlap_hours=0)

    def test_are_ended_also_by_who_holds_less(self, session, minjun):
        mighty = api_keys.create_api_key(session, name="X", scopes=["*"])
        as_member(session, minjun)
        with pytest.raises(Forbidden, match="more_than_own"):
            api_keys.rotate_api_key(session, api_key_id=mighty["id"], overlap_hours=0)
        ended = api_keys.revoke_api_key(session, api_key_id=mighty["id"])
        assert ended["revoked_at"] is not None


class TestSeed:
    def test_makes_the_demo_company_and_announces_it(self, session, monkeypatch):
        monkeypatch.setenv("ADMIN_PASSWORD", PASSWORD)
        monkeypatch.setenv("ERP_API_KEY", "crm_erp_key")
        reported = []
        raw = session.connection().connection.driver_connection
        seed.seed(raw, demo, 7, reported.append)
        assert reported == [7]
        assert len(announced(session, contract.staff.StaffJoined)) == len(demo.STAFF)
        assert len(announced(session, contract.teams.TeamCreated)) == len(demo.TEAMS) + 1
        assert bearer.of_key(session, families.digest("crm_erp_key")) is not None
        admin = session.get_one(Staff, demo.ADMIN.id)
        assert admin.roles == ["admin"]
        asked = load(contract.staff.ListStaff, {"limit": "200"})
        assert len(staff.list_staff(session, **asked)["items"]) == len(demo.STAFF)
