"""The audit log: masking and chaining by values, entries and their order against PostgreSQL."""

import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import DBAPIError

from contracts.gateway import audit as contract
from crmkit import testing
from crmkit.context import Context
from crmkit.db import context
from crmkit.errors import Forbidden
from crmkit.ids import new_id
from crmkit.messages import load
from crmkit.testing import act_as
from gateway import audit, audit_chain, audit_refusals
from gateway.audit import AuditEntry
from gateway.audit_refusals import Refusals
from gateway.identity import api_keys, roles, staff, teams
from gateway.tests.conftest import someone

KEY = b"k" * 32


class TestMasked:
    @pytest.mark.parametrize(
        ("value", "expected"),
        [("minjun@rapport.example", "m…@rapport.example"), ("김민준", "김…"), ("", "")],
    )
    def test_leaves_a_hint(self, value: str, expected: str):
        assert audit_chain.hint(value) == expected

    def test_cuts_what_is_personal_wherever_it_stands(self):
        details = {
            "email": {"before": "a.b@x.example", "after": "c@x.example"},
            "roles": {"before": ["sales"], "after": []},
            "staff": {"name": "Kim", "capacity": 3},
        }
        assert audit_chain.masked(details) == {
            "email": {"before": "a…@x.example", "after": "c…@x.example"},
            "roles": {"before": ["sales"], "after": []},
            "staff": {"name": "K…", "capacity": 3},
        }


class TestLinked:
    def test_depends_on_content_on_the_one_before_and_on_the_key(self):
        first = audit_chain.linked(audit_chain.FIRST, {"a": 1, "b": 2}, KEY)
        assert first == audit_chain.linked(audit_chain.FIRST, {"b": 2, "a": 1}, KEY)
        others = {
            audit_chain.linked(audit_chain.FIRST, {"a": 1, "b": 3}, KEY),
            audit_chain.linked(b"x" * 32, {"a": 1, "b": 2}, KEY),
            audit_chain.linked(audit_chain.FIRST, {"a": 1, "b": 2}, b"x" * 32),
        }
        assert first not in others
        assert len(others) == 3


def test_a_difference_names_what_changed_only():
    before, after = {"a": 1, "b": 2}, {"a": 1, "b": 3}
    assert audit_chain.difference(before, after) == {"b": {"before": 2, "after": 3}}


def entries(session, action):
    query = select(AuditEntry).where(AuditEntry.action == action).order_by(AuditEntry.position)
    return session.scalars(query).all()


@pytest.fixture
def below(owned):
    """A session of the role that the log belongs to; undone afterwards."""
    with testing.rolled_back(owned) as session:
        yield session


@pytest.fixture
def clean(below):
    """The log without what other tests committed before; undone with the rest."""
    below.execute(text("alter table audit_entry disable trigger user"))
    below.execute(text("delete from audit_entry"))
    below.execute(text("alter table audit_entry enable trigger user"))
    return below


@pytest.mark.server
class TestNote:
    def test_says_who_did_what_from_where(self, session):
        act_as(session, testing.staff())
        audit.note(session, "a.b", "staff/1", email="kim@x.example")
        (entry,) = entries(session, "a.b")
        assert entry.actor == context(session).actor.initiator
        assert entry.request_id == context(session).request_id
        assert entry.details == {"email": "k…@x.example"}

    def test_is_undone_with_the_business(self, database):
        def fail(session):
            audit.note(session, "never.happened", "x/1")
            raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            database.within(Context()).run(fail)
        with database.reading(Context()) as session:
            assert entries(session, "never.happened") == []

    @pytest.mark.parametrize(
        "statement",
        [
            "update audit_entry set action = 'x'",
            "delete from audit_entry",
            "truncate audit_entry",
        ],
    )
    def test_is_for_good(self, session, below, statement: str):
        with pytest.raises(DBAPIError, match="permission denied"), session.begin_nested():
            session.execute(text(statement))
        audit.note(below, "a.b", "x/1")
        with pytest.raises(DBAPIError, match="only ever added to"), below.begin_nested():
            below.execute(text(statement))

    def test_counts_without_gaps_for_a_crowd(self, database):
        from concurrent.futures import ThreadPoolExecutor

        subject = f"x/{new_id()}"

        def one(_):
            database.within(Context()).run(lambda session: audit.note(session, "crowd", subject))

        with ThreadPoolExecutor(5) as pool:
            list(pool.map(one, range(20)))
        with database.reading(Context()) as session:
            query = select(AuditEntry.position).where(AuditEntry.subject == subject)
            positions = sorted(session.scalars(query))
            assert positions == list(range(positions[0], positions[0] + 20))
            assert audit.verify_audit_trail(session)["intact"] is True


