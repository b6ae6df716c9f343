"""What follows from what about messages and reminders: values in, values out."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from crmkit.errors import Conflict

MARKETING = "marketing"
LANES = ("email", "marketing_email", "sms", "marketing_sms")

MOST_ATTEMPTS = 6
PAUSES_SECONDS = (60, 300, 900, 3600, 14_400)
"""How long a message refused for now waits after its first, second … attempt."""
_PAUSE_AFTER_TROUBLE_SECONDS = 2
LEASE_SECONDS = 60
"""How long a sender may keep a batch without a word."""
UNKNOWN_CUSTOMER_PAUSE = timedelta(seconds=30)
UNKNOWN_CUSTOMER_PATIENCE = timedelta(days=1)
"""How often we look again whether a customer is known, and how long after the message came."""


def lane(purpose: str, channel: str) -> str:
    """Where a message queues, so that a campaign never stands in front of a reminder."""
    return f"{MARKETING}_{channel}" if purpose == MARKETING else channel


def at_most_once(lane: str) -> bool:
    """Whether a second copy is worse than none.

    Of mail that somebody waits for a second copy has the same Message-ID and does no harm;
    advertising and text messages are never sent again while it is unclear whether they arrived.
    """
    return lane != "email"


@dataclass(frozen=True, slots=True)
class Verdict:
    """Where an attempt leaves a message. ``attempts`` is how many count by now."""

    status: str
    attempts: int
    pause_seconds: int = 0


def verdict(kind: str, lane: str, attempts: int) -> Verdict:
    """What an attempt that ended as ``kind`` makes of a message; ``attempts`` includes it."""
    if kind == "not_begun":
        return Verdict("queued", attempts - 1, _PAUSE_AFTER_TROUBLE_SECONDS)
    if kind == "unclear":
        if at_most_once(lane) or attempts >= MOST_ATTEMPTS:
            return Verdict("unknown", attempts)
        return Verdict("queued", attempts, _PAUSE_AFTER_TROUBLE_SECONDS ** max(attempts, 1))
    if kind == "deferred":
        if attempts >= MOST_ATTEMPTS:
            return Verdict("failed", attempts)
        return Verdict("queued", attempts, PAUSES_SECONDS[max(attempts, 1) - 1])
    return Verdict(kind, attempts)


def reported_state(status: str) -> str | None:
    """The state of the recipient whose message has this status; None if it is not final."""
    if status in ("queued", "held", "sending"):
        return None
    return "accepted" if status == "sent" else status


CAMPAIGN_STATUS = {"running": "queued", "paused": "held", "cancelled": "cancelled"}
"""The status of messages not begun, by the state of their campaign."""


def label(purpose: str, country: str | None, channel: str, text: str) -> str:  # noqa: ARG001
    """The text with whatever a country's rules want said in it.

    The one place where rule packs will speak; until there are any, the text as it is.
    """
    return text


MOVES: dict[str, frozenset[str]] = {
    "armed": frozenset({"armed", "fired", "auto_resolved", "cancelled"}),
    "fired": frozenset({"armed", "acknowledged", "auto_resolved", "cancelled"}),
    "acknowledged": frozenset(),
    "auto_resolved": frozenset(),
    "cancelled": frozenset(),
}
"""What a reminder may become; armed again is a snooze."""

OPEN = tuple(status for status, to in MOVES.items() if to)


def move(status: str, to: str) -> str:
    """The status after the move; Conflict if MOVES does not allow it."""
    if to not in MOVES[status]:
        raise Conflict(
            "status_not_allowed",
            f"A reminder that is {status} cannot become {to}.",
            {"status": status, "allowed": sorted(MOVES[status])},
        )
    return to


def repeats(kind: str) -> str:
    """How often a kind of reminder comes."""
    return "yearly" if kind == "birthday" else "never"


def next_year(first_at: datetime, time_zone: str, after: datetime) -> datetime:
    """The next anniversary of ``first_at`` later than ``after``, at its time of day in the zone.

    What began on 29 February comes on the 28th in common years and on the 29th in leap years.
    """
    zone = ZoneInfo(time_zone)
    first = first_at.astimezone(zone)
    year = max(first.year + 1, after.astimezone(zone).year)
    at = _in_year(first, year)
    return at if at > after else _in_year(first, year + 1)


def _in_year(first: datetime, year: int) -> datetime:
    try:
        return first.replace(year=year)
    except ValueError:
        return first.replace(year=year, day=28)
