"""Tables of notifications."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import (
    DateTime,
    ForeignKey,
    Index,
    LargeBinary,
    MetaData,
    Text,
    UniqueConstraint,
    Uuid,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from crmkit.clock import now
from crmkit.copies import Copy
from crmkit.db import Aggregate, Scoped
from crmkit.ids import new_id
from crmkit.tables import NAMING

_AT = DateTime(timezone=True)


class Base(DeclarativeBase):
    """The tables of this service."""

    metadata = MetaData(naming_convention=NAMING)


class Content(Base):
    """A text of a campaign in one language, kept once for all who get it and never changed."""

    __tablename__ = "content"

    id: Mapped[UUID] = mapped_column(Uuid, primary_key=True, default=new_id)
    campaign_id: Mapped[UUID] = mapped_column(Uuid)
    channel: Mapped[str] = mapped_column(Text)
    language: Mapped[str] = mapped_column(Text)
    subject: Mapped[str] = mapped_column(Text)
    body: Mapped[str] = mapped_column(Text)
    digest: Mapped[bytes] = mapped_column(LargeBinary)

    __table_args__ = (UniqueConstraint("campaign_id", "channel", "language", "digest"),)


class Message(Aggregate, Base):
    """The ledger: one message to one address, in exactly one status.

    ``dedupe_key`` makes asking twice harmless. ``lane`` is where it queues. The text is in
    ``body``, or in ``content`` when a campaign says the same to many. A message being sent belongs
    to the sender ``claimed_by`` until ``lease_until``.
    """

    __tablename__ = "message"

    dedupe_key: Mapped[str] = mapped_column(Text, unique=True)
    purpose: Mapped[str] = mapped_column(Text)
    channel: Mapped[str] = mapped_column(Text)
    lane: Mapped[str] = mapped_column(Text)
    template: Mapped[str] = mapped_column(Text)
    customer_id: Mapped[UUID | None] = mapped_column(Uuid)
    staff_id: Mapped[UUID | None] = mapped_column(Uuid)
    campaign_id: Mapped[UUID | None] = mapped_column(Uuid)
    recipient_id: Mapped[UUID | None] = mapped_column(Uuid)
    batch_id: Mapped[UUID | None] = mapped_column(Uuid)
    content_id: Mapped[UUID | None] = mapped_column(ForeignKey("content.id"))
    language: Mapped[str] = mapped_column(Text)
    name: Mapped[str] = mapped_column(Text)
    address: Mapped[str] = mapped_column(Text)
    subject: Mapped[str | None] = mapped_column(Text)
    body: Mapped[str | None] = mapped_column(Text)
    status: Mapped[str] = mapped_column(Text)
    reason: Mapped[str | None] = mapped_column(Text)
    attempts: Mapped[int] = mapped_column(default=0)
    next_at: Mapped[datetime] = mapped_column(_AT, default=now)
    claimed_by: Mapped[UUID | None] = mapped_column(Uuid)
    lease_until: Mapped[datetime | None] = mapped_column(_AT)
    sent_at: Mapped[datetime | None] = mapped_column(_AT)

    __table_args__ = (
        Index("ix_message_queued", "lane", "next_at", postgresql_where=text("status = 'queued'")),
        Index("ix_message_leased", "lease_until", postgresql_where=text("status = 'sending'")),
        Index("ix_message_created_at", "created_at", "id"),
        Index("ix_message_customer_id", "customer_id", "created_at", "id"),
        Index("ix_message_staff_id", "staff_id", postgresql_where=text("staff_id is not null")),
        Index(
            "ix_message_campaign_id",
            "campaign_id",
            "created_at",
            "id",
            postgresql_where=text("campaign_id is not null"),
        ),
        Index(
            "ix_message_unsent",
            "status",
            "created_at",
            "id",
            postgresql_where=text("status not in ('sent', 'delivered', 'sending')"),
        ),
    )


class Part(Base):
    """What a provider calls one part of a text message, and what it said became of it."""

    __tablename__ = "part"

    provider_id: Mapped[str] = mapped_column(Text, primary_key=True)
    message_id: Mapped[UUID] = mapped_column(ForeignKey("message.id"), index=True)
    state: Mapped[str | None] = mapped_column(Text)
    reason: Mapped[str | None] = mapped_column(Text)


class Receipt(Base):
    """A provider's word on a part, kept until the part is known: it may come before its id does."""

    __tablename__ = "receipt"

    id: Mapped[UUID] = mapped_column(Uuid, primary_key=True, default=new_id)
    provider_id: Mapped[str] = mapped_column(Text, index=True)
    state: Mapped[str] = mapped_column(Text)
    reason: Mapped[str | None] = mapped_column(Text)
    received_at: Mapped[datetime] = mapped_column(_AT, default=now)


class Report(Aggregate, Base):
    """One announcement of what became of a batch of a campaign's messages."""

    __tablename__ = "report"

    campaign_id: Mapped[UUID] = mapped_column(Uuid)
    size: Mapped[int]


