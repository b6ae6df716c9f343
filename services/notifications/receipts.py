"""What providers say later about text messages: kept when it comes, matched when it can be."""

from sqlalchemy import text
from sqlalchemy.orm import Session

from crmkit.clock import now
from crmkit.ids import new_id
from services.notifications.reports import report

KEPT_DAYS = 3
"""Providers' receipts may come three days late; what matches nothing by then never will."""

_KEEP = text(
    "insert into receipt (id, provider_id, state, reason, received_at)"
    " values (:id, :provider_id, :state, :reason, :at)"
)
_MATCH = text(
    """
with matched as (
    delete from receipt r using part p where p.provider_id = r.provider_id
    returning r.provider_id, r.state, r.reason),
said as (
    update part p set state = matched.state, reason = matched.reason
    from matched where p.provider_id = matched.provider_id
    returning p.message_id)
select distinct message_id from said
"""
)
_SETTLE = text(
    """
with heard as (
    select message_id, bool_or(state = 'bounced') as bounced,
           bool_and(coalesce(state, '') = 'delivered') as delivered,
           min(reason) filter (where state = 'bounced') as reason
    from part where message_id = any(:ids) group by message_id)
update message m
set status = case when heard.bounced then 'bounced' else 'delivered' end,
    reason = case when heard.bounced then heard.reason end,
    version = m.version + 1, updated_at = now()
from heard
where m.id = heard.message_id and m.status in ('sent', 'unknown')
  and (heard.bounced or heard.delivered)
returning m.status, m.reason, m.campaign_id, m.recipient_id
"""
)
_FORGET = text("delete from receipt where received_at < now() - make_interval(days => :days)")


def keep(session: Session, provider_id: str, state: str, reason: str | None) -> None:
    """Keep a receipt, before the provider is told that we have it."""
    session.execute(
        _KEEP,
        {
            "id": new_id(),
            "provider_id": provider_id,
            "state": state,
            "reason": reason,
            "at": now(),
        },
    )


def settle(session: Session) -> int:
    """Let the receipts decide about their messages; how many messages heard something.

    A message is delivered when all its parts are, and bounced as soon as one is not.
    """
    ids = list(session.execute(_MATCH).scalars())
    if ids:
        report(session, session.execute(_SETTLE, {"ids": ids}).all())
    return len(ids)


def forget(session: Session) -> None:
    """Let go of receipts that no message will ever match."""
    session.execute(_FORGET, {"days": KEPT_DAYS})
