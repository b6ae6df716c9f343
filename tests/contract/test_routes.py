"""The table of the API against the contracts: nothing unguarded, nothing missing, names agree."""

import re
import subprocess
import sys
from collections import Counter
from collections.abc import Callable

import jsonschema
import pytest

from crmkit import catalog, codec
from crmkit.messages import Command
from gateway import openapi, schemas
from gateway.api import rows
from gateway.identity import rules
from gateway.routes import LOGGED_IN, PUBLIC, Route, Table

ROWS = list(rows())
INTERNAL: frozenset[type[Command]] = frozenset()
"""Commands of services that no HTTP endpoint sends, each with a reason beside it."""

PUBLIC_ROWS = frozenset(
    (
        "sign_in",
        "verify_sign_in",
        "refresh_session",
        "start_oidc",
        "finish_oidc",
        "get_survey",
        "answer_survey",
        "unsubscribe",
    )
)
"""What anybody may send; whoever adds a row here has thought about it."""


def named(row: Route) -> str:
    return f"{row.method} {row.path}"


def where(breaks: Callable[[Route], object]) -> list[str]:
    """The rows that break a rule, which are to be none."""
    return [named(row) for row in ROWS if breaks(row)]


class TestEveryRow:
    def test_names_a_permission_that_exists(self):
        known = rules.PERMISSIONS | {PUBLIC, LOGGED_IN}
        assert where(lambda row: row.permission not in known) == []

    def test_is_public_only_when_that_was_decided(self):
        public = [row.command.name for row in ROWS if row.permission == PUBLIC]
        assert sorted(public) == sorted(PUBLIC_ROWS)

    def test_has_a_summary_in_one_sentence(self):
        assert where(lambda row: not re.fullmatch(r"[A-Z].{,78}\.", row.summary)) == []

    def test_has_path_parameters_that_are_fields_of_its_command(self):
        def declared(row: Route) -> set[str]:
            return {one.data_key or name for name, one in row.command().fields.items()}

        assert where(lambda row: not set(row.parameters) <= declared(row)) == []

    def test_writes_by_another_method_than_get(self):
        assert where(lambda row: row.method == "GET" and row.command.changes) == []

    def test_guards_changes_of_a_record_by_its_version(self):
        assert where(lambda row: row.method == "PATCH" and not row.versioned) == []

    def test_lies_under_a_version_in_plural_nouns(self):
        assert where(lambda row: not re.fullmatch(r"/v1/[^A-Z]*[^A-Z/]", row.path)) == []

    def test_has_a_reply_that_can_be_described(self):
        assert where(lambda row: row.command.reply is None) == []

    def test_is_done_in_the_gateway_only_if_it_owns_the_data(self):
        def done_here(row: Route) -> bool:
            return row.local is not None or row.handler is not None

        assert where(lambda row: done_here(row) != (row.command.owner == catalog.GATEWAY)) == []

    def test_runs_the_use_case_of_its_commands_name(self):
        assert where(lambda row: row.local and row.local.__name__ != row.command.name) == []

    def test_has_a_time_of_its_own_only_for_an_answer_over_the_bus(self):
        def done_here(row: Route) -> bool:
            return row.local is not None or row.handler is not None

        assert where(lambda row: done_here(row) and row.seconds != Route.seconds) == []


class TestTheTable:
    def test_has_no_two_rows_for_one_address(self):
        Table(ROWS)

    def test_has_one_row_for_every_command(self):
        rows_of = Counter(row.command for row in ROWS)
        all_commands = {c for owner in catalog.owners() for c in catalog.commands(owner)}
        expected = dict.fromkeys(all_commands - INTERNAL, 1)
        assert {c.name: n for c, n in rows_of.items()} == {c.name: n for c, n in expected.items()}

    def test_gives_every_command_a_name_of_its_own(self):
        names = Counter(row.command.name for row in ROWS)
        assert [name for name, count in names.items() if count > 1] == []

    def test_shows_every_permission_in_some_row(self):
        used = {row.permission for row in ROWS} | {"events.personal"}
        assert sorted(rules.PERMISSIONS - used) == []

    @pytest.mark.parametrize("owner", catalog.services())
    def test_agrees_with_the_methods_of_each_service(self, owner: str):
        methods = set(vars(catalog.service_class(owner)))
        assert {command.name for command in catalog.commands(owner)} <= methods


class TestTheDescription:
    document = codec.loads(codec.dumps(openapi.document(ROWS, "/")))

    def test_describes_every_row(self):
        described = {
            f"{method.upper()} {path}"
            for path, methods in self.document["paths"].items()
            for method in methods
        }
        assert described == {named(row) for row in ROWS}

    def test_refers_to_nothing_that_is_not_there(self):
        for reference in set(_references(self.document)):
            at = self.document
            for step in reference.removeprefix("#/").split("/"):
                at = at[step]

    def test_holds_valid_schemas_only(self):
        for schema in self.document["components"]["schemas"].values():
            jsonschema.Draft202012Validator.check_schema(schema)

    def test_bounds_texts_by_length_and_lists_by_items(self):
        post = self.document["paths"]["/v1/customers"]["post"]["requestBody"]["content"]
        found = post["application/json"]["schema"]["properties"]
        bounds = {name: [one for one in found[name] if "max" in one] for name in ("tags", "city")}
        assert bounds == {"tags": ["maxItems"], "city": ["maxLength"]}

    def test_can_be_printed(self):
        command = [sys.executable, "-m", "gateway.openapi"]
        printed = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        assert codec.loads(printed) == self.document

    def test_says_which_fields_are_only_shown(self):
        properties = self.document["components"]["schemas"]["ContactPoint"]["properties"]
        assert [name for name, one in properties.items() if one.get("readOnly")] == ["textable"]

    def test_has_examples_that_fit(self):
        wrong = {}
        for row in ROWS:
            for kind, example in (
                (row.command, _example_of_a_request(row)),
                (row.command.reply, schemas.sample(row.command.reply)),
            ):
                components = schemas.Components()
                reference = components.reference(kind)
                whole = {**reference, "components": {"schemas": components.schemas}}
                validator = jsonschema.Draft202012Validator(whole)
                for error in validator.iter_errors(codec.loads(codec.dumps(example))):
                    wrong[f"{named(row)}: {kind.__name__}"] = error.message
        assert wrong == {}


def _example_of_a_request(row: Route) -> dict[str, object]:
    example = schemas.sample(row.command, without=frozenset((*row.parameters, "if_match")))
    values = dict.fromkeys(row.parameters, schemas.ID)
    return example | values | ({"role": "auditor"} if "role" in values else {})


def _references(value: object) -> list[str]:
    if isinstance(value, dict):
        own = [value["$ref"]] if isinstance(value.get("$ref"), str) else []
        return own + [one for inner in value.values() for one in _references(inner)]
    if isinstance(value, list):
        return [one for inner in value for one in _references(inner)]
    return []
