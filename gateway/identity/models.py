"""Tables of identity. Tokens, keys and passwords are kept as hashes only."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import (
    DateTime,
    ForeignKey,
    Index,
    LargeBinary,
    MetaData,
    SmallInteger,
    Text,
    Uuid,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from crmkit.clock import now
from crmkit.db import Aggregate
from crmkit.ids import new_id
from crmkit.tables import NAMING


class Base(DeclarativeBase):
    """The gateway's tables."""

    metadata = MetaData(naming_convention=NAMING)


class Team(Aggregate, Base):
    """A node of the company's tree. ``path`` ends with a slash and never changes."""

    __tablename__ = "team"

    parent_id: Mapped[UUID | None] = mapped_column(Uuid, ForeignKey("team.id"), index=True)
    name: Mapped[str] = mapped_column(Text)
    path: Mapped[str] = mapped_column(Text, unique=True)


class Staff(Aggregate, Base):
    """A person who works here. ``email`` is in lower case; ``team_path`` is that of the team."""

    __tablename__ = "staff"

    name: Mapped[str] = mapped_column(Text)
    email: Mapped[str] = mapped_column(Text, unique=True)
    language: Mapped[str] = mapped_column(Text)
    team_id: Mapped[UUID] = mapped_column(Uuid, ForeignKey("team.id"), index=True)
    team_path: Mapped[str] = mapped_column(Text)
    roles: Mapped[list[str]] = mapped_column(ARRAY(Text))
    capacity: Mapped[int] = mapped_column(default=20)
    active: Mapped[bool] = mapped_column(default=True)
    password_hash: Mapped[str | None] = mapped_column(Text)


class Role(Aggregate, Base):
    """A role the company defined; those of ``rules.ROLES`` are not kept here."""

    __tablename__ = "role"

    name: Mapped[str] = mapped_column(Text, unique=True)
    permissions: Mapped[list[str]] = mapped_column(ARRAY(Text))
    scope: Mapped[str] = mapped_column(Text)


class LoginSession(Base):
    """A login and all tokens that came of it, a token family.

    ``family_hash`` is of the part of the refresh token that stays, ``refresh_hash`` of the part
    that each refresh replaces: who shows the first with a spent second held the session once.
    """

    __tablename__ = "login_session"
    __table_args__ = (
        Index("ix_login_session_open", "staff_id", postgresql_where=text("ended_at is null")),
    )

    id: Mapped[UUID] = mapped_column(Uuid, primary_key=True, default=new_id)
    staff_id: Mapped[UUID] = mapped_column(Uuid, ForeignKey("staff.id"))
    access_hash: Mapped[bytes] = mapped_column(LargeBinary, unique=True)
    access_expires_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    family_hash: Mapped[bytes] = mapped_column(LargeBinary, unique=True)
    refresh_hash: Mapped[bytes] = mapped_column(LargeBinary)
    refresh_expires_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    ends_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    address: Mapped[str] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), default=now)
    ended_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    end_reason: Mapped[str | None] = mapped_column(Text)


class LoginFailure(Base):
    """Wrong passwords in a row for one account from one address; ``key`` is a hash of both."""

    __tablename__ = "login_failure"

    key: Mapped[bytes] = mapped_column(LargeBinary, primary_key=True)
    count: Mapped[int] = mapped_column(SmallInteger, default=0)
    last_at: Mapped[datetime] = mapped_column(
        DateTime(timezone=True), default=now, server_default=func.now(), index=True
    )


class ApiKey(Aggregate, Base):
    """The key of another system. ``scopes`` are permissions, held for all records."""

    __tablename__ = "api_key"

    name: Mapped[str] = mapped_column(Text)
    secret_hash: Mapped[bytes] = mapped_column(LargeBinary, unique=True)
    scopes: Mapped[list[str]] = mapped_column(ARRAY(Text))
    expires_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    revoked_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    last_used_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
