"""Tables of sales."""

from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Date,
    DateTime,
    ForeignKey,
    Identity,
    Index,
    MetaData,
    Sequence,
    Text,
    Uuid,
    case,
    cast,
    func,
    literal_column,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from crmkit.clock import now
from crmkit.copies import Copy
from crmkit.db import Aggregate, Scoped
from crmkit.ids import new_id
from crmkit.tables import NAMING
from services.sales import money


class Base(DeclarativeBase):
    """The tables of this service."""

    metadata = MetaData(naming_convention=NAMING)


def money_column(minor: Any, currency: Any) -> ColumnElement[Any]:
    """What ``money.shown`` makes of two values, of two columns and done by the database."""
    amount = case(
        (currency.in_(money.WHOLE), cast(minor, Text)),
        else_=cast(minor * literal_column("0.01"), Text),
    )
    return func.json_build_object("amount", amount, "currency", currency)


ORDER_COUNT = Sequence("order_count", metadata=Base.metadata)
"""Counts orders for their numbers. A transaction that fails leaves a gap, which means nothing."""


class Opportunity(Aggregate, Scoped, Base):
    """A chance to sell. ``stage`` keeps the last open stage after the end."""

    __tablename__ = "opportunity"

    customer_id: Mapped[UUID] = mapped_column(Uuid)
    title: Mapped[str] = mapped_column(Text)
    amount_minor: Mapped[int] = mapped_column(BigInteger)
    currency: Mapped[str] = mapped_column(Text)
    stage: Mapped[str] = mapped_column(Text)
    status: Mapped[str] = mapped_column(Text, default="open")
    lost_reason: Mapped[str | None] = mapped_column(Text)
    expected_on: Mapped[date | None] = mapped_column(Date)
    order_id: Mapped[UUID | None] = mapped_column(Uuid)
    closed_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))

    __table_args__ = (
        Index("ix_opportunity_created_at", "created_at", "id"),
        Index("ix_opportunity_updated_at", "updated_at", "id"),
        Index("ix_opportunity_customer_id", "customer_id", "created_at", "id"),
        Index("ix_opportunity_team_path", "team_path", "created_at", "id"),
        Index("ix_opportunity_status", "status", "stage", "created_at", "id"),
        Index("ix_opportunity_expected_on", "expected_on"),
    )


class StageEntry(Base):
    """One step of an opportunity, from its creation (``from_stage`` null) to ``won`` or ``lost``.

    Rows are added, never changed: funnels are counted from them as of any day.
    """

    __tablename__ = "stage_entry"

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    opportunity_id: Mapped[UUID] = mapped_column(ForeignKey("opportunity.id"), index=True)
    from_stage: Mapped[str | None] = mapped_column(Text)
    to_stage: Mapped[str] = mapped_column(Text)
    entered_by: Mapped[str] = mapped_column(Text)
    entered_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))


class Order(Aggregate, Scoped, Base):
    """What was sold. ``lines`` are values of the order: they are written and read with it."""

    __tablename__ = "sales_order"

    number: Mapped[str] = mapped_column(Text, unique=True)
    customer_id: Mapped[UUID] = mapped_column(Uuid)
    opportunity_id: Mapped[UUID | None] = mapped_column(ForeignKey("opportunity.id"), unique=True)
    status: Mapped[str] = mapped_column(Text, default="submitted")
    currency: Mapped[str] = mapped_column(Text)
    total_minor: Mapped[int] = mapped_column(BigInteger)
    paid_minor: Mapped[int] = mapped_column(BigInteger, default=0)
    lines: Mapped[list[dict[str, Any]]] = mapped_column(JSONB)
    payment_due_on: Mapped[date | None] = mapped_column(Date)
    submitted_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))

    __table_args__ = (
        Index("ix_sales_order_created_at", "created_at", "id"),
        Index("ix_sales_order_customer_id", "customer_id", "created_at", "id"),
        Index("ix_sales_order_team_path", "team_path", "created_at", "id"),
        Index("ix_sales_order_status", "status", "created_at", "id"),
    )


class Payment(Base):
    """Money that came in for an order, in the order's currency. Rows are added, never changed."""

    __tablename__ = "payment"

    id: Mapped[UUID] = mapped_column(Uuid, primary_key=True, default=new_id)
    order_id: Mapped[UUID] = mapped_column(ForeignKey("sales_order.id"), index=True)
    amount_minor: Mapped[int] = mapped_column(BigInteger)
    received_on: Mapped[date] = mapped_column(Date)
    reference: Mapped[str | None] = mapped_column(Text)
    recorded_by: Mapped[str] = mapped_column(Text)
    recorded_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), default=now)


class Task(Aggregate, Scoped, Base):
    """Something to do. ``survey_id`` is the survey that raised it; one survey raises one task."""

    __tablename__ = "task"

    title: Mapped[str] = mapped_column(Text)
    customer_id: Mapped[UUID | None] = mapped_column(Uuid)
    status: Mapped[str] = mapped_column(Text, default="open")
    due_on: Mapped[date | None] = mapped_column(Date)
    reason: Mapped[str | None] = mapped_column(Text)
    survey_id: Mapped[UUID | None] = mapped_column(Uuid, unique=True)

    __table_args__ = (
        Index("ix_task_created_at", "created_at", "id"),
        Index("ix_task_customer_id", "customer_id", "created_at", "id"),
        Index("ix_task_team_path", "team_path", "created_at", "id"),
        Index("ix_task_status", "status", "due_on"),
    )


class Customer(Copy, Scoped, Base):
    """A copy of a customer: the name to show, and whose the customer is."""

    __tablename__ = "customer"

    id: Mapped[UUID] = mapped_column(Uuid, primary_key=True)
    display_name: Mapped[str] = mapped_column(Text)
    language: Mapped[str] = mapped_column(Text)


class Colleague(Copy, Base):
    """A copy of a member of staff: whose team a record comes to, and in which language to write."""

    __tablename__ = "colleague"

    id: Mapped[UUID] = mapped_column(Uuid, primary_key=True)
    name: Mapped[str] = mapped_column(Text)
    language: Mapped[str] = mapped_column(Text)
    team_path: Mapped[str] = mapped_column(Text)
    active: Mapped[bool]
