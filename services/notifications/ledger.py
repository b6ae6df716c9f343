"""The sender's side of the ledger: claim a batch, record what became of it, clear up after others.

A claim is committed before anything leaves, so a message is either waiting, or somebody's, or in a
final status; never lost and never two senders' at once.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from prometheus_client import Counter
from sqlalchemy import text
from sqlalchemy.orm import Session

from contracts import notifications as contract
from crmkit import metrics
from crmkit.clock import now
from crmkit.outbox import emit
from services.notifications import rules
from services.notifications.channels import Outcome
from services.notifications.reports import report

_settled = Counter(
    "crm_messages_total",
    "Messages by lane and what an attempt made of them.",
    ["lane", "status"],
    registry=metrics.registry,
)

_WAITS = text(
    "select exists (select 1 from message where status = 'queued' and lane = :lane"
    " and next_at <= :at)"
)

_CLAIM = text(
    """
with due as (
    select m.id, m.content_id, c.country,
           case when m.purpose <> 'marketing' then null
                when c.id is null then 'customer_unknown'
                when not coalesce(m.channel = any(c.consents), false) or exists (
                    select from unsubscription u where u.customer_id = m.customer_id
                    and u.channel = m.channel and u.confirmed_at is null) then 'no_consent'
                when c.detractor then 'detractor'
           end as objection
    from message m left join customer c on c.id = m.customer_id
    where m.status = 'queued' and m.lane = :lane and m.next_at <= :at
    order by m.next_at limit :size
    for update of m skip locked)
update message m
set status = case when due.objection is null then 'sending'
                  when due.objection = 'customer_unknown' and m.created_at > :patient_since
                  then 'queued' else 'suppressed' end,
    reason = due.objection,
    attempts = m.attempts + case when due.objection is null then 1 else 0 end,
    next_at = case when due.objection is null then m.next_at else :later end,
    claimed_by = :worker,
    lease_until = now() + make_interval(secs => :lease),
    version = m.version + 1,
    updated_at = now()
from due left join content on content.id = due.content_id
where m.id = due.id
returning m.id, m.lane, m.purpose, m.channel, m.status, m.reason, m.campaign_id, m.recipient_id,
    m.customer_id, m.language, due.country, m.name, m.address, m.subject, m.attempts,
    coalesce(m.body, content.body) as body
"""
)
"""Consent is looked at in the same statement, so a withdrawal counts until the last moment, and so
does discontent. Of whom nothing is known yet, in a backlog after an import say, the advertising
waits."""

_RENEW = text(
    "update message set lease_until = now() + make_interval(secs => :lease)"
    " where id = any(:ids) and claimed_by = :worker and status = 'sending'"
)

_MINE = text(
    "select id, lane, attempts from message where claimed_by = :worker"
    " and (status = 'sending' or status = 'unknown' and id = any(:noted))"
)

_CAMPAIGN_STATES = text(
    "select m.id, c.state from message m join campaign c on c.id = m.campaign_id"
    " where m.id = any(:ids) order by c.id for share of c"
)
"""Before any of the messages is touched, as whoever pauses takes the campaign first, too."""

_RECORD = text(
    """
update message m
set status = r.status, attempts = r.attempts,
    reason = case when r.status = 'cancelled' then 'campaign_cancelled' else r.reason end,
    next_at = now() + make_interval(secs => r.pause),
    sent_at = case when r.status = 'sent' then now() end,
    claimed_by = case when r.status not in ('queued', 'held') then m.claimed_by end,
    lease_until = null,
    event_number = m.event_number
        + case when r.status = 'sent' and m.campaign_id is null then 1 else 0 end,
    version = m.version + 1,
    updated_at = now()
from unnest(cast(:ids as uuid[]), cast(:statuses as text[]), cast(:reasons as text[]),
            cast(:attempts as int[]), cast(:pauses as int[]))
    as r (id, status, reason, attempts, pause)
where m.id = r.id and m.claimed_by = :worker and m.status in ('sending', 'unknown')
returning m.id, m.lane, m.status, m.reason, m.campaign_id, m.recipient_id, m.customer_id,
    m.channel, m.template, m.event_number
"""
)
"""``unknown`` too: a sender that was slower than its lease still knows better than nobody."""

_KEEP_PARTS = text(
    "insert into part (provider_id, message_id)"
    " select * from unnest(cast(:provider_ids as text[]), cast(:message_ids as uuid[]))"
    " on conflict (provider_id) do update set message_id = excluded.message_id, state = null,"
    " reason = null"
)

_EXPIRE = text(
    """
update message m
set status = case when m.lane <> 'email' then 'unknown'
                  when m.attempts >= :most then 'failed' else 'queued' end,
    reason = 'sender_lost', next_at = now(), lease_until = null, version = m.version + 1,
    claimed_by = case when m.lane <> 'email' then m.claimed_by end, updated_at = now()
where m.id in (select id from message where status = 'sending' and lease_until < now()
               order by lease_until limit 500 for update skip locked)
