"""Migrations: one Alembic environment for every owner's database.

Two lines of revisions meet in each: the kit's own tables (``crmkit/alembic/versions``) and the
owner's (``services/<owner>/migrations/versions``), so a change of the kit is written once.
"""

import time
from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import create_engine, exc, text

from crmkit import catalog
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


def upgrade(owner: str, url: str) -> None:
    """Bring one database to the newest revisions; one process at a time, the others wait."""
    engine = create_engine(url)
    with engine.connect() as connection:
        connection.execute(text("select pg_advisory_lock(hashtextextended('migrate', 0))"))
        config = _config(owner, url)
        config.attributes["connection"] = connection
        command.upgrade(config, "heads")
        connection.commit()
    engine.dispose()


def upgrade_all(settings: Settings, owners: tuple[str, ...]) -> None:
    """Bring the databases of these owners to the newest revisions."""
    for owner in owners or catalog.owners():
        began = time.monotonic()
        try:
            upgrade(owner, settings.database_url(owner))
        except exc.OperationalError as error:
            raise SystemExit(f"The database of {owner} cannot be reached: {error.orig}") from None
        print(f"{owner}: up to date ({time.monotonic() - began:.1f} s)")  # noqa: T201


def revision(owner: str, message: str, settings: Settings) -> None:
    """Write a new revision of an owner from what its models say and its database lacks.

    ``crmkit`` as the owner writes one for the kit's tables, compared with the gateway's database.
    """
    kit = owner == "crmkit"
    against = catalog.GATEWAY if kit else owner
    url = settings.database_url(against)
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
