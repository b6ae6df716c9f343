"""The kit's own tables, which every owner's database holds, from the outbox to what is parked.

They are Core tables: the kit reads and writes them in bulk and never as objects.
"""

from sqlalchemy import (
    BigInteger,
    Column,
    DateTime,
    Identity,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Sequence,
    SmallInteger,
    Table,
    Text,
    UniqueConstraint,
    Uuid,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

NAMING = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    "pk": "pk_%(table_name)s",
}

metadata = MetaData(naming_convention=NAMING)

_NOW = text("now()")


def _moment(name: str, *, default: bool = False, nullable: bool = False) -> Column[object]:
    return Column(
        name,
        DateTime(timezone=True),
        nullable=nullable,
        server_default=_NOW if default else None,
    )


outbox = Table(
    "outbox",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("event_id", Uuid, nullable=False, unique=True),
    Column("type", Text, nullable=False),
    Column("aggregate_id", Uuid, nullable=False),
    Column("aggregate_version", Integer, nullable=False),
    Column("payload", JSONB, nullable=False),
    Column("context", JSONB, nullable=False),
    Column("created_at", DateTime(timezone=True), nullable=False),
    Column("sequence", BigInteger),
    _moment("published_at", nullable=True),
    Column("attempts", SmallInteger, nullable=False, server_default=text("0")),
    _moment("next_at", default=True),
    Column("error", Text),
    Index("ix_outbox_waiting", "id", postgresql_where=text("published_at is null")),
    Index("ix_outbox_published_at", "published_at"),
)
"""Events that happened, in the order of ``id`` per aggregate. The relay sends and marks them."""

outbox_sequence = Sequence("outbox_sequence", metadata=metadata)
"""Positions the relay gives while publishing: an id that commits late must not be passed over."""

inbox = Table(
    "inbox",
    metadata,
    Column("consumer", Text, primary_key=True),
    Column("event_id", Uuid, primary_key=True),
    Column("status", Text, nullable=False, server_default=text("'done'")),
    Column("attempts", SmallInteger, nullable=False, server_default=text("0")),
    Column("unended", SmallInteger, nullable=False, server_default=text("0")),
    _moment("next_at", nullable=True),
    Column("error", Text),
    Column("body", JSONB),
    _moment("received_at", default=True),
    Index(
        "ix_inbox_failed",
        "next_at",
        postgresql_where=text("status = 'failed'"),
    ),
    Index("ix_inbox_received_at", "received_at"),
    Index("ix_inbox_parked", "received_at", postgresql_where=text("status = 'parked'")),
)
"""What each handler has had: ``done``, ``failed`` (tried again at ``next_at``), ``parked`` or
``discarded``. ``unended`` counts the attempts that began since one told of its end."""

command = Table(
    "command",
    metadata,
    Column("id", Text, primary_key=True),
    Column("fingerprint", Text),
    Column("result", LargeBinary, nullable=False),
    _moment("created_at", default=True),
    Index("ix_command_created_at", "created_at"),
)
"""Answers of commands that were done, so that asking twice answers the same and does nothing."""

parked_message = Table(
    "parked_message",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("queue", Text, nullable=False),
    Column("consumer", Text),
    Column("source", Text, nullable=False),
    Column("routing_key", Text, nullable=False),
    Column("sender", Text),
    Column("body", LargeBinary, nullable=False),
    Column("event_id", Uuid),
    Column("type", Text),
    Column("subject", Text),
    Column("status", Text, nullable=False, server_default=text("'parked'")),
    Column("error", Text),
    _moment("parked_at", default=True),
    Index("ix_parked_message_parked", "parked_at", postgresql_where=text("status = 'parked'")),
)
"""Messages that could not be taken from their queue (``consumer`` is its handler, or the ERP) or
that no queue wanted (both are empty then). ``status`` is ``parked`` or ``discarded``."""

timer = Table(
    "timer",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("kind", Text, nullable=False),
    Column("key", Text, nullable=False),
    _moment("due_at"),
    Column("payload", JSONB, nullable=False, server_default=text("'{}'")),
    Column("attempts", SmallInteger, nullable=False, server_default=text("0")),
    Column("error", Text),
    _moment("failed_at", nullable=True),
    UniqueConstraint("kind", "key"),
    Index("ix_timer_due_at", "due_at", postgresql_where=text("attempts < 10")),
    Index("ix_timer_dead", "due_at", postgresql_where=text("attempts >= 10")),
)
"""Things to do at a time; the row is claimed and its effect written in one transaction."""
