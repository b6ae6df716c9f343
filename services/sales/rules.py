"""What follows from what about opportunities, orders, payments and tasks: values in, values out."""

from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from crmkit.errors import Conflict
from services.sales import money

_OPEN = frozenset({"qualification", "proposal", "negotiation"})

MOVES: dict[str, frozenset[str]] = {
    **{stage: _OPEN - {stage} | {"won", "lost"} for stage in sorted(_OPEN)},
    "won": frozenset(),
    "lost": frozenset(),
}
"""Where an opportunity may go from where it stands: any open stage, forward or back, or its end."""

PAYABLE = frozenset({"submitted", "confirmed", "completed"})
"""Orders that money may come in for. The ERP refused or the customer cancelled the others."""

TASK_MOVES: dict[str, frozenset[str]] = {
    "open": frozenset({"done", "cancelled"}),
    "done": frozenset(),
    "cancelled": frozenset(),
}

PAYMENT_DAYS = 30

FOLLOW_UP_TITLES = {
    "en": "Call a discontented customer",
    "ko": "불만족 고객에게 연락하기",
    "ja": "ご不満のあるお客様への連絡",
    "zh-Hans": "联系不满意的客户",
    "zh-Hant": "聯絡不滿意的客戶",
}
"""What the owner reads, in the owner's language. Names no customer, since titles are announced."""


def place(status: str, stage: str) -> str:
    """Where an opportunity stands in ``MOVES``: its stage while open, else how it ended."""
    return stage if status == "open" else status


def move(at: str, to: str) -> str:
    """The place after the move; Conflict ``stage_not_allowed`` if MOVES does not allow it."""
    if to not in MOVES[at]:
        raise Conflict(
            "stage_not_allowed",
            f"An opportunity in {at} cannot go to {to}.",
            {"stage": at, "allowed": sorted(MOVES[at])},
        )
    return to


def finish_task(status: str, to: str) -> str:
    """The status after the move; Conflict ``status_not_allowed`` if TASK_MOVES forbids it."""
    if to not in TASK_MOVES[status]:
        raise Conflict(
            "status_not_allowed",
            f"A task that is {status} cannot become {to}.",
            {"status": status, "allowed": sorted(TASK_MOVES[status])},
        )
    return to


def still_open(status: str) -> None:
    """Conflict ``opportunity_closed`` once an opportunity is won or lost."""
    if status != "open":
        raise Conflict(
            "opportunity_closed",
            f"An opportunity that is {status} cannot be changed.",
            {"status": status},
        )


def same_currency(given: str, expected: str) -> None:
    """Conflict ``other_currency`` unless both are one."""
    if given != expected:
        raise Conflict(
            "other_currency",
            f"The amount must be in {expected}, not {given}.",
            {"expected": expected, "given": given},
        )


def payable(status: str) -> None:
    """Conflict ``order_not_payable`` if no money may come in for an order of that status."""
    if status not in PAYABLE:
        raise Conflict(
            "order_not_payable",
            f"No payment can be recorded for an order that is {status}.",
            {"status": status, "allowed": sorted(PAYABLE)},
        )


def paid_after(paid_minor: int, amount_minor: int, total_minor: int, currency: str) -> int:
    """What is paid once the amount came in; Conflict ``overpaid`` if that is more than the total.

    All in minor units of the currency; the details tell what is still open.
    """
    paid = paid_minor + amount_minor
    if paid > total_minor:
        raise Conflict(
            "overpaid",
            "The payment is more than what is still open.",
            {"open": money.shown(total_minor - paid_minor, currency)},
        )
    return paid


def order_number(year: int, count: int) -> str:
    """How people name an order: ``SO-2026-000123``. The count goes on over the years."""
    return f"SO-{year}-{count:06d}"


def date_in(time_zone: str, at: datetime) -> date:
    """The date on which a moment falls in that zone."""
    return at.astimezone(ZoneInfo(time_zone)).date()


def payment_due_on(submitted_on: date) -> date:
    """By when an order is to be paid unless something else was agreed."""
    return submitted_on + timedelta(days=PAYMENT_DAYS)


def next_day(time_zone: str, at: datetime) -> date:
    """The day after ``at`` in that zone."""
    return date_in(time_zone, at) + timedelta(days=1)


def follow_up_title(language: str | None) -> str:
    """What a follow-up of bad feedback is called, in that language or in English."""
    return FOLLOW_UP_TITLES.get(language or "", FOLLOW_UP_TITLES["en"])


def follow_up_reason(score: int, highest: int, ticket_number: str, comment: str) -> str:
    """Why to call, without words of any language but the customer's own."""
    facts = f"{ticket_number} · {score}/{highest}"
    return f"{facts} · {comment.strip()}" if comment.strip() else facts
