"""Handing recipients over to the sender, batch by batch, and taking in what became of them."""

from collections import Counter
from collections.abc import Iterable
from typing import Any
from uuid import UUID

from sqlalchemy import Row, select, text, update
from sqlalchemy.orm import Session

from contracts import marketing as contract
from crmkit.clock import now
from crmkit.db import fetch
from crmkit.messages import Envelope
from crmkit.outbox import emit
from crmkit.timers import Timer, set_timer
from services.marketing import batches, rules
from services.marketing.audience import ADVANCE, address, exclusion
from services.marketing.models import Batch, Campaign, Customer, Recipient

_NO_SYNC = {"synchronize_session": False}
_Row = Row[*tuple[Any, ...]]


def advance(session: Session, timer: Timer) -> None:
    """Do the next step of a campaign: hand over one batch, complete it, or cancel what is queued.

    One step is one transaction with its timer and the lock of the campaign. So a kill loses and
    doubles nothing, any number of replicas may run, and pause and cancel come between two batches.
    A step that has to wait for reports sets no timer: the report that lets it go on does.
    """
    campaign = fetch(session, Campaign, UUID(timer.key), lock=True)
    if campaign.status == "sending":
        _send(session, campaign)
    if campaign.status == "completing" and not batches.unfinished(session, campaign.id):
        _complete(session, campaign)
    if campaign.status == "cancelled":
        cancel_queued(session, campaign.id)


def cancel_queued(session: Session, campaign_id: UUID) -> None:
    """Cancel up to 10,000 queued recipients; a timer goes on with the others.

    The caller holds the lock of the campaign.
    """
    waiting = batches.queued(session, campaign_id, most=rules.CANCEL_BATCHES_AT_ONCE)
    if not waiting:
        return
    numbers = [batch.number for batch in waiting]
    _move_queued(session, campaign_id, numbers, "cancelled", "campaign_cancelled")
    for batch in waiting:
        batch.cancelled += batch.queued
        batch.queued = 0
    set_timer(session, ADVANCE, str(campaign_id), now())


def take_report(session: Session, event: Envelope) -> None:
    """Note what became of recipients; old news and strangers change nothing.

    Rows are locked in the order of their ids and batches of their numbers, so that reports at the
    same time wait instead of deadlocking.
    """
    results = event.data["results"]
    campaign_id = event.data["campaign_id"]
    before = _reported_on(session, campaign_id, results)
    state = {row.id: row.state for row in before}
    reasons: dict[UUID, str | None] = {}
    for result in results:
        identity = result["recipient_id"]
        if identity in state and rules.follows(state[identity], result["state"]):
            state[identity], reasons[identity] = result["state"], result["reason"]
    if not reasons:
        return
    session.execute(
        _TAKE_STATES,
        {
            "ids": list(reasons),
            "states": [state[identity] for identity in reasons],
            "reasons": [reason and reason[:500] for reason in reasons.values()],
            "at": now(),
        },
    )
    changes: dict[int, Counter[str]] = {}
    for row in before:
        if row.id in reasons:
            change = changes.setdefault(row.batch_no, Counter())
            change[row.state] -= 1
            change[state[row.id]] += 1
    if batches.count(session, campaign_id, changes):
        set_timer(session, ADVANCE, str(campaign_id), now())


_TAKE_STATES = text(
    "update recipient set state = news.state, reason = news.reason, updated_at = :at"
    " from unnest(cast(:ids as uuid[]), cast(:states as text[]), cast(:reasons as text[]))"
    " as news (id, state, reason) where recipient.id = news.id"
)


def _send(session: Session, campaign: Campaign) -> None:
    if batches.outstanding(session, campaign.id) >= rules.MOST_OUTSTANDING:
        return
    waiting = batches.queued(session, campaign.id, most=1)
    if not waiting:
        campaign.status = rules.move(campaign.status, "completing")
        return
    _hand_over(session, campaign, waiting[0])
    set_timer(session, ADVANCE, str(campaign.id), now())


def _hand_over(session: Session, campaign: Campaign, batch: Batch) -> None:
    """Announce the batch to the sender, without those who may not be written to any more."""
    rows = session.execute(
        select(
            Recipient.id.label("recipient_id"),
            Recipient.customer_id,
            Recipient.language,
            Customer.display_name.label("name"),
            address(batch.channel).label("address"),
            exclusion(batch.channel).label("reason"),
        )
        .outerjoin(Customer, Customer.id == Recipient.customer_id)
        .where(
            Recipient.campaign_id == campaign.id,
            Recipient.batch_no == batch.number,
            Recipient.state == "queued",
        )
    ).all()
    _suppress(session, [row for row in rows if row.reason])
    _move_queued(session, campaign.id, [batch.number], "handed_off", None)
    going = [row for row in rows if not row.reason]
    batch.suppressed += len(rows) - len(going)
    batch.handed_off, batch.queued = len(going), 0
    batch.handed_off_at = now()
    if not going:
        return
    languages = {campaign.default_language, *(row.language for row in going)}
    names = contract.HandedOff().fields
    emit(
        session,
        contract.RecipientsHandedOff,
        batch,
        {
            "batch_id": batch.id,
            "campaign_id": campaign.id,
            "campaign_name": campaign.name,
            "channel": batch.channel,
            "default_language": campaign.default_language,
            "contents": rules.contents_for(campaign.contents, batch.channel, languages),
            "recipients": [{name: getattr(row, name) for name in names} for row in going],
        },
    )


def _suppress(session: Session, rows: Iterable[_Row]) -> None:
    by_reason: dict[str, list[UUID]] = {}
    for row in rows:
        by_reason.setdefault(row.reason, []).append(row.recipient_id)
    for reason, identities in by_reason.items():
        session.execute(
            update(Recipient)
            .where(Recipient.id.in_(identities))
            .values(state="suppressed", reason=reason, updated_at=now())
            .execution_options(**_NO_SYNC)
        )


def _move_queued(
    session: Session, campaign_id: UUID, numbers: list[int], state: str, reason: str | None
) -> None:
    session.execute(
        update(Recipient)
        .where(
            Recipient.campaign_id == campaign_id,
            Recipient.batch_no.in_(numbers),
            Recipient.state == "queued",
        )
        .values(state=state, reason=reason, updated_at=now())
        .execution_options(**_NO_SYNC)
    )


def _complete(session: Session, campaign: Campaign) -> None:
    campaign.status = rules.move(campaign.status, "completed")
    campaign.completed_at = now()
    emit(
        session,
        contract.CampaignCompleted,
        campaign,
        {
            "campaign_id": campaign.id,
            "name": campaign.name,
            "counts": batches.counts(session, campaign.id),
        },
    )


def _reported_on(session: Session, campaign_id: UUID, results: list[dict[str, Any]]) -> list[_Row]:
    """The recipients a report may change, locked."""
    identities = {result["recipient_id"] for result in results}
    return list(
        session.execute(
            select(Recipient.id, Recipient.state, Recipient.batch_no)
            .where(
                Recipient.campaign_id == campaign_id,
                Recipient.id.in_(identities),
                Recipient.state.in_(rules.REPORTABLE),
            )
            .order_by(Recipient.id)
            .with_for_update()
        ).all()
    )
