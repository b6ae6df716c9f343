"""Telling marketing what became of the recipients of a campaign, in batches."""

from collections import defaultdict
from collections.abc import Iterable
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from contracts import notifications as contract
from crmkit.outbox import emit
from services.notifications import rules
from services.notifications.models import Report

MOST_RESULTS = 500


def report(session: Session, messages: Iterable[Any]) -> None:
    """Announce the final states among these messages of campaigns, at most 500 at a time.

    Each has ``campaign_id``, ``recipient_id``, ``status`` and ``reason``; others are passed over.
    """
    results: dict[UUID, list[dict[str, Any]]] = defaultdict(list)
    for message in messages:
        state = rules.reported_state(message.status)
        if message.campaign_id is not None and state is not None:
            results[message.campaign_id].append(
                {"recipient_id": message.recipient_id, "state": state, "reason": message.reason}
            )
    for campaign_id, found in results.items():
        for start in range(0, len(found), MOST_RESULTS):
            _announce(session, campaign_id, found[start : start + MOST_RESULTS])


def _announce(session: Session, campaign_id: UUID, results: list[dict[str, Any]]) -> None:
    row = Report(campaign_id=campaign_id, size=len(results))
    session.add(row)
    session.flush()
    emit(
        session,
        contract.MessagesReported,
        row,
        {"report_id": row.id, "campaign_id": campaign_id, "results": results},
    )