@pytest.mark.server
class TestVerifyAuditTrail:
    @pytest.fixture
    def three(self, clean):
        for number in (1, 2, 3):
            audit.note(clean, "a.b", f"x/{number}", number=number, at="서울")
        return clean

    def test_holds_what_was_written(self, three):
        found = audit.verify_audit_trail(three)
        assert (found["intact"], found["checked"], found["position"]) == (True, 3, 3)

    def test_goes_on_where_it_stopped(self, three):
        first = audit.verify_audit_trail(three, limit=2)
        assert (first["position"], first["more"]) == (2, True)
        second = audit.verify_audit_trail(three, after=2)
        assert (second["intact"], second["checked"], second["more"]) == (True, 1, False)

    def test_says_that_the_end_is_gone_to_who_goes_on_from_there(self, three):
        last = audit.verify_audit_trail(three)["position"]
        assert audit.verify_audit_trail(three, after=last)["intact"] is True
        three.execute(text("alter table audit_entry disable trigger user"))
        three.execute(text("delete from audit_entry where position = 3"))
        found = audit.verify_audit_trail(three, after=last)
        assert (found["intact"], found["broken_at"], found["checked"]) == (False, last, 0)

    def test_says_that_the_entry_is_gone_behind_which_to_go_on(self, three):
        three.execute(text("alter table audit_entry disable trigger user"))
        three.execute(text("delete from audit_entry where position = 2"))
        found = audit.verify_audit_trail(three, after=2)
        assert (found["intact"], found["broken_at"], found["checked"]) == (False, 2, 0)

    @pytest.mark.parametrize(
        ("tampering", "broken_at"),
        [
            ("update audit_entry set subject = 'x/9' where position = 2", 2),
            ("update audit_entry set details = '{}' where position = 1", 1),
            ("update audit_entry set at = at + interval '1 ms' where position = 3", 3),
            ("delete from audit_entry where position = 2", 2),
            ("delete from audit_entry where position = 1", 1),
            ("update audit_entry set key_id = 'x' where position = 2", 2),
        ],
    )
    def test_finds_tampering_from_below(self, three, tampering: str, broken_at: int):
        three.execute(text("alter table audit_entry disable trigger user"))
        three.execute(text(tampering))
        three.expire_all()
        found = audit.verify_audit_trail(three)
        assert (found["intact"], found["broken_at"]) == (False, broken_at)


@pytest.mark.server
class TestListAuditEntries:
    def test_is_newest_first_and_filtered(self, clean):
        for number in range(3):
            audit.note(clean, "a.b", f"x/{number}")
        audit.note(clean, "c.d", "x/0")
        asked = load(contract.ListAuditEntries, {"filter": {"subject": "x/0"}, "limit": "1"})
        page = audit.list_audit_entries(clean, **asked)
        assert [one["action"] for one in page["items"]] == ["c.d"]
        more = load(
            contract.ListAuditEntries,
            {"filter": {"subject": "x/0"}, "limit": "1", "cursor": page["page"]["next"]},
        )
        assert audit.list_audit_entries(clean, **more)["items"][0]["action"] == "a.b"


