"""Migrations: one Alembic environment for every owner's database.

Two lines of revisions meet in each: the kit's own tables (``crmkit/alembic/versions``) and the
owner's (``services/<owner>/migrations/versions``), so a change of the kit is written once.
"""

import time
from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import NullPool, create_engine, exc, make_url, text

from crmkit import catalog, rights
from crmkit.settings import Settings

_KIT = catalog.ROOT / "crmkit" / "alembic"


def _owner_versions(owner: str) -> Path:
    return catalog.ROOT / Path(*catalog.package(owner).split(".")) / "migrations" / "versions"


def _config(owner: str, url: str) -> Config:
    config = Config()
    config.set_main_option("script_location", str(_KIT))
    config.set_main_option("path_separator", "newline")
    config.set_main_option("version_locations", f"{_KIT / 'versions'}\n{_owner_versions(owner)}")
    config.attributes["owner"] = owner
    config.attributes["url"] = url
    return config


def upgrade(owner: str, url: str, *, service: str) -> None:
    """Bring one database to the newest revisions; one process at a time, the others wait.

    ``url`` logs in as the role that the tables belong to; ``service`` is the role of the owner's
    processes, which may read and write their rows afterwards. All of it happens or nothing.
    """
    with create_engine(url, poolclass=NullPool).connect() as connection:
        # The role's own limit is for tables, which services wait for meanwhile.
        connection.execute(text("set lock_timeout = 0"))
        connection.execute(text("select pg_advisory_lock(hashtextextended('migrate', 0))"))
        connection.execute(text("reset lock_timeout"))
        rights.check_owner(connection, owner)
        config = _config(owner, url)
        config.attributes["connection"] = connection
        command.upgrade(config, "heads")
        rights.grant(connection, service, catalog.models(owner).Base.metadata)
        connection.commit()


def upgrade_all(settings: Settings, owners: tuple[str, ...]) -> None:
    """Bring the databases of these owners to the newest revisions."""
    owners = owners or catalog.owners()
    for owner, url in zip(owners, settings.migration_urls(*owners), strict=True):
        began = time.monotonic()
        service = make_url(settings.database_url(owner)).username or owner
        try:
            upgrade(owner, url, service=service)
        except exc.OperationalError as error:
            # It is not there, or a service keeps a table that a revision waits two seconds for.
            raise SystemExit(f"The database of {owner} is not up to date: {error.orig}") from None
        print(f"{owner}: up to date ({time.monotonic() - began:.1f} s)")  # noqa: T201


def revision(owner: str, message: str, settings: Settings) -> None:
    """Write a new revision of an owner from what its models say and its database lacks.

    ``crmkit`` as the owner writes one for the kit's tables, compared with the gateway's database.
    """
    kit = owner == "crmkit"
    against = catalog.GATEWAY if kit else owner
    (url,) = settings.migration_urls(against)
    config = _config(against, url)
    config.attributes["only_kit"] = kit
    path = _KIT / "versions" if kit else _owner_versions(owner)
    label = "kit" if kit else owner
    first = not any(path.glob("*.py"))
    command.revision(
        config,
        message=message,
        autogenerate=True,
        head="base" if first else f"{label}@head",
        branch_label=label if first else None,
        version_path=str(path),
        rev_id=f"{label}_{len(list(path.glob('*.py'))) + 1:04d}",
    )
