"""Tables of identity. Tokens, keys, codes and passwords are kept as hashes only.

The secret of a second factor must be computed with and is therefore sealed (``gateway.keys``).
"""

from datetime import datetime
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    DateTime,
    ForeignKey,
    Index,
    LargeBinary,
    MetaData,
    SmallInteger,
    Text,
    UniqueConstraint,
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
        Index("ix_login_session_address", "staff_id", "address"),
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
    method: Mapped[str] = mapped_column(Text, server_default=text("'password'"))
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), default=now)
    renewed_at: Mapped[datetime] = mapped_column(
        DateTime(timezone=True), default=now, server_default=func.now()
    )
    ended_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    end_reason: Mapped[str | None] = mapped_column(Text)


class LoginFailure(Base):
    """Attempts that failed, by a hash of what is counted: account, address, or both together."""

    __tablename__ = "login_failure"

    key: Mapped[bytes] = mapped_column(LargeBinary, primary_key=True)
    count: Mapped[int] = mapped_column(SmallInteger, default=0)
    last_at: Mapped[datetime] = mapped_column(
        DateTime(timezone=True), default=now, server_default=func.now(), index=True
    )
    began_at: Mapped[datetime] = mapped_column(
        DateTime(timezone=True), default=now, server_default=func.now()
    )


class SecondFactor(Base):
    """The TOTP secret of a member of staff; it counts once a code has confirmed it.

    ``last_step`` is the time step of the newest code that was taken: no code is taken twice.
    """

    __tablename__ = "second_factor"

    staff_id: Mapped[UUID] = mapped_column(Uuid, ForeignKey("staff.id"), primary_key=True)
    secret: Mapped[str] = mapped_column(Text)
    confirmed_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    last_step: Mapped[int] = mapped_column(BigInteger, default=0)
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), default=now)


class RecoveryCode(Base):
    """A code that stands in for the second factor once. Random, so a plain hash is enough."""

    __tablename__ = "recovery_code"

    code_hash: Mapped[bytes] = mapped_column(LargeBinary, primary_key=True)
    staff_id: Mapped[UUID] = mapped_column(Uuid, ForeignKey("staff.id"), index=True)


class LoginChallenge(Base):
    """A login that still needs its second factor. ``method`` is what it has passed already."""

    __tablename__ = "login_challenge"

    token_hash: Mapped[bytes] = mapped_column(LargeBinary, primary_key=True)
    staff_id: Mapped[UUID] = mapped_column(Uuid, ForeignKey("staff.id"))
    method: Mapped[str] = mapped_column(Text)
    expires_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), index=True)


class OidcLogin(Base):
    """A login that is away at the OpenID provider; its row goes when it comes back."""

    __tablename__ = "oidc_login"

    state_hash: Mapped[bytes] = mapped_column(LargeBinary, primary_key=True)
    binding_hash: Mapped[bytes] = mapped_column(LargeBinary)
    nonce: Mapped[str] = mapped_column(Text)
    verifier: Mapped[str] = mapped_column(Text)
    expires_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), index=True)


class StaffIdentity(Base):
    """Who an OpenID provider's subject is here. An e-mail address never identifies anybody."""

    __tablename__ = "staff_identity"
    __table_args__ = (UniqueConstraint("issuer", "subject"),)

    id: Mapped[UUID] = mapped_column(Uuid, primary_key=True, default=new_id)
    staff_id: Mapped[UUID] = mapped_column(Uuid, ForeignKey("staff.id"), index=True)
    issuer: Mapped[str] = mapped_column(Text)
    subject: Mapped[str] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), default=now)


class UnlinkedIdentity(Base):
    """An identity that was taken from somebody: no e-mail address links it again, only a colleague.

    Beside the identities and not a mark on them, so that no reader of those can overlook it: nor
    does the release before this one, to which one may go back.
    """

    __tablename__ = "unlinked_identity"

    issuer: Mapped[str] = mapped_column(Text, primary_key=True)
    subject: Mapped[str] = mapped_column(Text, primary_key=True)
    unlinked_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), default=now)


class ApiKey(Aggregate, Base):
    """The key of another system. ``scopes`` are permissions, held for all records.

    ``networks`` are those it may come from, any when there are none. While its secret is replaced,
    ``previous_hash`` is of the one before, which works until ``previous_ends_at``.
    """

    __tablename__ = "api_key"

    name: Mapped[str] = mapped_column(Text)
    secret_hash: Mapped[bytes] = mapped_column(LargeBinary, unique=True)
    scopes: Mapped[list[str]] = mapped_column(ARRAY(Text))
    expires_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    revoked_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    last_used_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    networks: Mapped[list[str]] = mapped_column(ARRAY(Text), server_default=text("'{}'"))
    previous_hash: Mapped[bytes | None] = mapped_column(LargeBinary, unique=True)
    previous_ends_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
