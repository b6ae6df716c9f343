"""The database and the two roles of each owner in a private PostgreSQL, at every start.

The services' role is named like the owner, the other one owns the tables.

A process of its own, ``python -m crmkit.local.databases FOLDER PORT OWNER …``: the launcher, which
stays, has no other use for psycopg.
"""

import contextlib
import sys
import time
from collections.abc import Iterable
from pathlib import Path

import psycopg
from psycopg import sql

from crmkit.local.installation import Installation
from crmkit.local.postgres import SUPERUSER, PostgresServer, migration_role, postgres_server

SERVICE_LIMITS = {
    "statement_timeout": "5s",
    "lock_timeout": "2s",
    "idle_in_transaction_session_timeout": "5s",
}
# A migration may work for long, but services must not wait for it.
MIGRATION_LIMITS = {"lock_timeout": "2s", "idle_in_transaction_session_timeout": "60s"}
# More than an owner's processes ever open (18 each of five, the sender's and the relay's), less
# than the server has: what leaks connections leaves some to the others.
SERVICE_CONNECTIONS, MIGRATION_CONNECTIONS = 150, 10

TICK_SECONDS = 0.02

Session = psycopg.Connection[tuple[object, ...]]


def connect(server: PostgresServer, database: str = "postgres") -> Session:
    """A session of the superuser, through the socket."""
    return psycopg.connect(
        host=str(server.socket_folder),
        port=server.port,
        user=SUPERUSER,
        password=server.installation.secret(f"postgres.{SUPERUSER}"),
        dbname=database,
        autocommit=True,
        connect_timeout=2,
    )


def provide(server: PostgresServer) -> None:
    """Make the roles and the database of each owner; asking twice only repeats the settings.

    What an earlier version made, with one role for both, is handed over to the second one.
    ``crm migrate`` gives the service's role its rights.
    """
    with contextlib.closing(connect(server)) as session:
        _close_to_everybody(session, ("postgres", "template1"))
        for owner in server.owners:
            _provide_role(server, session, owner, SERVICE_CONNECTIONS, SERVICE_LIMITS)
            migration = migration_role(owner)
            _provide_role(server, session, migration, MIGRATION_CONNECTIONS, MIGRATION_LIMITS)
            _provide_database(server, session, owner)


def _provide_role(
    server: PostgresServer,
    session: Session,
    name: str,
    most_connections: int,
    limits: dict[str, str],
) -> None:
    role = sql.Identifier(name)
    password = sql.Literal(server.installation.secret(f"postgres.{name}"))
    there = session.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [name]).fetchone()
    session.execute(
        sql.SQL(
            "{} ROLE {} LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE CONNECTION LIMIT {} PASSWORD {}"
        ).format(
            sql.SQL("ALTER" if there else "CREATE"),
            role,
            sql.Literal(most_connections),
            password,
        )
    )
    for setting, value in limits.items():
        session.execute(
            sql.SQL("ALTER ROLE {} SET {} = {}").format(
                role, sql.Identifier(setting), sql.Literal(value)
            )
        )


def _provide_database(server: PostgresServer, session: Session, owner: str) -> None:
    migration = sql.Identifier(migration_role(owner))
    found = session.execute(
        "SELECT pg_get_userbyid(datdba) FROM pg_database WHERE datname = %s", [owner]
    ).fetchone()
    if found is None:
        session.execute(
            sql.SQL("CREATE DATABASE {} OWNER {}").format(sql.Identifier(owner), migration)
        )
    elif found == (owner,):
        with contextlib.closing(connect(server, owner)) as within:
            within.execute(
                sql.SQL("REASSIGN OWNED BY {} TO {}").format(sql.Identifier(owner), migration)
            )
    _close_to_everybody(session, (owner,))


def _close_to_everybody(session: Session, databases: Iterable[str]) -> None:
    for database in databases:
        session.execute(
            sql.SQL("REVOKE CONNECT, TEMPORARY ON DATABASE {} FROM PUBLIC").format(
                sql.Identifier(database)
            )
        )


def main() -> None:
    """Wait for the server and provide; whoever started both ends both when it does not come."""
    folder, port, *owners = sys.argv[1:]
    server = postgres_server(Installation(Path(folder)), tuple(owners), int(port))
    while not server.answers():
        time.sleep(TICK_SECONDS)
    provide(server)


if __name__ == "__main__":
    main()
