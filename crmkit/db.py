"""One owner's database: sessions, transactions, and doing a command or an event exactly once."""

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any, Protocol, TypeVar, cast
from uuid import UUID

from sqlalchemy import (
    ColumnElement,
    Connection,
    DateTime,
    Engine,
    Select,
    Text,
    Uuid,
    create_engine,
    exc,
    false,
    func,
    or_,
    select,
    text,
    true,
)
from sqlalchemy.orm import Mapped, Session, declared_attr, mapped_column
from sqlalchemy.orm.exc import StaleDataError

from crmkit import codec, errors
from crmkit.clock import now
from crmkit.context import NOBODY, Actor, Context
from crmkit.copies import Copy
from crmkit.dsn import GONE_SOON
from crmkit.ids import is_recent, new_id
from crmkit.inbox import Note
from crmkit.messages import Envelope
from crmkit.timers import TAKE, Timer

log = logging.getLogger(__name__)

Result = TypeVar("Result")
UseCase = Callable[..., Any]

_ATTEMPTS = 3
PURGE_ROWS = 5000


class Aggregate:
    """Columns of a root that changes as one: ``version`` makes its ETag and guards every update.

    ``event_number`` counts the events it has announced, so that consumers can see a loss.
    """

    id: Mapped[UUID] = mapped_column(Uuid, primary_key=True, default=new_id)
    version: Mapped[int] = mapped_column(default=1)
    event_number: Mapped[int] = mapped_column(default=0)
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), default=now)
    updated_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), default=now, onupdate=now)

    @declared_attr.directive
    def __mapper_args__(cls) -> dict[str, Any]:  # noqa: N805 - SQLAlchemy hands in the class
        return {"version_id_col": cls.version}


class Scoped:
    """Columns that say whose a record is: a member of staff and a place in the tree of teams."""

    owner_id: Mapped[UUID | None] = mapped_column(Uuid, index=True)
    team_path: Mapped[str] = mapped_column(Text, default="/")


def actor(session: Session) -> Actor:
    """Who asks in this session."""
    return context(session).actor


def context(session: Session) -> Context:
    """The request this session works for."""
    found: Context = session.info["context"]
    return found


def visible(session: Session, model: Any) -> ColumnElement[bool]:
    """What the actor may see of a scoped table, as one predicate for every read and write.

    own: rows the actor owns · team: rows of the actor's team · subtree: of the team and all below
    it · all: every row.
    """
    who = actor(session)
    if who.scope == "all":
        return true()
    # Without an id nothing is one's own: ``= null`` would become ``is null``, all that nobody owns.
    mine: ColumnElement[bool] = false() if who.id is None else model.owner_id == who.id
    if who.scope == "own":
        return mine
    if who.scope == "team":
        return or_(mine, model.team_path == who.team_path)
    # A path ends with a slash, so a prefix is a place in the tree. starts_with needs no escaping.
    return or_(mine, func.starts_with(model.team_path, who.team_path))


class _HasId(Protocol):
    id: Any


Row = TypeVar("Row", bound=_HasId)


def fetch(
    session: Session,
    model: type[Row],
    identity: UUID,
    *,
    lock: bool = False,
    if_match: int | None = None,
) -> Row:
    """The record of that id within the actor's scope; NotFound otherwise.

    ``lock`` keeps others from changing it until this transaction ends. ``if_match`` is the version
    the caller saw: Conflict ``stale_version`` when the record has moved on.
    """
    query = select(model).where(model.id == identity)
    if issubclass(model, Scoped):
        query = query.where(visible(session, model))
    if lock:
        query = query.with_for_update()
    row = session.scalars(query).one_or_none()
    if row is None:
        refusal = missing(model.__name__)
        refusal.may_come = issubclass(model, Copy) and is_recent(identity)
        raise refusal
    if if_match is not None and if_match != row.version:  # type: ignore[attr-defined]
        raise errors.stale(if_match, row.version)  # type: ignore[attr-defined]
    return row


def select_named(columns: Mapping[str, ColumnElement[Any]]) -> Select[Any]:
    """A select of the columns under these names.

    To be made once, beside the columns: building it costs as much as a small query.
    """
    return select(*(column.label(name) for name, column in columns.items()))


