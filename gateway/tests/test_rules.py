"""Who may do what, who may give it, how long a login waits."""

from datetime import timedelta

import pytest

from gateway.identity import rules
from gateway.identity.rules import ROLES, RoleRule
from gateway.principals import Principal, scope_of
from gateway.schemas import ID


class TestRoles:
    def test_hold_permissions_that_exist(self):
        for role in ROLES.values():
            assert role.permissions <= rules.PERMISSIONS | {"*"}

    def test_give_an_integration_nothing_personal_and_nothing_to_write(self):
        assert all(name.endswith(".read") for name in ROLES["integration"].permissions)

    def test_leave_keys_and_roles_to_the_admin(self):
        for name, role in ROLES.items():
            if name != "admin":
                assert not role.permissions & {"api_keys.write", "roles.write", "staff.write", "*"}


class TestGrants:
    def test_take_the_widest_scope_of_all_roles(self):
        found = rules.grants(["sales", "manager"])
        assert found["customers.write"] == "subtree"

    def test_keep_the_narrower_scope_of_what_only_one_role_holds(self):
        own = {"mixed": RoleRule(frozenset(("orders.read",)), "all")}
        found = rules.grants(["sales", "mixed"], {**ROLES, **own})
        assert (found["orders.read"], found["orders.write"]) == ("all", "own")

    def test_open_the_directory_of_colleagues_to_everybody(self):
        assert rules.grants(["sales"])["staff.read"] == "all"

    def test_of_what_is_the_company_s_know_no_narrower_scope(self):
        own = {"auditor": RoleRule(frozenset(("audit.read", "staff.write")), "own")}
        assert rules.grants(["auditor"], own) == {"audit.read": "all", "staff.write": "own"}

    def test_are_none_for_a_role_that_is_gone(self):
        assert rules.grants(["no_such_role"]) == {}

    def test_of_everything_hold_anything(self):
        assert scope_of(rules.grants(["admin"]), "invented.later") == "all"
        assert scope_of(rules.grants(["sales"]), "staff.write") is None


class TestWithin:
    def test_lets_nobody_hand_out_more_than_they_have(self):
        sales, manager = rules.grants(["sales"]), rules.grants(["manager"])
        admin = rules.grants(["admin"])
        assert rules.within(sales, manager)
        assert rules.within(manager, admin)
        assert not rules.within(manager, sales)
        assert not rules.within(admin, rules.grants(["director"]))

    def test_minds_the_scope(self):
        assert not rules.within({"orders.read": "all"}, {"orders.read": "team"})


class TestOperator:
    def test_looks_after_what_is_parked_everywhere_and_sees_no_business(self):
        granted = rules.grants(["operator"])
        assert (granted["ops.read"], granted["ops.write"]) == ("all", "all")
        nouns = {name.split(".")[0] for name in granted}
        assert nouns == {"ops", "staff", "teams", "reminders", "inbox", "tasks"}

    def test_is_besides_the_administrator_the_only_role_that_does(self):
        named = {name for name in rules.ROLES if "ops.write" in rules.ROLES[name].permissions}
        assert named == {"operator"}
        assert rules.ROLES["admin"].permissions == {rules.EVERYTHING}


class TestPrincipal:
    def test_acts_in_the_scope_of_the_permission_asked(self):
        from uuid import UUID

        principal = Principal(UUID(ID), "staff", {"orders.read": "team"}, "/hq/seoul/")
        actor = principal.actor("orders.read")
        assert actor is not None
        assert (actor.scope, actor.team_path, actor.kind) == ("team", "/hq/seoul/", "staff")
        assert principal.actor("orders.write") is None


class TestCovers:
    @pytest.mark.parametrize(
        ("scope", "path", "expected"),
        [
            ("all", "/hq/tokyo/", True),
            ("subtree", "/hq/seoul/gangnam/", True),
            ("subtree", "/hq/seoul/", True),
            ("subtree", "/hq/seoul2/", False),
            ("team", "/hq/seoul/", True),
            ("team", "/hq/seoul/gangnam/", False),
            ("own", "/hq/seoul/", False),
        ],
    )
    def test_places_in_the_tree(self, scope, path: str, expected: bool):
        assert rules.covers(scope, "/hq/seoul/", path) is expected


class TestLoginWait:
    @pytest.mark.parametrize(
        ("failures", "seconds"), [(0, 0), (4, 0), (5, 30), (6, 60), (8, 240), (50, 900)]
    )
    def test_grows_and_ends(self, failures: int, seconds: int):
        assert rules.login_wait(failures) == timedelta(seconds=seconds)


class TestWeakness:
    @pytest.mark.parametrize(
        "password",
        ["aaaaaaaaaaaaaa", "password1234", "Password12345678", "minjun-kim-12", "Rapport-2026"],
    )
    def test_finds_what_is_easy_to_guess(self, password: str):
        assert rules.weakness(password, ["Minjun", "Kim", "rapport", "example"])

    @pytest.mark.parametrize(
        "password", ["correct horse battery staple", "비밀번호는 길어야 좋다", "vK3nq-8sLw2x"]
    )
    def test_has_nothing_against_the_rest(self, password: str):
        assert rules.weakness(password, ["Minjun", "Kim"]) is None
