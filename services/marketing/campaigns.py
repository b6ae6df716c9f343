"""Drafting, launching, pausing and ending campaigns, and telling how far they are."""

from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, select, true
from sqlalchemy.orm import Session

from contracts import marketing as contract
from crmkit.clock import now
from crmkit.db import actor, fetch, one, select_named, visible
from crmkit.errors import Conflict
from crmkit.messages import Event
from crmkit.outbox import emit
from crmkit.pages import page
from crmkit.timers import set_timer
from services.marketing import audience, batches, rules, sending
from services.marketing.models import Batch, Campaign

_COLUMNS = {
    name: getattr(Campaign, name)
    for name in contract.Campaign().fields
    if name not in {"counts", "progress"}
}
LIST_COLUMNS = {name: getattr(Campaign, name) for name in contract.CampaignRow().fields}
_LISTED = select_named(LIST_COLUMNS)
_TEXTS = ("name", "channels", "audience", "contents", "default_language")


def create(session: Session, **request: Any) -> dict[str, Any]:
    """Write a draft; the campaign.

    Invalid where it could not be sent as it is written. Conflict ``already_exists`` if the caller's
    own id is taken.
    """
    rules.refuse_unfit(request["channels"], request["contents"], request["default_language"])
    who = actor(session)
    campaign = Campaign(
        id=request.get("id"),
        owner_id=who.id if who.kind == "staff" else None,
        team_path=who.team_path,
        **{name: request[name] for name in _TEXTS},
    )
    session.add(campaign)
    session.flush()
    return _shown(session, campaign)


def get(session: Session, *, campaign_id: UUID) -> dict[str, Any]:
    """One campaign with its counts as of now; NotFound."""
    return _read(session, campaign_id, visible(session, Campaign))


def find(session: Session, **asked: Any) -> dict[str, Any]:
    """A page of campaigns."""
    statement = _LISTED.where(visible(session, Campaign))
    return page(session, statement, contract.ListCampaigns, LIST_COLUMNS, asked)


def update(
    session: Session, *, campaign_id: UUID, if_match: int | None = None, **changes: Any
) -> dict[str, Any]:
    """Change what is given of a draft; the campaign.

    NotFound; Conflict ``campaign_not_draft`` or ``stale_version``; Invalid as for ``create``.
    """
    campaign = fetch(session, Campaign, campaign_id, lock=True, if_match=if_match)
    rules.refuse_unless_draft(campaign.status)
    for name, value in changes.items():
        setattr(campaign, name, value)
    rules.refuse_unfit(campaign.channels, campaign.contents, campaign.default_language)
    return _shown(session, campaign)


def launch(session: Session, *, campaign_id: UUID) -> dict[str, Any]:
    """Announce the campaign and have its audience frozen; the campaign.

    Asking twice launches once. Conflict ``audience_empty`` if it would reach nobody, which is
    better known now than learnt from a campaign that completed at once with zero sent.
    """
    campaign = fetch(session, Campaign, campaign_id, lock=True)
    status = rules.after("launch", campaign.status)
    if status is None:
        return _shown(session, campaign)
    if not audience.anyone_reachable(session, campaign):
        raise Conflict(
            "audience_empty",
            "Nobody would get this campaign: no customer you may see matches its audience with a "
            "consent and an address. The preview says why.",
        )
    who = actor(session)
    campaign.status = status
    campaign.launched_at = now()
    campaign.launcher = {
        "id": str(who.id) if who.id else None,
        "kind": who.kind,
        "scope": who.scope,
        "team_path": who.team_path,
    }
    set_timer(session, audience.FREEZE, str(campaign.id), now())
    return _announce(session, campaign, contract.CampaignLaunched)


def pause(session: Session, *, campaign_id: UUID) -> dict[str, Any]:
    """Hand over no further batch; the campaign. Asking twice pauses once."""
    campaign = fetch(session, Campaign, campaign_id, lock=True)
    return _act(session, campaign, "pause", contract.CampaignPaused)


def resume(session: Session, *, campaign_id: UUID) -> dict[str, Any]:
    """Go on handing over; the campaign. Asking twice resumes once."""
    campaign = _fetch_with_timer(session, campaign_id)
    return _act(session, campaign, "resume", contract.CampaignResumed)


def cancel(session: Session, *, campaign_id: UUID) -> dict[str, Any]:
    """Hand over nothing more and cancel who is queued; the campaign. Asking twice cancels once.

    Recipients already handed over finish and stay counted. More than 10,000 queued ones are
    cancelled in steps after the answer; none of them is sent any more.
    """
    campaign = _fetch_with_timer(session, campaign_id)
    announced = _act(session, campaign, "cancel", contract.CampaignCancelled)
    if not announced["counts"]["queued"]:
        return announced
    sending.cancel_queued(session, campaign.id)
    return _shown(session, campaign)


def _fetch_with_timer(session: Session, campaign_id: UUID) -> Campaign:
    """The campaign, locked, and a timer to go on with it.

    The timer comes first: that is the order of a step that runs at the same time, which holds its
    timer before it asks for the campaign. The other way round the two would deadlock.
    """
    set_timer(session, audience.ADVANCE, str(campaign_id), now())
    return fetch(session, Campaign, campaign_id, lock=True)


def _act(session: Session, campaign: Campaign, action: str, event: type[Event]) -> dict[str, Any]:
    status = rules.after(action, campaign.status)
    if status is None:
        return _shown(session, campaign)
    campaign.status = status
    return _announce(session, campaign, event)


def _announce(session: Session, campaign: Campaign, event: type[Event]) -> dict[str, Any]:
    emit(session, event, campaign, {"campaign_id": campaign.id, "name": campaign.name})
    return _shown(session, campaign)


def _shown(session: Session, campaign: Campaign) -> dict[str, Any]:
    session.flush()
    return _read(session, campaign.id, true())


def _read(session: Session, campaign_id: UUID, scope: ColumnElement[bool]) -> dict[str, Any]:
    query = (
        select(
            *(column.label(name) for name, column in _COLUMNS.items()),
            *(number.label(f"n_{name}") for name, number in batches.SUMS.items()),
        )
        .outerjoin(Batch, Batch.campaign_id == Campaign.id)
        .where(Campaign.id == campaign_id, scope)
        .group_by(Campaign.id)
    )
    row = one(session, query, "campaign")
    counts = batches.counts_from({name: row.pop(f"n_{name}") for name in batches.SUMS})
    return {**row, "counts": counts, "progress": rules.progress(counts)}