def one(session: Session, query: Any, noun: str) -> dict[str, Any]:
    """The single row of a column query as a dictionary; NotFound when there is none."""
    row = session.execute(query).mappings().one_or_none()
    if row is None:
        raise missing(noun)
    return dict(row)


def missing(noun: str) -> errors.NotFound:
    """The refusal that names what is not there."""
    word = "".join(f"_{c.lower()}" if c.isupper() else c for c in noun).strip("_")
    spoken = word.replace("_", " ")
    return errors.NotFound(f"{word}_not_found", f"There is no such {spoken}.")


@dataclass(frozen=True, slots=True)
class Encoded:
    """An answer already in JSON. ``replayed``: it was stored by an earlier ask of the same key."""

    body: bytes
    version: int | None = None
    replayed: bool = False


def encode(result: Any) -> Encoded:
    """The answer as it travels; its version, when it has one, becomes the ETag."""
    version = result.get("version") if isinstance(result, Mapping) else None
    return Encoded(codec.dumps(result), version)


class Reading:
    """A session as reads need it: statements go straight to the connection.

    A session's own bookkeeping costs more than a small query. ``execute`` therefore gives rows of
    columns and never objects; whatever else is asked of a session gets a real one.
    """

    def __init__(self, connection: Connection, context: Context) -> None:
        self._connection = connection
        self.info = {"context": context}
        self.execute = connection.execute

    @cached_property
    def _session(self) -> Session:
        session = Session(self._connection, expire_on_commit=False)
        session.info.update(self.info)
        return session

    def __getattr__(self, name: str) -> Any:
        return getattr(self._session, name)


class Database:
    """The engine of one owner's database."""

    def __init__(self, url: str, *, pool_size: int = 10, name: str = "crm") -> None:
        self.engine: Engine = create_engine(
            url,
            pool_size=pool_size,
            max_overflow=5,
            pool_timeout=2,
            pool_recycle=3600,
            connect_args={"application_name": name} | GONE_SOON,
            json_serializer=lambda value: codec.dumps(value).decode(),
            json_deserializer=codec.loads,
        )
        # One statement needs no BEGIN and COMMIT round trips.
        self._reading = self.engine.execution_options(
            isolation_level="AUTOCOMMIT",
            # Rows are read by the names of their columns, which are the same for every asking.
            _result_disable_adapt_to_context=True,
        )

    def within(self, context: Context) -> "Work":
        """The database as one request sees it."""
        return Work(self, context)

    @contextmanager
    def transaction(self, context: Context) -> Iterator[Session]:
        """A session that commits at the end, or leaves nothing behind when something is raised."""
        with Session(self.engine, expire_on_commit=False) as session, session.begin():
            session.info["context"] = context
            yield session

    @contextmanager
    def reading(self, context: Context) -> Iterator[Session]:
        """A session for single reads; every statement stands alone."""
        with self._reading.connect() as connection:
            yield cast(Session, Reading(connection, context))

    def ping(self) -> None:
        """Unavailable when the database does not answer."""
        try:
            with self._reading.connect() as connection:
                connection.execute(text("select 1"))
        except exc.SQLAlchemyError as error:
            raise _unavailable() from error

    def close(self) -> None:
        """Give all connections back."""
        self.engine.dispose()


