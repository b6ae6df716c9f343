"""What the role of a service may do in its database: read and write rows, and nothing else.

The tables belong to another role, as which only ``crm migrate``, ``crm revision`` and ``crm seed``
log in. Whoever breaks into a service can therefore drop no table, take no trigger away and empty no
audit log. ``crm migrate`` gives these rights anew each time, so no migration and nobody who makes a
database has to think of them.
"""

from sqlalchemy import Connection, MetaData, text

ONLY_ADDED = "only_added"
"""The key in a table's ``info`` that keeps services from changing and deleting its rows."""

_OF_ANOTHER = text(
    "select current_user, pg_get_userbyid(relowner) from pg_class"
    " where oid = to_regclass('public.alembic_version') and not pg_has_role(relowner, 'usage')"
)
_ROWS_AND_NOTHING_ELSE = (
    "revoke all on database {database} from public, {service}",
    "grant connect on database {database} to {service}",
    "revoke all on schema public from public, {service}",
    "grant usage on schema public to {service}",
    "revoke all on all tables in schema public from public, {service}",
    "grant select, insert, update, delete on all tables in schema public to {service}",
    "revoke all on all sequences in schema public from public, {service}",
    "grant usage, select on all sequences in schema public to {service}",
    "revoke insert, update, delete on alembic_version from {service}",
)


def check_owner(connection: Connection, owner: str) -> None:
    """End with one sentence when the tables belong to a role that this session may not act as."""
    found = connection.execute(_OF_ANOTHER).one_or_none()
    if found is not None:
        ours, theirs = found
        raise SystemExit(
            f"The tables of {owner} belong to {theirs}, not to {ours};"
            ' docs/runbook.md, "One role becomes two", says how to hand them over.'
        )


def grant(connection: Connection, service: str, metadata: MetaData) -> None:
    """Let this role read and write the rows of all tables there are now, and nothing else.

    Asking twice changes nothing. Nothing happens when it is the role of this session: who has one
    role for both owns the tables with it.
    """
    database, ours = connection.execute(text("select current_database(), current_user")).one()
    if service == ours:
        return
    quote = connection.dialect.identifier_preparer.quote
    names = {"database": quote(database), "service": quote(service)}
    for statement in _ROWS_AND_NOTHING_ELSE:
        connection.exec_driver_sql(statement.format(**names))
    for table in metadata.sorted_tables:
        if table.info.get(ONLY_ADDED):
            connection.exec_driver_sql(
                f"revoke update, delete on {quote(table.name)} from {names['service']}"
            )
