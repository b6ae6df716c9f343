"""Messages of campaigns: taken in by the batch, held, let go and called back."""

import hashlib
from typing import Any
from uuid import UUID

from sqlalchemy import select, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from crmkit import copies
from crmkit.clock import now
from crmkit.ids import new_id
from crmkit.messages import Envelope
from services.notifications import rules, wording
from services.notifications.models import Campaign, Content, Message
from services.notifications.reports import report

_TAKE_IN = text(
    """
insert into message (id, version, event_number, created_at, updated_at, dedupe_key, purpose,
    channel, lane, template, customer_id, campaign_id, recipient_id, batch_id, content_id, language,
    name, address, subject, status, reason, attempts, next_at)
select r.id, 1, 0, :at, :at, 'campaign:' || cast(:campaign_id as text) || ':' || r.recipient_id,
    'marketing', :channel, :lane, 'campaign', r.customer_id, :campaign_id, r.recipient_id,
    :batch_id, r.content_id, r.language, r.name, r.address, r.subject,
    case when r.content_id is null or r.address = '' or not coalesce(agreed.yes, true)
         then 'suppressed' else :status end,
    case when r.content_id is null then 'no_text' when r.address = '' then 'no_address'
         when not coalesce(agreed.yes, true) then 'no_consent'
         when :status = 'cancelled' then 'campaign_cancelled' end,
    0,
    case when agreed.yes is null then :at + interval '30 seconds' else :at end
from unnest(cast(:ids as uuid[]), cast(:recipient_ids as uuid[]), cast(:customer_ids as uuid[]),
            cast(:content_ids as uuid[]), cast(:languages as text[]), cast(:names as text[]),
            cast(:addresses as text[]), cast(:subjects as text[]))
    as r (id, recipient_id, customer_id, content_id, language, name, address, subject)
left join lateral (select :channel = any(c.consents) and not exists (
                       select from unsubscription u where u.customer_id = c.id
                       and u.channel = :channel and u.confirmed_at is null) as yes
                   from customer c where c.id = r.customer_id) as agreed on true
on conflict (dedupe_key) do nothing
returning campaign_id, recipient_id, status, reason
"""
)
"""One statement for a batch. Of a customer whose copy has not come yet nothing is known: the
message waits half a minute, and the sender has the last word."""


def take_in(session: Session, event: Envelope) -> None:
    """Put a batch of recipients in the ledger; those who withdrew are reported as suppressed.

    A batch that was taken in before changes nothing.
    """
    facts = event.data
    status = rules.CAMPAIGN_STATUS[_state(session, facts["campaign_id"])]
    contents = _contents(session, facts)
    rows = [_row(facts, recipient, contents) for recipient in facts["recipients"]]
    if not rows:
        return
    taken = session.execute(
        _TAKE_IN,
        {
            "at": now(),
            "campaign_id": facts["campaign_id"],
            "batch_id": facts["batch_id"],
            "channel": facts["channel"],
            "lane": rules.lane(rules.MARKETING, facts["channel"]),
            "status": status,
            **{name: [row[name] for row in rows] for name in rows[0]},
        },
    ).all()
    report(session, taken)


def follow_campaign(session: Session, event: Envelope, state: str) -> None:
    """Hold, let go or call back what the sender has not begun, as the campaign's state demands.

    Old news changes nothing, and a campaign that was cancelled stays so.
    """
    campaign_id = event.data["campaign_id"]
    if not copies.keep(session, Campaign, event, id=campaign_id, state=state):
        return
    waiting = {"queued", "held"} - {rules.CAMPAIGN_STATUS[state]}
    changed = session.execute(
        update(Message)
        .where(Message.campaign_id == campaign_id, Message.status.in_(waiting))
        .values(
            status=rules.CAMPAIGN_STATUS[state],
            reason="campaign_cancelled" if state == "cancelled" else None,
            version=Message.version + 1,
            updated_at=now(),
        )
        .returning(Message.campaign_id, Message.recipient_id, Message.status, Message.reason)
        .execution_options(synchronize_session=False)
    ).all()
    report(session, changed)


def pause(session: Session, event: Envelope) -> None:
    """Hold what has not begun."""
    follow_campaign(session, event, "paused")


def resume(session: Session, event: Envelope) -> None:
    """Let it go."""
    follow_campaign(session, event, "running")


def cancel(session: Session, event: Envelope) -> None:
    """Call back what has not begun."""
    follow_campaign(session, event, "cancelled")


def _state(session: Session, campaign_id: UUID) -> str:
    """The campaign's state, which cannot change before this batch is in."""
    session.execute(
        insert(Campaign)
        .values(id=campaign_id, state="running", as_of_version=0)
        .on_conflict_do_nothing()
    )
    return str(
        session.execute(
            select(Campaign.state).where(Campaign.id == campaign_id).with_for_update(read=True)
        ).scalar_one()
    )


def _contents(session: Session, facts: dict[str, Any]) -> dict[str, tuple[UUID, str]]:
    """By language: the id under which the text for the channel is kept, and its subject."""
    found = {}
    for content in facts["contents"]:
        email = facts["channel"] == "email"
        subject = (content.get("subject") if email else "") or ""
        body = content.get("email_body" if email else "sms_body") or ""
        if body:
            language = content["language"]
            found[language] = (_keep(session, facts, language, subject, body), subject)
    return found


def _keep(session: Session, facts: dict[str, Any], language: str, subject: str, body: str) -> UUID:
    digest = hashlib.sha256(f"{subject}\0{body}".encode()).digest()
    key = {
        "campaign_id": facts["campaign_id"],
        "channel": facts["channel"],
        "language": language,
        "digest": digest,
    }
    session.execute(
        insert(Content)
        .values(id=new_id(), subject=subject, body=body, **key)
        .on_conflict_do_nothing()
    )
    identity: UUID = session.execute(select(Content.id).filter_by(**key)).scalar_one()
    return identity


def _row(
    facts: dict[str, Any], recipient: dict[str, Any], contents: dict[str, tuple[UUID, str]]
) -> dict[str, Any]:
    language = recipient["language"]
    if language not in contents:
        language = facts["default_language"]
    content_id, subject = contents.get(language, (None, ""))
    name = wording.one_line(recipient["name"])
    return {
        "ids": new_id(),
        "recipient_ids": recipient["recipient_id"],
        "customer_ids": recipient["customer_id"],
        "content_ids": content_id,
        "languages": language,
        "names": name,
        "addresses": recipient["address"].strip(),
        "subjects": wording.one_line(wording.fill(subject, {"name": name})),
    }