class Work:
    """What a service does with its database on behalf of one request."""

    def __init__(
        self,
        database: Database,
        context: Context,
        consumer: str = "",
        *,
        retrying: bool = False,
    ) -> None:
        self.database = database
        self.context = context
        self.consumer = consumer
        self.retrying = retrying

    def read(self, use_case: UseCase, **request: Any) -> Any:
        """The answer of a use case that only reads."""

        self._in_time()

        def once() -> Any:
            with self.database.reading(self.context) as session:
                return use_case(session, **request)

        return _persist(once)

    def run(self, use_case: UseCase, **request: Any) -> Any:
        """The answer of a use case that may write; under a command id it has its effect once.

        Asked again with the same id, the stored answer comes back. Conflict
        ``idempotency_key_in_use`` while the first ask still runs; Invalid
        ``idempotency_key_reused`` when the same id comes with another request.
        """
        if self.context.actor is NOBODY:
            raise errors.Forbidden("unknown_actor", "Nobody vouches for who is asking.")
        self._in_time()
        committing = False

        def once() -> Any:
            nonlocal committing
            committing = False
            with self.database.transaction(self.context) as session:
                if self.context.command_id is not None:
                    return self._command(session, use_case, request)
                result = use_case(session, **request)
                session.flush()
                # Without an id nothing tells whether a commit arrived whose answer was lost.
                committing = True
                return result

        def in_doubt() -> bool:
            return committing

        return _persist(once, in_doubt)

    def _in_time(self) -> None:
        """Unavailable when whoever asked has stopped waiting, for want of a free worker say."""
        if self.context.expired:
            raise errors.Unavailable("deadline_passed", "Nobody waits for this answer any more.")

    def once(self, event: Envelope, use_case: UseCase) -> bool:
        """Handle an event in one transaction with the note that it was; False if it was before.

        The note's unique key is taken first, so a duplicate that comes meanwhile waits for it.
        """
        note = _NOTE_RETRIED if self.retrying else _NOTE_DONE

        def once() -> bool:
            with self.database.transaction(event.context) as session:
                row = {"consumer": self.consumer, "event_id": event.id}
                if not _rows(session.connection().exec_driver_sql(note, row)):
                    return False
                use_case(session, event)
                return True

        return bool(_persist(once))

    def fire(self, timer: Timer, use_case: UseCase) -> bool:
        """Do what was due in one transaction with taking its timer; False if another has it."""

        def once() -> bool:
            with self.database.transaction(self.context) as session:
                if not _rows(session.execute(TAKE, {"id": timer.id, "due_at": timer.due_at})):
                    return False
                use_case(session, timer)
                return True

        return bool(_persist(once))

    def _command(self, session: Session, use_case: UseCase, request: dict[str, Any]) -> Encoded:
        command_id = self.context.command_id
        known = session.connection().exec_driver_sql(_KNOWN, {"id": command_id}).one()
        if known.result is not None:
            return self._stored(known.fingerprint, bytes(known.result))
        if not known.mine:
            raise errors.Conflict(
                "idempotency_key_in_use",
                "The first request with this Idempotency-Key is still running.",
                {"retry_after": 1},
            )
        answer = encode(use_case(session, **request))
        session.flush()
        stored = {"id": command_id, "fingerprint": self.context.fingerprint, "result": answer.body}
        session.connection().exec_driver_sql(_STORE, stored)
        return answer

    def _stored(self, fingerprint: str | None, body: bytes) -> Encoded:
        if fingerprint != self.context.fingerprint:
            raise errors.Invalid(
                "idempotency_key_reused",
                "This Idempotency-Key was used with another request.",
            )
        value = codec.loads(body)
        version = value.get("version") if isinstance(value, dict) else None
        return Encoded(body, version, replayed=True)


class Together(Work):
    """Several events handled in one transaction; nothing of it stays when one of them fails."""

    def __init__(self, database: Database) -> None:
        super().__init__(database, Context())
        self._session: Session

    @contextmanager
    def transaction(self, notes: Sequence[Note]) -> Iterator[set[Note]]:
        """Note them all as handled; those of them that were not before."""
        with self.database.transaction(self.context) as self._session:
            row = {
                "consumers": [note.consumer for note in notes],
                "event_ids": [note.event_id for note in notes],
            }
            new = self._session.connection().exec_driver_sql(_NOTE_ALL, row)
            yield {Note(*found) for found in new}

    def once(self, event: Envelope, use_case: UseCase) -> bool:
        """Handle one of them; whoever began the transaction has looked whether it is new."""
        self._session.info["context"] = event.context
        use_case(self._session, event)
        return True


