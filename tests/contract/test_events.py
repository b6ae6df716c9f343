"""What events promise: once announced, readable for ever; and nobody's words unmarked."""

import json

import pytest
from marshmallow import fields, validate

from contracts import gateway
from crmkit import catalog, topology
from crmkit.messages import Event, load
from tests.contract import freeze

EVENTS = freeze.events()
each = pytest.mark.parametrize("event", EVENTS, ids=lambda event: event.type)

CODES = frozenset(
    (
        "cause",
        "changed",
        "channel",
        "consents",
        "country",
        "currency",
        "from_stage",
        "kind",
        "language",
        "lifecycle_stage",
        "number",
        "path",
        "priority",
        "stage",
        "state",
        "subject_type",
        "team_path",
        "template",
        "ticket_number",
        "to_stage",
    )
)
"""Strings that we choose. Any other string is taken for what people write until it stands here."""

NAMES_OF_THINGS = frozenset(("campaign", "team"))
"""Aggregates whose ``name`` is that of a thing of ours and never a person's."""


def free_texts(event: type[Event]) -> set[str]:
    """The fields of an event that may hold anybody's words."""
    return {
        path for path, field in _leaves(event) if isinstance(field, fields.String)
        and not isinstance(field, fields.UUID)
        and not any(isinstance(one, validate.OneOf) for one in field.validators)
        and path.rpartition(".")[2] not in CODES
        and not (path == "name" and event.aggregate in NAMES_OF_THINGS)
    }  # fmt: skip


def _leaves(kind, at=""):
    for name, field in kind().fields.items():
        inner = field.inner if isinstance(field, fields.List) else field
        if isinstance(inner, fields.Nested):
            yield from _leaves(type(inner.schema), f"{at}{name}.")
        else:
            yield f"{at}{name}", inner


class TestEveryEvent:
    @each
    def test_has_a_frozen_example(self, event):
        hint = f"{event.type} is new: run `python -m tests.contract.freeze` and commit the file."
        assert freeze.path_of(event).exists(), hint

    @each
    def test_still_loads_what_was_announced_when_it_was_made(self, event):
        example = json.loads(freeze.path_of(event).read_text())
        assert example["type"] == event.type
        assert load(event, example["data"])

    @each
    def test_only_ever_gained_fields_that_need_not_be_there(self, event):
        promised = json.loads(freeze.path_of(event).read_text())["fields"]
        today = freeze.shape(event)
        kept = {name: today.get(name) for name in promised}
        assert kept == promised, "A field went away or changed: make a second version of the event."
        needed = {name for name in today.keys() - promised if "required" in today[name].split()}
        assert not needed, "Whoever replays old events has none of these: make them not required."

    @each
    def test_is_marked_as_personal_when_it_holds_anybodys_words(self, event):
        words = free_texts(event)
        hint = f"{sorted(words)} may hold words about a person: set personal, or add them to CODES."
        assert event.personal or not words, hint


def test_no_example_is_left_of_an_event_that_is_gone():
    known = {freeze.path_of(event).name for event in EVENTS}
    assert {path.name for path in freeze.EXAMPLES.iterdir()} == known


@pytest.mark.parametrize("service", catalog.services())
def test_who_knows_who_joined_hears_who_changed_and_left(service):
    heard = {event for _, event in topology.subscriptions_of(service)}
    if gateway.staff.StaffJoined in heard:
        assert {gateway.staff.StaffChanged, gateway.staff.StaffLeft} <= heard
