"""Tables of marketing."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import (
    CheckConstraint,
    DateTime,
    ForeignKey,
    Index,
    MetaData,
    Text,
    UniqueConstraint,
    Uuid,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from crmkit.copies import Copy
from crmkit.db import Aggregate, Scoped
from crmkit.ids import new_id
from crmkit.tables import NAMING
from services.marketing import rules


class Base(DeclarativeBase):
    """The tables of this service."""

    metadata = MetaData(naming_convention=NAMING)


class Campaign(Aggregate, Scoped, Base):
    """One piece of marketing to many.

    ``launcher`` is who launched it, with the scope they had: it bounds the audience.
    ``audience_size`` repeats the sum over the batches for lists.
    """

    __tablename__ = "campaign"

    name: Mapped[str] = mapped_column(Text)
    channels: Mapped[list[str]] = mapped_column(ARRAY(Text))
    audience: Mapped[dict[str, Any]] = mapped_column(JSONB)
    contents: Mapped[list[dict[str, Any]]] = mapped_column(JSONB)
    default_language: Mapped[str] = mapped_column(Text)
    status: Mapped[str] = mapped_column(Text, default="draft")
    launcher: Mapped[dict[str, Any] | None] = mapped_column(JSONB)
    audience_size: Mapped[int] = mapped_column(default=0)
    launched_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    completed_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))

    __table_args__ = (
        Index("ix_campaign_created_at", "created_at", "id"),
        Index("ix_campaign_status", "status", "created_at", "id"),
        Index("ix_campaign_team_path", "team_path", "created_at", "id"),
    )


class Batch(Base):
    """At most 500 recipients of one channel, handed over together, and how many are in each state.

    Those suppressed while freezing are a batch of their own, of any size. The states of a campaign
    are the sums of its batches: 2,000 rows for a million recipients. A change of recipients and
    of the counts is one transaction, and the check constraint keeps them adding up.
    """

    __tablename__ = "batch"

    id: Mapped[UUID] = mapped_column(Uuid, primary_key=True, default=new_id)
    event_number: Mapped[int] = mapped_column(default=0)
    campaign_id: Mapped[UUID] = mapped_column(ForeignKey("campaign.id"))
    number: Mapped[int]
    channel: Mapped[str] = mapped_column(Text)
    handed_off_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    size: Mapped[int]
    suppressed: Mapped[int] = mapped_column(default=0)
    queued: Mapped[int] = mapped_column(default=0)
    handed_off: Mapped[int] = mapped_column(default=0)
    accepted: Mapped[int] = mapped_column(default=0)
    delivered: Mapped[int] = mapped_column(default=0)
    bounced: Mapped[int] = mapped_column(default=0)
    failed: Mapped[int] = mapped_column(default=0)
    expired: Mapped[int] = mapped_column(default=0)
    unknown: Mapped[int] = mapped_column(default=0)
    cancelled: Mapped[int] = mapped_column(default=0)

    __table_args__ = (
        UniqueConstraint("campaign_id", "number"),
        CheckConstraint(f"size = {' + '.join(rules.COUNTED)}", name="adds_up"),
        Index("ix_batch_queued", "campaign_id", "number", postgresql_where=text("queued > 0")),
        Index("ix_batch_outstanding", "campaign_id", postgresql_where=text("handed_off > 0")),
        {"postgresql_with": {"fillfactor": "50"}},
    )


class Recipient(Base):
    """One customer on one channel of one campaign: frozen but for state and reason.

    No foreign keys: the freeze and nothing else adds rows, and two look-ups for each of a million
    would also hold the campaign's row for as long. State stands in no index, so that an update
    stays in its page.
    """

    __tablename__ = "recipient"

    id: Mapped[UUID] = mapped_column(Uuid, primary_key=True)
    campaign_id: Mapped[UUID] = mapped_column(Uuid)
    customer_id: Mapped[UUID] = mapped_column(Uuid)
    channel: Mapped[str] = mapped_column(Text)
    language: Mapped[str] = mapped_column(Text)
    state: Mapped[str] = mapped_column(Text)
    reason: Mapped[str | None] = mapped_column(Text)
    batch_no: Mapped[int]
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    updated_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))

    __table_args__ = (
        UniqueConstraint("campaign_id", "customer_id", "channel"),
        Index("ix_recipient_batch_no", "campaign_id", "batch_no"),
        Index("ix_recipient_campaign_id", "campaign_id", "id"),
        Index("ix_recipient_customer_id", "customer_id", "id"),
        {"postgresql_with": {"fillfactor": "80"}},
    )


class Customer(Copy, Scoped, Base):
    """A copy of a customer. ``consents`` lists the channels open to marketing.

    ``detractor`` comes from the service desk: so discontent that advertising would do harm.
    """

    __tablename__ = "customer"

    id: Mapped[UUID] = mapped_column(Uuid, primary_key=True)
    display_name: Mapped[str] = mapped_column(Text)
    kind: Mapped[str] = mapped_column(Text)
    language: Mapped[str] = mapped_column(Text)
    country: Mapped[str] = mapped_column(Text)
    lifecycle_stage: Mapped[str] = mapped_column(Text)
    tags: Mapped[list[str]] = mapped_column(ARRAY(Text))
    email: Mapped[str | None] = mapped_column(Text)
    mobile: Mapped[str | None] = mapped_column(Text)
    consents: Mapped[list[str]] = mapped_column(ARRAY(Text))
    detractor: Mapped[bool] = mapped_column(default=False)

    __table_args__ = (Index("ix_customer_tags", "tags", postgresql_using="gin"),)
