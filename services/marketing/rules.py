"""What follows from what about campaigns and recipients: values in, values or a refusal out."""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from crmkit.errors import Conflict, Invalid

BATCH_SIZE = 500
MOST_OUTSTANDING = 10
"""So many batches of a campaign may be with the sender; more would only wait there, out of reach
of pause and cancel and in the way of other campaigns."""
STRAGGLERS = 10
"""The sender is through with a batch when at most one in so many is open. Some addresses are
refused for now for hours, and few batches of 500 are without any."""
CANCEL_BATCHES_AT_ONCE = 20

MOVES: Mapping[str, frozenset[str]] = {
    "draft": frozenset({"snapshotting", "cancelled"}),
    "snapshotting": frozenset({"sending", "cancelled"}),
    "sending": frozenset({"paused", "completing", "cancelled"}),
    "paused": frozenset({"sending", "cancelled"}),
    "completing": frozenset({"paused", "completed", "cancelled"}),
    "completed": frozenset(),
    "cancelled": frozenset(),
    "failed": frozenset(),
}

ACTIONS: Mapping[str, str] = {
    "launch": "snapshotting",
    "pause": "paused",
    "resume": "sending",
    "cancel": "cancelled",
}
"""What each action makes of a campaign."""

_STARTS: Mapping[str, frozenset[str]] = {
    "launch": frozenset({"draft"}),
    "pause": frozenset({"sending", "completing"}),
    "resume": frozenset({"paused"}),
    "cancel": frozenset(status for status, after in MOVES.items() if "cancelled" in after),
}
_DONE: Mapping[str, frozenset[str]] = {
    "launch": frozenset({"snapshotting", "sending", "paused", "completing", "completed"}),
    "pause": frozenset({"paused"}),
    "resume": frozenset({"sending", "completing"}),
    "cancel": frozenset({"cancelled"}),
}

RECIPIENT_MOVES: Mapping[str, frozenset[str]] = {
    "selected": frozenset({"suppressed", "queued"}),
    "queued": frozenset({"suppressed", "handed_off", "cancelled"}),
    "handed_off": frozenset(
        {
            "suppressed",
            "accepted",
            "delivered",
            "bounced",
            "failed",
            "expired",
            "unknown",
            "cancelled",
        }
    ),
    "accepted": frozenset({"delivered", "bounced"}),
    "suppressed": frozenset(),
    "delivered": frozenset(),
    "bounced": frozenset(),
    "failed": frozenset(),
    "expired": frozenset(),
    "unknown": frozenset({"suppressed", "accepted", "delivered", "bounced", "failed", "cancelled"}),
    "cancelled": frozenset(),
}
"""``accepted`` (a provider took it) and ``unknown`` (it may have) are final, too: a later report
may only say how it ended."""

COUNTED = (
    "suppressed",
    "queued",
    "handed_off",
    "accepted",
    "delivered",
    "bounced",
    "failed",
    "expired",
    "unknown",
    "cancelled",
)
"""The states a frozen recipient can be in. ``selected`` passes within the freeze."""

OPEN = frozenset({"selected", "queued", "handed_off"})
"""States that are not final."""

REPORTABLE = tuple(sorted(RECIPIENT_MOVES.keys() & {"handed_off", "accepted", "unknown"}))
"""States that a report of the sender may change."""

PLACEHOLDER = "{{ name }}"
# Read from the left as a template engine would: in "{{{ name }}" it meets "{{" first.
_MARKUP = re.compile(re.escape(PLACEHOLDER) + r"|\{[{%#]")
_LINE_BREAKS = re.compile(r"[\x00-\x1f\x7f\u0085\u2028\u2029]")
TEXTS: Mapping[str, tuple[str, ...]] = {
    "email": ("subject", "email_body"),
    "sms": ("sms_body",),
}
"""The parts of a content that each channel sends."""


def move(status: str, to: str) -> str:
    """The campaign's status after the move; Conflict if MOVES does not allow it."""
    if to not in MOVES[status]:
        raise _refusal(status, f"A campaign that is {status} cannot become {to}.")
    return to


def after(action: str, status: str) -> str | None:
    """The status an action leads to, None if that was done before; Conflict if it cannot be."""
    if status in _DONE[action]:
        return None
    if status not in _STARTS[action]:
        raise _refusal(status, f"There is no way to {action} a campaign that is {status}.")
    return move(status, ACTIONS[action])


def refuse_unless_draft(status: str) -> None:
    """Conflict for a campaign that was launched or cancelled: what people got stays as it was."""
    if status != "draft":
        raise Conflict(
            "campaign_not_draft",
            f"Only a draft can be changed; this campaign is {status}.",
            {"status": status},
        )


def follows(state: str, reported: str) -> bool:
    """Whether a recipient in that state takes on the reported one; old news does not."""
    return reported in RECIPIENT_MOVES[state]


def progress(counts: Mapping[str, int]) -> float:
    """The share of the audience whose state is final, 0 to 1; 0 before there is an audience."""
    audience = counts["audience"]
    if not audience:
        return 0.0
    return (audience - sum(counts[state] for state in OPEN)) / audience


def languages_written(contents: Sequence[Mapping[str, Any]], channel: str) -> list[str]:
    """The languages in which the channel has all its texts."""
    return [
        content["language"]
        for content in contents
        if all(content.get(part) for part in TEXTS[channel])
    ]


def contents_for(
    contents: Sequence[Mapping[str, Any]], channel: str, languages: Iterable[str]
) -> list[dict[str, Any]]:
    """What the channel sends in these languages and nothing else."""
    wanted = set(languages)
    parts = ("language", *TEXTS[channel])
    return [
        {part: content[part] for part in parts}
        for content in contents
        if content["language"] in wanted and all(content.get(part) for part in TEXTS[channel])
    ]


def refuse_unfit(
    channels: Sequence[str], contents: Sequence[Mapping[str, Any]], default_language: str
) -> None:
    """Invalid, field by field, where a campaign could not be sent as it is written."""
    problems: dict[str, list[str]] = {}
    if len(set(channels)) < len(channels):
        problems["channels"] = ["Name each channel once."]
    languages = [content["language"] for content in contents]
    if len(set(languages)) < len(languages):
        problems["contents"] = ["Each language may stand there once."]
    for number, content in enumerate(contents):
        for part, sentences in _problems_in(content):
            problems.setdefault(f"contents.{number}.{part}", []).extend(sentences)
    for channel in channels:
        if default_language not in languages_written(contents, channel):
            needed = " and ".join(TEXTS[channel])
            problems.setdefault("contents", []).append(
                f"The default language {default_language} needs {needed} for {channel}."
            )
    if problems:
        raise Invalid("invalid", "Some fields need attention.", problems)


def _problems_in(content: Mapping[str, Any]) -> Iterable[tuple[str, list[str]]]:
    for parts in TEXTS.values():
        given = [part for part in parts if content.get(part)]
        if given and len(given) < len(parts):
            missing = next(part for part in parts if part not in given)
            yield missing, [f"{' and '.join(parts)} belong together."]
        for part in given:
            if set(_MARKUP.findall(content[part])) - {PLACEHOLDER}:
                yield part, [f"{PLACEHOLDER} is the only placeholder; no other {{{{, {{% or {{#."]
    # A line break in a header would let the text write further headers (CWE-93).
    if _LINE_BREAKS.search(content.get("subject") or ""):
        yield "subject", ["Must be one line."]


def _refusal(status: str, sentence: str) -> Conflict:
    return Conflict(
        "status_not_allowed", sentence, {"status": status, "allowed": sorted(MOVES[status])}
    )
