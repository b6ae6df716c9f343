"""Tables of customers."""

from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Date, DateTime, ForeignKey, Index, MetaData, Text, Uuid
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from crmkit.clock import now
from crmkit.copies import Copy
from crmkit.db import Aggregate, Scoped
from crmkit.ids import new_id
from crmkit.rights import ONLY_ADDED
from crmkit.tables import NAMING


class Base(DeclarativeBase):
    """The tables of this service."""

    metadata = MetaData(naming_convention=NAMING)


# Checked at the end of the transaction, so the order in which rows are written does not matter.
def _customer() -> ForeignKey:
    return ForeignKey("customer.id", deferrable=True, initially="DEFERRED")


class Customer(Aggregate, Scoped, Base):
    """A person or an organisation.

    ``contact_points`` and ``consents`` are values of the customer: they are read and replaced with
    it. ``email`` and ``phone`` repeat the primary ones for lists. ``search_keys`` and
    ``search_text`` are derived by ``names`` and only there to find the customer.
    """

    __tablename__ = "customer"

    kind: Mapped[str] = mapped_column(Text)
    name: Mapped[dict[str, Any]] = mapped_column(JSONB)
    display_name: Mapped[str] = mapped_column(Text)
    reading: Mapped[str | None] = mapped_column(Text)
    language: Mapped[str] = mapped_column(Text)
    country: Mapped[str] = mapped_column(Text)
    city: Mapped[str | None] = mapped_column(Text)
    industry: Mapped[str | None] = mapped_column(Text)
    birthday: Mapped[date | None] = mapped_column(Date)
    source: Mapped[str | None] = mapped_column(Text)
    tags: Mapped[list[str]] = mapped_column(ARRAY(Text), default=list)
    email: Mapped[str | None] = mapped_column(Text)
    phone: Mapped[str | None] = mapped_column(Text)
    contact_points: Mapped[list[dict[str, Any]]] = mapped_column(JSONB, default=list)
    consents: Mapped[list[dict[str, Any]]] = mapped_column(JSONB, default=list)
    lifecycle_stage: Mapped[str] = mapped_column(Text, default="suspect")
    orders_count: Mapped[int] = mapped_column(default=0)
    search_keys: Mapped[list[str]] = mapped_column(ARRAY(Text))
    search_text: Mapped[str] = mapped_column(Text)

    __table_args__ = (
        Index("ix_customer_search_keys", "search_keys", postgresql_using="gin"),
        Index("ix_customer_created_at", "created_at", "id"),
        Index("ix_customer_updated_at", "updated_at", "id"),
        Index("ix_customer_display_name", "display_name", "id"),
        Index("ix_customer_lifecycle_stage", "lifecycle_stage", "created_at", "id"),
        Index("ix_customer_country", "country", "created_at", "id"),
        Index("ix_customer_language", "language", "created_at", "id"),
        Index("ix_customer_kind", "kind", "created_at", "id"),
        Index("ix_customer_team_path", "team_path", "created_at", "id"),
    )


class ConsentEntry(Base):
    """One line of the consent ledger. Lines are added, never changed."""

    __tablename__ = "consent_entry"
    __table_args__ = {"info": {ONLY_ADDED: True}}

    id: Mapped[UUID] = mapped_column(Uuid, primary_key=True, default=new_id)
    customer_id: Mapped[UUID] = mapped_column(_customer(), index=True)
    channel: Mapped[str] = mapped_column(Text)
    purpose: Mapped[str] = mapped_column(Text)
    granted: Mapped[bool]
    source: Mapped[str] = mapped_column(Text)
    proof: Mapped[str] = mapped_column(Text)
    recorded_by: Mapped[str] = mapped_column(Text)
    recorded_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), default=now)


class LifecycleEntry(Base):
    """One step of a customer's life cycle, with what caused it."""

    __tablename__ = "lifecycle_entry"

    id: Mapped[UUID] = mapped_column(Uuid, primary_key=True, default=new_id)
    customer_id: Mapped[UUID] = mapped_column(_customer(), index=True)
    from_stage: Mapped[str] = mapped_column(Text)
    to_stage: Mapped[str] = mapped_column(Text)
    cause: Mapped[str] = mapped_column(Text)
    at: Mapped[datetime] = mapped_column(DateTime(timezone=True), default=now)


class Colleague(Copy, Base):
    """A copy of a member of staff: enough to know whose team a customer comes to."""

    __tablename__ = "colleague"

    id: Mapped[UUID] = mapped_column(Uuid, primary_key=True)
    name: Mapped[str] = mapped_column(Text)
    team_path: Mapped[str] = mapped_column(Text)
    active: Mapped[bool]
