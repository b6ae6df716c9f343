"""Who a campaign is for: counting them, and freezing them into recipients."""

from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import Any
from uuid import UUID

from sqlalchemy import (
    ColumnElement,
    DateTime,
    Integer,
    Text,
    Uuid,
    case,
    exists,
    func,
    insert,
    literal,
    literal_column,
    null,
    or_,
    select,
    text,
)
from sqlalchemy.orm import InstrumentedAttribute, Session

from crmkit.clock import now
from crmkit.context import Actor
from crmkit.db import context, fetch, one, visible
from crmkit.timers import Timer, set_timer
from services.marketing import rules
from services.marketing.models import Base, Campaign, Customer

FREEZE = "freeze_audience"
ADVANCE = "advance_campaign"
"""Kinds of timers; the key is the campaign's id."""

_ADDRESSES: Mapping[str, InstrumentedAttribute[str | None]] = {
    "email": Customer.email,
    "sms": Customer.mobile,
}
_FACTS: Mapping[str, InstrumentedAttribute[str]] = {
    "languages": Customer.language,
    "countries": Customer.country,
    "lifecycle_stages": Customer.lifecycle_stage,
    "kinds": Customer.kind,
}

# A UUIDv7 out of a random version 4: its first 48 bits become the milliseconds since 1970 and its
# version 7. PostgreSQL has uuidv7() from 18 on only, gen_random_uuid() since 13. Ids that grow keep
# the indexes of a large table dense where a random one would touch a page per row.
_NEW_ID: ColumnElement[UUID] = literal_column(
    "cast(encode(set_bit(set_bit(overlay(uuid_send(gen_random_uuid()) placing substring(int8send("
    "cast(extract(epoch from clock_timestamp()) * 1000 as bigint)) from 3) from 1 for 6),"
    " 52, 1), 53, 1), 'hex') as uuid)",
    Uuid,
)


def address(channel: str) -> InstrumentedAttribute[str | None]:
    """Where the copy of customers has the channel's address."""
    return _ADDRESSES[channel]


def exclusion(channel: str) -> ColumnElement[str | None]:
    """Why a customer gets nothing by that channel, null if nothing stands against it.

    The one place of that decision: the preview counts by it, the freeze marks by it, and the
    hand-off asks again, since people withdraw between freeze and send.
    """
    return case(
        (Customer.id.is_(None), literal("customer_gone", Text)),
        (~Customer.consents.contains([channel]), literal("no_consent", Text)),
        (address(channel).is_(None), literal("no_address", Text)),
        (Customer.detractor, literal("detractor", Text)),
        else_=null(),
    )


def matching(session: Session, audience: Mapping[str, Any]) -> list[ColumnElement[bool]]:
    """The conditions that say who is meant, within the actor's scope."""
    conditions = [visible(session, Customer)]
    for name, column in _FACTS.items():
        if name in audience:
            conditions.append(column.in_(audience[name]))
    if "tags" in audience:
        conditions.append(Customer.tags.overlap(audience["tags"]))
    return conditions


def preview(session: Session, *, campaign_id: UUID) -> dict[str, Any]:
    """How many a launch by the actor would reach now, and why not the others; NotFound."""
    campaign = one(
        session,
        select(Campaign.channels, Campaign.audience).where(
            Campaign.id == campaign_id, visible(session, Campaign)
        ),
        "campaign",
    )
    channels = campaign["channels"]
    reasons = (
        select(*(exclusion(channel).label(channel) for channel in channels))
        .where(*matching(session, campaign["audience"]))
        .subquery("reasons")
    )
    groups = session.execute(
        select(func.count().label("number"), *reasons.c).group_by(*reasons.c)
    ).all()
    counted: dict[str, Counter[str | None]] = {channel: Counter() for channel in channels}
    for number, *each in groups:
        for channel, reason in zip(channels, each, strict=True):
            counted[channel][reason] += number
    return {
        "matching": sum(group.number for group in groups),
        "reachable": {channel: counted[channel].pop(None, 0) for channel in channels},
        "excluded": {channel: dict(counted[channel]) for channel in channels},
    }


def anyone_reachable(session: Session, campaign: Campaign) -> bool:
    """Whether a launch by the actor would send anything at all."""
    reachable = or_(*(exclusion(channel).is_(None) for channel in campaign.channels))
    found = select(Customer.id).where(*matching(session, campaign.audience), reachable)
    return bool(session.scalar(select(exists(found))))