returning m.lane, m.status, m.reason, m.campaign_id, m.recipient_id
"""
)


@dataclass(frozen=True, slots=True)
class Claimed:
    """A message that is ours to send now."""

    id: UUID
    lane: str
    purpose: str
    channel: str
    customer_id: UUID | None
    language: str
    country: str | None
    name: str
    address: str
    subject: str
    body: str
    attempts: int


@dataclass(slots=True)
class _Sent:
    """What ``emit`` wants to know of a message whose row is written already."""

    id: UUID
    event_number: int


def waits(session: Session, lane: str) -> bool:
    """Whether anything is due in the lane."""
    return bool(session.scalar(_WAITS, {"lane": lane, "at": now()}))


def claim(session: Session, worker: UUID, lane: str, size: int) -> list[Claimed]:
    """Up to ``size`` messages that belong to the worker for a minute, oldest first.

    Those that were refused before come last, so that one which makes the server hang up does not
    stand in front of the others again.

    Advertising whose consent is gone is suppressed and reported instead; that to customers who are
    not known yet waits, for a day. To be committed before anything is sent.
    """
    at = now()
    rows = session.execute(
        _CLAIM,
        {
            "lane": lane,
            "size": size,
            "worker": worker,
            "lease": rules.LEASE_SECONDS,
            "at": at,
            "later": at + rules.UNKNOWN_CUSTOMER_PAUSE,
            "patient_since": at - rules.UNKNOWN_CUSTOMER_PATIENCE,
        },
    ).all()
    report(session, (row for row in rows if row.status == "suppressed"))
    names = Claimed.__dataclass_fields__
    claimed = [
        Claimed(**{name: getattr(row, name) for name in names})
        for row in rows
        if row.status == "sending"
    ]
    return sorted(claimed, key=lambda message: (message.attempts, message.id))


def renew(session: Session, worker: UUID, ids: Sequence[UUID]) -> bool:
    """Keep the worker's messages for another minute; whether all of them are still its own."""
    result = session.execute(
        _RENEW, {"worker": worker, "ids": list(ids), "lease": rules.LEASE_SECONDS}
    )
    return bool(result.rowcount == len(ids))  # type: ignore[attr-defined]


def record(
    session: Session, worker: UUID, outcomes: Sequence[tuple[UUID, str, int, Outcome]]
) -> None:
    """Write down what became of messages (id, lane, attempts, outcome) and announce it.

    Messages that are the worker's no longer stay as they are. What would wait for another attempt
    is held or called back when its campaign was paused or cancelled meanwhile.
    """
    verdicts = {
        identity: rules.verdict(outcome.kind, lane, attempts)
        for identity, lane, attempts, outcome in outcomes
    }
    waiting = [identity for identity, verdict in verdicts.items() if verdict.status == "queued"]
    instead = _campaigns_say(session, waiting)
    rows = session.execute(
        _RECORD,
        {
            "worker": worker,
            "ids": list(verdicts),
            "statuses": [instead.get(identity, v.status) for identity, v in verdicts.items()],
            "reasons": [_short(outcome.reason) for *_, outcome in outcomes],
            "attempts": [verdict.attempts for verdict in verdicts.values()],
            "pauses": [verdict.pause_seconds for verdict in verdicts.values()],
        },
    ).all()
    _keep_parts(session, outcomes)
    _announce(session, rows)


def heal(session: Session, worker: UUID, noted: Mapping[UUID, Outcome]) -> int:
    """Settle what a dead worker had in hand, by what its journal noted; how many messages.

    What the journal does not mention had not left.
    """
    rows = session.execute(_MINE, {"worker": worker, "noted": list(noted)}).all()
    if not rows:
        return 0
    untouched = Outcome("not_begun", "sender_lost")
    record(
        session,
        worker,
        [(row.id, row.lane, row.attempts, noted.get(row.id, untouched)) for row in rows],
    )
    return len(rows)


def expire(session: Session) -> int:
    """Take back messages of senders that were silent for a minute; how many.

    Nobody knows whether these left. Mail that is waited for goes again, with the same Message-ID;
    advertising and text messages become ``unknown`` and are never sent again.
    """
    rows = session.execute(_EXPIRE, {"most": rules.MOST_ATTEMPTS}).all()
    report(session, rows)
    for row in rows:
        _settled.labels(row.lane, row.status).inc()
    return len(rows)


def _short(reason: str | None) -> str | None:
    return reason[:500].replace("\0", "") if reason else None


def _campaigns_say(session: Session, ids: Sequence[UUID]) -> dict[UUID, str]:
    """The status of messages of campaigns that would wait, which stays right until the commit."""
    if not ids:
        return {}
    rows = session.execute(_CAMPAIGN_STATES, {"ids": ids})
    return {row.id: rules.CAMPAIGN_STATUS[row.state] for row in rows}


def _keep_parts(session: Session, outcomes: Iterable[tuple[UUID, str, int, Outcome]]) -> None:
    # A provider may give no id, or one twice, which one statement could not insert and update.
    parts = {part: identity for identity, _, _, o in outcomes for part in o.provider_ids if part}
    if parts:
        session.execute(
            _KEEP_PARTS, {"provider_ids": list(parts), "message_ids": list(parts.values())}
        )


def _announce(session: Session, rows: Sequence[Any]) -> None:
    report(session, rows)
    for row in rows:
        _settled.labels(row.lane, row.status).inc()
        if row.status == "sent" and row.campaign_id is None:
            emit(
                session,
                contract.MessageSent,
                _Sent(row.id, row.event_number - 1),
                {
                    "message_id": row.id,
                    "customer_id": row.customer_id,
                    "channel": row.channel,
                    "template": row.template,
                },
            )