class Campaign(Copy, Base):
    """A copy of whether a campaign is ``running``, ``paused`` or ``cancelled``."""

    __tablename__ = "campaign"

    id: Mapped[UUID] = mapped_column(Uuid, primary_key=True)
    state: Mapped[str] = mapped_column(Text, default="running")


class Reminder(Aggregate, Scoped, Base):
    """Something not to be missed. ``first_at`` is where a yearly one began.

    ``next_id`` is the one that follows a yearly one, so that a snooze does not breed a second.
    """

    __tablename__ = "reminder"

    kind: Mapped[str] = mapped_column(Text)
    title: Mapped[str] = mapped_column(Text)
    note: Mapped[str | None] = mapped_column(Text)
    subject_type: Mapped[str | None] = mapped_column(Text)
    subject_id: Mapped[UUID | None] = mapped_column(Uuid)
    due_at: Mapped[datetime] = mapped_column(_AT)
    first_at: Mapped[datetime] = mapped_column(_AT)
    time_zone: Mapped[str] = mapped_column(Text)
    repeats: Mapped[str] = mapped_column(Text)
    next_id: Mapped[UUID | None] = mapped_column(Uuid)
    status: Mapped[str] = mapped_column(Text, default="armed")
    fired_at: Mapped[datetime | None] = mapped_column(_AT)
    resolved_by: Mapped[str | None] = mapped_column(Text)

    __table_args__ = (
        Index("ix_reminder_due_at", "due_at", "id"),
        Index("ix_reminder_created_at", "created_at", "id"),
        Index("ix_reminder_owner_due_at", "owner_id", "due_at", "id"),
        Index("ix_reminder_status", "status", "due_at", "id"),
        Index("ix_reminder_team_path", "team_path", "due_at", "id"),
        Index("ix_reminder_subject_id", "subject_id", "due_at", "id"),
    )


class InboxItem(Aggregate, Base):
    """An entry in the in-app inbox of the member of staff ``owner_id``."""

    __tablename__ = "inbox_item"

    owner_id: Mapped[UUID] = mapped_column(Uuid)
    kind: Mapped[str] = mapped_column(Text)
    title: Mapped[str] = mapped_column(Text)
    body: Mapped[str | None] = mapped_column(Text)
    reminder_id: Mapped[UUID | None] = mapped_column(Uuid)
    subject_type: Mapped[str | None] = mapped_column(Text)
    subject_id: Mapped[UUID | None] = mapped_column(Uuid)
    read_at: Mapped[datetime | None] = mapped_column(_AT)

    __table_args__ = (
        Index("ix_inbox_item_owner_id", "owner_id", "created_at", "id"),
        Index(
            "ix_inbox_item_unread",
            "owner_id",
            "created_at",
            "id",
            postgresql_where=text("read_at is null"),
        ),
    )


class Unsubscription(Aggregate, Base):
    """A customer's word by the link in a message that they want no more advertising.

    Until ``confirmed_at``, when the customer's own facts say so, it counts beside them.
    ``customer_version`` is as of which event we knew the customer when it came.
    """

    __tablename__ = "unsubscription"

    customer_id: Mapped[UUID] = mapped_column(Uuid)
    channel: Mapped[str] = mapped_column(Text)
    message_id: Mapped[UUID] = mapped_column(Uuid)
    customer_version: Mapped[int]
    confirmed_at: Mapped[datetime | None] = mapped_column(_AT)

    __table_args__ = (
        Index("ix_unsubscription_customer_id", "customer_id", "channel"),
        Index(
            "ix_unsubscription_open",
            "customer_id",
            "channel",
            unique=True,
            postgresql_where=text("confirmed_at is null"),
        ),
    )


class Customer(Copy, Scoped, Base):
    """A copy of a customer: how to reach them, in what language, and what they agreed to.

    ``detractor`` comes from the service desk: so discontent that advertising would do harm.
    """

    __tablename__ = "customer"

    id: Mapped[UUID] = mapped_column(Uuid, primary_key=True)
    kind: Mapped[str] = mapped_column(Text)
    name: Mapped[str] = mapped_column(Text)
    language: Mapped[str] = mapped_column(Text)
    country: Mapped[str] = mapped_column(Text)
    email: Mapped[str | None] = mapped_column(Text)
    mobile: Mapped[str | None] = mapped_column(Text)
    consents: Mapped[list[str]] = mapped_column(ARRAY(Text))
    detractor: Mapped[bool] = mapped_column(default=False)


class Colleague(Copy, Base):
    """A copy of a member of staff: how to reach them, and where they work."""

    __tablename__ = "colleague"

    id: Mapped[UUID] = mapped_column(Uuid, primary_key=True)
    name: Mapped[str] = mapped_column(Text)
    email: Mapped[str] = mapped_column(Text)
    language: Mapped[str] = mapped_column(Text)
    team_path: Mapped[str] = mapped_column(Text)
    active: Mapped[bool]
