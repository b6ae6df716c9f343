"""The batches of a campaign: which come next, and the counts that add up to its state."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from crmkit.db import one, select_named
from services.marketing import rules
from services.marketing.models import Batch

SUMS = {
    "audience": func.coalesce(func.sum(Batch.size), 0),
    **{state: func.coalesce(func.sum(getattr(Batch, state)), 0) for state in rules.COUNTED},
}
"""What a query over batches selects to have a campaign's counts."""
_SUMMED = select_named(SUMS)


def counts_from(sums: Mapping[str, Any]) -> dict[str, int]:
    """The counts of a campaign as the contract shows them, from a row of SUMS."""
    shown = {name: int(sums[name]) for name in SUMS}
    return {**shown, "selected": 0}


def counts(session: Session, campaign_id: UUID) -> dict[str, int]:
    """Recipients of the campaign by state."""
    return counts_from(one(session, _SUMMED.where(Batch.campaign_id == campaign_id), "campaign"))


def queued(session: Session, campaign_id: UUID, *, most: int) -> Sequence[Batch]:
    """The next batches that are still here, in order, locked."""
    return session.scalars(
        select(Batch)
        .where(Batch.campaign_id == campaign_id, Batch.queued > 0)
        .order_by(Batch.number)
        .limit(most)
        .with_for_update()
    ).all()


def outstanding(session: Session, campaign_id: UUID) -> int:
    """How many batches the sender has and is not through with, but for stragglers."""
    return _open_by_more_than(session, campaign_id, Batch.size // rules.STRAGGLERS)


def unfinished(session: Session, campaign_id: UUID) -> int:
    """How many batches the sender has and has not fully reported on."""
    return _open_by_more_than(session, campaign_id, 0)


def _open_by_more_than(session: Session, campaign_id: UUID, most: Any) -> int:
    query = select(func.count()).where(
        Batch.campaign_id == campaign_id,
        Batch.handed_off > 0,  # Which the partial index wants to hear.
        Batch.handed_off > most,
    )
    return session.scalars(query).one()


def count(session: Session, campaign_id: UUID, changes: Mapping[int, Counter[str]]) -> bool:
    """Add to the counts, by number of the batch and state; True if the campaign may go on now.

    It may when a batch is down to its stragglers, and when none of it is left. In the order of the
    numbers, so that two at the same time wait instead of deadlocking.
    """
    goes_on = False
    for number, change in sorted(changes.items()):
        moved = {state: getattr(Batch, state) + by for state, by in change.items() if by}
        size, waiting = session.execute(
            update(Batch)
            .where(Batch.campaign_id == campaign_id, Batch.number == number)
            .values(moved)
            .returning(Batch.size, Batch.handed_off)
            .execution_options(synchronize_session=False)
        ).one()
        waited = waiting - change["handed_off"]
        goes_on |= any(waited > line >= waiting for line in (size // rules.STRAGGLERS, 0))
    return goes_on
