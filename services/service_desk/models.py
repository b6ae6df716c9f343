"""Tables of the service desk."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    DateTime,
    ForeignKey,
    Identity,
    Index,
    LargeBinary,
    MetaData,
    Sequence,
    Text,
    Uuid,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from crmkit.clock import now
from crmkit.copies import Copy
from crmkit.db import Aggregate, Scoped
from crmkit.tables import NAMING


class Base(DeclarativeBase):
    """The tables of this service."""

    metadata = MetaData(naming_convention=NAMING)


ticket_numbers = Sequence("ticket_number", metadata=Base.metadata)
"""Where ticket numbers come from. A transaction that fails leaves a gap."""


class Ticket(Aggregate, Scoped, Base):
    """A piece of service work.

    ``owner_id`` is the agent it is assigned to and ``team_path`` that agent's team, or the
    customer's while nobody has it.
    """

    __tablename__ = "ticket"

    # Less the index that Scoped has: ``ix_ticket_owner_created`` begins with it.
    owner_id: Mapped[UUID | None] = mapped_column(Uuid)
    number: Mapped[str] = mapped_column(Text, unique=True)
    customer_id: Mapped[UUID] = mapped_column(Uuid)
    subject: Mapped[str] = mapped_column(Text)
    body: Mapped[str] = mapped_column(Text)
    priority: Mapped[str] = mapped_column(Text)
    status: Mapped[str] = mapped_column(Text, default="new")
    outcome: Mapped[str | None] = mapped_column(Text)
    score: Mapped[int | None]
    resolved_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    closed_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))

    __table_args__ = (
        Index("ix_ticket_created_at", "created_at", "id"),
        Index("ix_ticket_updated_at", "updated_at", "id"),
        Index("ix_ticket_customer_id", "customer_id", "created_at", "id"),
        Index("ix_ticket_owner_created", "owner_id", "created_at", "id"),
        Index("ix_ticket_status", "status", "created_at", "id"),
        Index("ix_ticket_priority", "priority", "created_at", "id"),
        Index("ix_ticket_team_path", "team_path", "created_at", "id"),
    )


class TicketHistory(Base):
    """One step of a ticket. Steps are added, never changed."""

    __tablename__ = "ticket_history"

    # A number, since two steps of one moment must stay in their order.
    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    ticket_id: Mapped[UUID] = mapped_column(ForeignKey("ticket.id"))
    from_status: Mapped[str | None] = mapped_column(Text)
    to_status: Mapped[str] = mapped_column(Text)
    by: Mapped[str] = mapped_column(Text)
    at: Mapped[datetime] = mapped_column(DateTime(timezone=True), default=now)
    note: Mapped[str] = mapped_column(Text, default="")

    __table_args__ = (Index("ix_ticket_history_ticket_id", "ticket_id", "id"),)


class Feedback(Aggregate, Scoped, Base):
    """What a customer had to say. It belongs to whoever had the customer then."""

    __tablename__ = "feedback"

    customer_id: Mapped[UUID] = mapped_column(Uuid)
    kind: Mapped[str] = mapped_column(Text)
    channel: Mapped[str] = mapped_column(Text)
    subject: Mapped[str] = mapped_column(Text)
    body: Mapped[str] = mapped_column(Text)
    status: Mapped[str] = mapped_column(Text)
    ticket_id: Mapped[UUID | None] = mapped_column(ForeignKey("ticket.id"), index=True)

    __table_args__ = (
        Index("ix_feedback_created_at", "created_at", "id"),
        Index("ix_feedback_customer_id", "customer_id", "created_at", "id"),
        Index("ix_feedback_kind", "kind", "created_at", "id"),
        Index("ix_feedback_status", "status", "created_at", "id"),
        Index("ix_feedback_team_path", "team_path", "created_at", "id"),
    )


class Survey(Aggregate, Base):
    """A question to a customer about one ticket: sent, answered, expired or void.

    The secret of its link is not here, only the SHA-256 of it: a stolen copy of this table
    answers no survey. A ticket has one open survey at most.
    """

    __tablename__ = "survey"

    ticket_id: Mapped[UUID] = mapped_column(ForeignKey("ticket.id"), index=True)
    customer_id: Mapped[UUID] = mapped_column(Uuid)
    token_sha256: Mapped[bytes] = mapped_column(LargeBinary, unique=True)
    status: Mapped[str] = mapped_column(Text, default="sent")
    expires_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    score: Mapped[int | None]
    comment: Mapped[str] = mapped_column(Text, default="")
    answered_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))

    __table_args__ = (
        Index("uq_survey_open", "ticket_id", unique=True, postgresql_where=text("status = 'sent'")),
    )


class Customer(Copy, Scoped, Base):
    """A copy of a customer: whose it is and how to speak with them."""

    __tablename__ = "customer"

    id: Mapped[UUID] = mapped_column(Uuid, primary_key=True)
    name: Mapped[str] = mapped_column(Text)
    language: Mapped[str] = mapped_column(Text)


class Colleague(Copy, Base):
    """A copy of a member of staff, and how many open tickets they have here.

    ``open_tickets`` and ``last_assigned_at`` are this service's own facts; events leave them be.
    """

    __tablename__ = "colleague"

    id: Mapped[UUID] = mapped_column(Uuid, primary_key=True)
    name: Mapped[str] = mapped_column(Text)
    team_path: Mapped[str] = mapped_column(Text)
    roles: Mapped[list[str]] = mapped_column(ARRAY(Text))
    capacity: Mapped[int]
    active: Mapped[bool]
    open_tickets: Mapped[int] = mapped_column(default=0)
    last_assigned_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