@pytest.mark.server
class TestBusiness:
    """What identity does leaves an entry in the same transaction."""

    @pytest.fixture
    def member(self, clean):
        team = teams.create_team(clean, name="T", slug=new_id().hex)
        return staff.add_staff(
            clean, name="Kim", email="kim@x.example", team_id=team["id"], roles=["sales"]
        )

    def test_of_staff(self, clean, member):
        staff.change_staff(clean, staff_id=member["id"], roles=["manager"], name="Lee")
        staff.change_staff(clean, staff_id=member["id"], roles=["manager"])
        (added,) = entries(clean, "staff.added")
        (changed,) = entries(clean, "staff.changed")
        assert (added.subject, added.details["email"]) == (f"staff/{member['id']}", "k…@x.example")
        assert changed.details == {
            "name": {"before": "K…", "after": "L…"},
            "roles": {"before": ["sales"], "after": ["manager"]},
        }

    def test_of_passwords(self, clean, member):
        password = "a long sentence to log in with"
        staff.change_staff(clean, staff_id=member["id"], password=password)
        act_as(clean, testing.staff("own", identity=member["id"]))
        staff.change_password(
            clean,
            staff_id=member["id"],
            current_password=password,
            new_password=password * 2,
        )
        assert len(entries(clean, "password.set_by_other")) == 1
        assert entries(clean, "password.changed")[0].actor == f"staff:{member['id']}"
        shown = " ".join(str(e.details) for e in clean.scalars(select(AuditEntry)))
        assert password not in shown

    def test_of_roles(self, clean):
        for scope, seen in (("own", None), ("all", 1), ("all", 2)):
            roles.put_role(
                clean, role="auditor", permissions=["orders.read"], scope=scope, if_match=seen
            )
        first, second = entries(clean, "role.defined")
        assert first.details["before"] is None
        assert (second.details["before"]["scope"], second.details["after"]["scope"]) == (
            "own",
            "all",
        )

    def test_of_teams(self, clean, member):
        teams.change_team(clean, team_id=member["team_id"], name="New")
        assert entries(clean, "team.changed")[0].details == {
            "title": {"before": "T", "after": "New"}
        }

    def test_of_keys(self, clean):
        made = api_keys.create_api_key(clean, name="ERP", scopes=["orders.read"])
        api_keys.rotate_api_key(clean, api_key_id=made["id"], overlap_hours=1)
        api_keys.revoke_api_key(clean, api_key_id=made["id"])
        api_keys.revoke_api_key(clean, api_key_id=made["id"])
        kept = clean.scalars(select(AuditEntry).order_by(AuditEntry.position)).all()
        actions = [entry.action for entry in kept]
        assert actions == ["api_key.created", "api_key.rotated", "api_key.revoked"]
        assert made["secret"] not in str([entry.details for entry in kept])

    def test_that_is_refused_leaves_none(self, clean, member):
        before = clean.scalars(select(AuditEntry.position)).all()
        act_as(clean, testing.staff("own", identity=member["id"]))
        with pytest.raises(Forbidden), clean.begin_nested():
            roles.put_role(clean, role="auditor", permissions=["orders.read"], scope="all")
        assert clean.scalars(select(AuditEntry.position)).all() == before


class TestRefusals:
    def test_are_told_once_a_minute_with_the_number_left_out(self):
        refusals = Refusals(None)  # type: ignore[arg-type]
        key = ("me", "GET /v1/x", "permission_missing")
        assert refusals._since(key, 1000.0) == 0
        assert refusals._since(key, 1010.0) is None
        assert refusals._since(key, 1059.0) is None
        assert refusals._since(("you", *key[1:]), 1059.0) == 0
        assert refusals._since(key, 1061.0) == 2
        assert refusals._since(key, 1122.0) == 0

    def test_do_not_grow_without_bounds(self, monkeypatch):
        monkeypatch.setattr(audit_refusals, "_MOST_KEPT", 3)
        refusals = Refusals(None)  # type: ignore[arg-type]
        for number in range(10):
            refusals._since((str(number), "", ""), 1000.0)
        assert len(refusals._told) <= 3

    def test_over_http_are_noted_with_their_permission_row(self, http, gateway):
        http.role = "sales"
        assert http("GET", "/v1/roles").status_code == 403
        assert gateway.refusals.noted == [{"route": "GET /v1/roles", "code": "permission_missing"}]

    def test_of_nobody_are_not_noted(self, http, gateway):
        http.role = "nobody"
        assert http("GET", "/v1/roles").status_code == 401
        assert gateway.refusals.noted == []

    @pytest.mark.server
    def test_stay_though_the_business_is_undone(self, database):
        import asyncio

        from gateway.resources import Resources
        from gateway.tests.conftest import SETTINGS, Bus

        principal = someone("sales")
        refusals = Refusals(Resources(SETTINGS, Bus(), database))  # type: ignore[arg-type]
        told = refusals.note(principal, "192.0.2.9", "r-12345678", route="GET /x", code="c")
        asyncio.run(told)
        with database.reading(Context()) as session:
            query = select(AuditEntry).where(AuditEntry.actor == f"staff:{principal.id}")
            entry = session.scalars(query).one()
            assert (entry.action, entry.address) == ("access.refused", "192.0.2.9")
            assert entry.details == {"code": "c", "left_out": 0}
