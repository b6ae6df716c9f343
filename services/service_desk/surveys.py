"""Asking customers how content they are, once per resolved ticket, by a link without login.

The secret of a link is 256 random bits. It leaves in the event that has the message sent, whose
row in the outbox keeps it until that is purged; everything else here knows only its SHA-256.
"""

import secrets
from hashlib import sha256
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from contracts import service_desk as contract
from crmkit.clock import now
from crmkit.db import fetch, missing
from crmkit.ids import new_id
from crmkit.outbox import emit
from crmkit.timers import Timer, cancel_timer, set_timer
from services.service_desk import rules, steps
from services.service_desk.models import Customer, Survey, Ticket

EXPIRY = "survey_expiry"
_TOKEN_BYTES = 32
_DEFAULT_LANGUAGE = "en"


def request(session: Session, ticket: Ticket) -> None:
    """Have the customer asked about a ticket that was resolved just now."""
    token = secrets.token_urlsafe(_TOKEN_BYTES)
    survey = Survey(
        id=new_id(),
        ticket_id=ticket.id,
        customer_id=ticket.customer_id,
        token_sha256=_hashed(token),
        status="sent",
        expires_at=now() + rules.SURVEY_LIFETIME,
    )
    set_timer(session, EXPIRY, str(survey.id), survey.expires_at)
    session.add(survey)
    emit(
        session,
        contract.SurveyRequested,
        survey,
        {
            **_facts(survey),
            "ticket_number": ticket.number,
            "subject": ticket.subject,
            "outcome": ticket.outcome,
            "token": token,
            "expires_at": survey.expires_at,
        },
    )


def get(session: Session, *, token: str) -> dict[str, Any]:
    """The survey behind a link; NotFound."""
    row = session.execute(
        select(
            Ticket.number.label("ticket_number"),
            Ticket.subject,
            Customer.language,
            Survey.status,
            Survey.expires_at,
        )
        .select_from(Survey)
        .join(Ticket, Ticket.id == Survey.ticket_id)
        .outerjoin(Customer, Customer.id == Survey.customer_id)
        .where(Survey.token_sha256 == _hashed(token))
    ).one_or_none()
    if row is None:
        raise missing("Survey")
    return {
        **row._asdict(),
        "language": row.language or _DEFAULT_LANGUAGE,
        "status": rules.survey_status(row.status, row.expires_at, now()),
    }


def answer(session: Session, *, token: str, score: int, comment: str) -> dict[str, Any]:
    """Take the customer's one answer and close the ticket; the survey.

    NotFound for a wrong link; Conflict ``already_answered`` or ``survey_expired``. The actor's
    scope does not count: whoever has the link may answer.
    """
    survey_id = session.scalar(select(Survey.id).where(Survey.token_sha256 == _hashed(token)))
    if survey_id is None:
        raise missing("Survey")
    cancel_timer(session, EXPIRY, str(survey_id))
    survey, ticket = _locked(session, survey_id)
    at = now()
    survey.status = rules.answer(survey.status, survey.expires_at, at)
    survey.score, survey.comment, survey.answered_at = score, comment, at
    said = {**_facts(survey), "score": score, "comment": comment}
    emit(session, contract.SurveyAnswered, survey, said)
    _close(session, ticket, score)
    if rules.is_detractor(score):
        said["ticket_number"] = ticket.number
        emit(session, contract.CustomerDetractorFlagged, survey, said)
    return get(session, token=token)


def expire(session: Session, timer: Timer) -> None:
    """Close the ticket of a survey that nobody answered in time."""
    survey, ticket = _locked(session, UUID(timer.key))
    if survey.status == "sent":
        survey.status = "expired"
        _close(session, ticket, None)


def closing_note(score: int | None) -> str:
    """What the history says of how a ticket was closed."""
    return f"Score {score}." if score else "Nobody answered the survey."


def disarm(session: Session, ticket_id: UUID) -> None:
    """Stop the clock of the ticket's open survey, if it has one."""
    survey_id = session.scalar(_open(ticket_id).with_only_columns(Survey.id))
    if survey_id is not None:
        cancel_timer(session, EXPIRY, str(survey_id))


def void(session: Session, ticket_id: UUID) -> None:
    """Make the link of the ticket's open survey worthless, if it has one."""
    survey = session.scalars(_open(ticket_id).with_for_update()).one_or_none()
    if survey is not None:
        survey.status = "void"


def _open(ticket_id: UUID) -> Any:
    return select(Survey).where(Survey.ticket_id == ticket_id, Survey.status == "sent")


def _locked(session: Session, survey_id: UUID) -> tuple[Survey, Ticket]:
    """The survey and its ticket. Everybody locks timer, ticket, survey in this order."""
    ticket_id = session.scalars(select(Survey.ticket_id).where(Survey.id == survey_id)).one()
    # Not ``fetch`` of the ticket: a customer owns no tickets, the link is what counts.
    ticket = session.scalars(select(Ticket).where(Ticket.id == ticket_id).with_for_update()).one()
    return fetch(session, Survey, survey_id, lock=True), ticket


def _close(session: Session, ticket: Ticket, score: int | None) -> None:
    steps.step(session, ticket, "closed", closing_note(score))
    ticket.score, ticket.closed_at = score, now()
    emit(session, contract.TicketClosed, ticket, {**steps.facts(ticket), "score": score})


def _facts(survey: Survey) -> dict[str, Any]:
    return {
        "survey_id": survey.id,
        "ticket_id": survey.ticket_id,
        "customer_id": survey.customer_id,
    }


def _hashed(token: str) -> bytes:
    return sha256(token.encode()).digest()
