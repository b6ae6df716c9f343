"""Alembic's environment; ``crmkit.migrate`` hands it the owner and the connection."""

from typing import Any

from alembic import context
from sqlalchemy import Connection, create_engine

from crmkit import catalog, tables

attributes = context.config.attributes
kit_names = set(tables.metadata.tables)


def _include(_item: Any, name: str | None, kind: str, *_: Any) -> bool:
    """Autogenerate sees the kit's tables for the kit's revisions, the owner's for the owner's."""
    if kind != "table":
        return True
    return (name in kit_names) == bool(attributes.get("only_kit"))


def _run(connection: Connection) -> None:
    owner = attributes["owner"]
    target = tables.metadata if attributes.get("only_kit") else catalog.models(owner).Base.metadata
    context.configure(
        connection=connection,
        target_metadata=target,
        include_object=_include,
        compare_server_default=False,
    )
    with context.begin_transaction():
        context.run_migrations()


if attributes.get("connection") is not None:
    _run(attributes["connection"])
else:
    engine = create_engine(attributes["url"])
    with engine.connect() as live:
        _run(live)
    engine.dispose()