# What surrounds every change goes straight to the driver: through SQLAlchemy it costs double.
_STORE = (
    "insert into command (id, fingerprint, result) values (%(id)s, %(fingerprint)s, %(result)s)"
)
_KNOWN = (
    "select pg_try_advisory_xact_lock(hashtextextended(%(id)s, 0)) as mine,"
    " c.fingerprint, c.result from (select 1) as one left join command c on c.id = %(id)s"
)
_NOTE_DONE = (
    "insert into inbox (consumer, event_id) values (%(consumer)s, %(event_id)s)"
    " on conflict do nothing"
)
_NOTE_ALL = (
    "insert into inbox (consumer, event_id)"
    " select * from unnest(%(consumers)s::text[], %(event_ids)s::uuid[])"
    " on conflict do nothing returning consumer, event_id"
)
_NOTE_RETRIED = (
    "update inbox set status = 'done', body = null, error = null"
    " where consumer = %(consumer)s and event_id = %(event_id)s and status = 'failed'"
)


def _rows(result: Any) -> int:
    return int(result.rowcount)


def _unavailable() -> errors.Unavailable:
    return errors.Unavailable(
        "database_unavailable", "The database does not answer.", {"retry_after": 1}
    )


def _never() -> bool:
    return False


def _persist(work: Callable[[], Result], in_doubt: Callable[[], bool] = _never) -> Result:
    """The result of ``work``, done again when it lost a race or its connection.

    When the connection is lost during the commit, that may have arrived. Commands with an id,
    events and timers find their trace then and do nothing twice; work without one says
    ``in_doubt`` and is not tried again.
    """
    for attempt in range(1, _ATTEMPTS + 1):
        try:
            return work()
        except (StaleDataError, exc.DBAPIError, exc.TimeoutError) as error:
            if in_doubt() or attempt == _ATTEMPTS or not _worth_another_try(error):
                raise _refusal(error) from error
            log.info("Doing a transaction again.", extra={"cause": repr(error)})
    raise AssertionError("unreachable")


_SERIALIZATION, _DEADLOCK, _UNIQUE = "40001", "40P01", "23505"


def _worth_another_try(error: Exception) -> bool:
    if isinstance(error, StaleDataError):
        return True
    if isinstance(error, exc.DBAPIError):
        if error.connection_invalidated:
            return True
        if isinstance(error, exc.IntegrityError):
            return "pk_command" in str(error.orig)
        return getattr(error.orig, "sqlstate", None) in {_SERIALIZATION, _DEADLOCK}
    return False


def _refusal(error: Exception) -> Exception:
    """What the caller is told of a failure that another try did not mend."""
    if isinstance(error, StaleDataError):
        return errors.Conflict("busy_record", "Others keep changing this record. Ask again.")
    if isinstance(error, exc.DataError):
        return errors.Invalid("unstorable", "A value cannot be stored.", {"_": [str(error.orig)]})
    if getattr(getattr(error, "orig", None), "sqlstate", None) == _UNIQUE:
        return errors.Conflict("already_exists", "There is such a record already.")
    lost = getattr(error, "connection_invalidated", False)
    if lost or isinstance(error, exc.TimeoutError | exc.OperationalError | exc.InterfaceError):
        return _unavailable()
    return error


def purge(database: Database) -> None:
    """Delete what is no longer needed, 5,000 rows of each kind a transaction, until it is gone."""
    while True:
        with database.transaction(Context()) as session:
            if _purge(session) < PURGE_ROWS:
                return


_SETTLED = ("inbox", "parked_message")
"""Tables of which only those rows go that nobody waits for any more."""


def _purge(session: Session, *, outbox_days: int = 7, keep_days: int = 30) -> int:
    gone = 0
    for table, column, days in (
        ("outbox", "published_at", outbox_days),
        ("command", "created_at", outbox_days),
        ("inbox", "received_at", keep_days),
        ("parked_message", "parked_at", keep_days),
    ):
        only = "and status in ('done', 'discarded')" if table in _SETTLED else ""
        result = session.execute(
            text(
                f"delete from {table} where ctid in (select ctid from {table}"  # noqa: S608
                f" where {column} < now() - make_interval(days => :days) {only} limit :rows)"
            ),
            {"days": days, "rows": PURGE_ROWS},
        )
        gone += _rows(result)
    return gone