def freeze(session: Session, timer: Timer) -> None:
    """Write down who gets the campaign, cut into batches, and begin to send.

    It runs for as long as it takes, so the campaign is locked only at its end: whoever cancels
    meanwhile need not wait, and the work is dropped then.
    """
    campaign_id = UUID(timer.key)
    seen = one(
        session,
        select(
            Campaign.status,
            Campaign.launcher,
            Campaign.channels,
            Campaign.audience,
            Campaign.contents,
            Campaign.default_language,
        ).where(Campaign.id == campaign_id),
        "campaign",
    )
    if seen["status"] != "snapshotting":
        return
    session.execute(text("set local statement_timeout = 0"))
    with session.begin_nested() as savepoint:
        size = _freeze_channels(session, campaign_id, seen)
        # Before the lock, in the order in which everyone takes the two.
        set_timer(session, ADVANCE, timer.key, now())
        campaign = fetch(session, Campaign, campaign_id, lock=True)
        if campaign.status != "snapshotting":
            savepoint.rollback()
            return
        campaign.audience_size = size
        campaign.status = rules.move(campaign.status, "sending")


def _freeze_channels(session: Session, campaign_id: UUID, seen: Mapping[str, Any]) -> int:
    """The number of recipients written."""
    size = first_number = 0
    with _as_launcher(session, seen["launcher"]):
        conditions = matching(session, seen["audience"])
    for channel in seen["channels"]:
        batches = session.execute(
            _freezing(campaign_id, channel, first_number, conditions, seen)
        ).all()
        size += sum(batch.size for batch in batches)
        first_number = max([first_number, *(batch.number + 1 for batch in batches)])
    return size


def _freezing(
    campaign_id: UUID,
    channel: str,
    first_number: int,
    conditions: list[ColumnElement[bool]],
    seen: Mapping[str, Any],
) -> Any:
    """One statement that writes the recipients of a channel and counts them into their batches.

    The suppressed ones are batch ``first_number``; the others follow in batches of 500.
    """
    written = rules.languages_written(seen["contents"], channel)
    chosen = (
        select(
            Customer.id,
            case(
                (Customer.language.in_(written), Customer.language),
                else_=literal(seen["default_language"], Text),
            ).label("language"),
            exclusion(channel).label("reason"),
        )
        .where(*conditions)
        .subquery("chosen")
    )
    queued = chosen.c.reason.is_(None)
    place = func.row_number().over(partition_by=queued, order_by=chosen.c.id)
    values = {
        "id": _NEW_ID,
        "campaign_id": literal(campaign_id, Uuid),
        "customer_id": chosen.c.id,
        "channel": literal(channel, Text),
        "language": chosen.c.language,
        "state": case((queued, literal("queued", Text)), else_=literal("suppressed", Text)),
        "reason": chosen.c.reason,
        "batch_no": first_number
        + case((queued, (place + rules.BATCH_SIZE - 1) // rules.BATCH_SIZE), else_=0),
        "created_at": func.now(type_=DateTime(timezone=True)),
        "updated_at": func.now(type_=DateTime(timezone=True)),
    }
    recipient, batch = (Base.metadata.tables[name] for name in ("recipient", "batch"))
    put = (
        insert(recipient)
        .from_select(list(values), select(*values.values()))
        .returning(recipient.c.batch_no, recipient.c.state)
        .cte("put")
    )
    counted: dict[str, Any] = {
        **{column.name: literal(0) for column in batch.c if isinstance(column.type, Integer)},
        "id": _NEW_ID,
        "campaign_id": literal(campaign_id, Uuid),
        "number": put.c.batch_no,
        "channel": literal(channel, Text),
        "size": func.count(),
        "queued": func.count().filter(put.c.state == "queued"),
        "suppressed": func.count().filter(put.c.state == "suppressed"),
    }
    return (
        insert(batch)
        .from_select(
            list(counted),
            select(*counted.values()).group_by(put.c.batch_no),
            # SQLAlchemy 2.1.9 binds None for every default when a CTE stands before the INSERT.
            include_defaults=False,
        )
        .returning(batch.c.number, batch.c.size)
    )


@contextmanager
def _as_launcher(session: Session, launcher: Mapping[str, Any]) -> Iterator[None]:
    """Look at customers as whoever launched: a campaign reaches nobody they could not see."""
    own = context(session)
    identity = UUID(launcher["id"]) if launcher["id"] else None
    actor = Actor(identity, launcher["kind"], launcher["scope"], launcher["team_path"])
    session.info["context"] = replace(own, actor=actor)
    try:
        yield
    finally:
        session.info["context"] = own
