"""What follows from what at the service desk: values in, values or a refusal out."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import NamedTuple
from uuid import UUID
from zoneinfo import ZoneInfo

from crmkit.errors import Conflict

MOVES: dict[str, set[str]] = {
    "new": {"assigned", "cancelled"},
    "assigned": {"new", "assigned", "in_progress", "resolved", "cancelled"},
    "in_progress": {"new", "assigned", "waiting_customer", "resolved", "cancelled"},
    "waiting_customer": {"new", "assigned", "in_progress", "resolved", "cancelled"},
    "resolved": {"survey_pending", "new", "in_progress"},
    "survey_pending": {"closed", "new", "in_progress"},
    "closed": {"new", "in_progress"},
    "cancelled": set(),
}
"""Where a ticket may go from where it is. Back to ``new`` it goes when its agent left."""

OPEN = frozenset({"assigned", "in_progress", "waiting_customer"})
"""Statuses that take up room of the ticket's agent."""

DONE = frozenset({"resolved", "survey_pending", "closed"})
"""Statuses from which a ticket may be taken up again."""

AGENT_ROLE = "service"
SURVEY_LIFETIME = timedelta(days=14)
HIGHEST_DETRACTOR_SCORE = 2

_TICKET_KINDS = frozenset({"complaint", "question"})
_NEVER = datetime.min.replace(tzinfo=UTC)


class Agent(NamedTuple):
    """What counts when tickets are handed out. ``capacity`` is open tickets at one time."""

    id: UUID
    team_path: str
    open_tickets: int
    capacity: int
    last_assigned_at: datetime | None


def becomes_ticket(kind: str) -> bool:
    """Whether somebody has to do something about feedback of that kind."""
    return kind in _TICKET_KINDS


def ticket_number(time_zone: str, at: datetime, sequence: int) -> str:
    """The number people use: ``T-2026-000123``, with the year that it is in that zone.

    It grows wider after a million, never repeats.
    """
    return f"T-{at.astimezone(ZoneInfo(time_zone)).year}-{sequence:06d}"


def move(status: str, to: str) -> str:
    """The status after the move; Conflict ``ticket_status_not_allowed`` if MOVES has it not."""
    if to not in MOVES[status]:
        raise Conflict(
            "ticket_status_not_allowed",
            f"A ticket that is {status} cannot become {to}.",
            {"status": status, "allowed": sorted(MOVES[status])},
        )
    return to


def started(status: str) -> str:
    """``in_progress``; Conflict ``ticket_status_not_allowed`` unless somebody has it to do.

    What is done has a survey under way and is on nobody's count any more: it must be reopened.
    """
    if status not in OPEN:
        raise Conflict(
            "ticket_status_not_allowed",
            f"A ticket that is {status} cannot be started.",
            {"status": status, "allowed": sorted(OPEN)},
        )
    return move(status, "in_progress")


def reopened(status: str) -> str:
    """``in_progress``; Conflict ``ticket_not_done`` for a ticket whose work goes on anyway."""
    if status not in DONE:
        raise Conflict(
            "ticket_not_done",
            f"A ticket that is {status} cannot be reopened.",
            {"status": status, "allowed": sorted(DONE)},
        )
    return move(status, "in_progress")


def least_loaded(agents: Iterable[Agent], team_path: str) -> Agent | None:
    """Who gets the next ticket of that team; None when nobody has room.

    The team's own agents come first, whatever their load, and others only when none of them has
    room. Load is open tickets by capacity; of equals, whoever waited longest for a ticket.
    """
    free = [agent for agent in agents if agent.open_tickets < agent.capacity]
    own = [agent for agent in free if agent.team_path == team_path]
    return min(own or free, key=_turn, default=None)


def _turn(agent: Agent) -> tuple[float, datetime, UUID]:
    load = agent.open_tickets / agent.capacity
    return (load, agent.last_assigned_at or _NEVER, agent.id)


def survey_status(status: str, expires_at: datetime, at: datetime) -> str:
    """The survey as the holder of its link sees it: ``sent``, ``answered`` or ``expired``.

    A survey is over at its time, also when the timer that says so is late, and one that was
    voided by a reopened ticket looks the same.
    """
    if status == "answered":
        return status
    return "sent" if status == "sent" and at < expires_at else "expired"


def answer(status: str, expires_at: datetime, at: datetime) -> str:
    """``answered``; Conflict ``already_answered`` or ``survey_expired``."""
    seen = survey_status(status, expires_at, at)
    if seen == "answered":
        raise Conflict("already_answered", "This survey was answered already. Thank you.")
    if seen == "expired":
        raise Conflict("survey_expired", "This survey is over.")
    return "answered"


def is_detractor(score: int) -> bool:
    """Whether a score of 1 to 5 is so low that somebody should call."""
    return score <= HIGHEST_DETRACTOR_SCORE
