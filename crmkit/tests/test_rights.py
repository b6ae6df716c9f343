"""What the role of a service may do in its database, and what ``crm migrate`` does about it."""

import threading
from collections.abc import Callable, Iterator

import pytest
from sqlalchemy import Connection, create_engine, exc, make_url, text

from crmkit import catalog, migrate
from crmkit.db import Database
from crmkit.local import databases
from crmkit.local.postgres import PostgresServer
from crmkit.settings import MissingSetting, Settings
from crmkit.testing import eventually

pytestmark = pytest.mark.server
OWNER = "gateway"
ALL = {"DELETE", "INSERT", "SELECT", "UPDATE"}
LEDGERS = {"gateway": {"audit_entry"}, "customers": {"consent_entry"}}


@pytest.fixture
def below(owned: Database) -> Iterator[Connection]:
    """The gateway's database as the role that its tables belong to; every statement commits."""
    with owned.engine.execution_options(isolation_level="AUTOCOMMIT").connect() as connection:
        yield connection


class TestTheRoleOfAService:
    @pytest.mark.parametrize(
        "statement",
        [
            "drop table staff",
            "drop table audit_entry cascade",
            "drop schema public cascade",
            "alter table staff add column more text",
            "alter table staff owner to gateway",
            "alter table outbox disable trigger all",
            "alter table audit_entry disable trigger audit_entry_no_change",
            "drop trigger audit_entry_no_change on audit_entry",
            "create or replace function audit_entry_refuse() returns trigger language plpgsql"
            " as $$ begin return new; end $$",
            "drop function audit_entry_refuse() cascade",
            "create trigger mine before insert on staff"
            " for each row execute function audit_entry_refuse()",
            "update audit_entry set action = 'x'",
            "delete from audit_entry",
            "truncate audit_entry",
            "truncate outbox",
            "create table mine (id int)",
            "create temporary table mine (id int)",
            "create function mine() returns int language sql as 'select 1'",
            "create schema mine",
            "create extension pg_trgm",
            "create index on staff (id)",
            "drop index ix_outbox_published_at",
            "select setval('outbox_sequence', 1)",
            "update alembic_version set version_num = 'x'",
            "delete from alembic_version",
            "set role gateway_migration",
            "set session_replication_role = replica",
            "alter role gateway connection limit -1",
            "copy staff to program 'true'",
        ],
    )
    def test_is_refused(self, database_of: Callable[[str], Database], statement: str) -> None:
        engine = database_of(OWNER).engine
        refused = "permission denied|must be owner"
        with engine.connect() as session, pytest.raises(exc.DBAPIError, match=refused):
            session.exec_driver_sql(statement)

    @pytest.mark.parametrize("owner", catalog.owners())
    def test_may_read_and_write_rows_and_nothing_else(
        self, database_of: Callable[[str], Database], owner: str
    ) -> None:
        held: dict[str, set[str]] = {}
        with database_of(owner).engine.connect() as session:
            rows = session.execute(
                text(
                    "select relname, privilege_type from pg_class, aclexplode(relacl)"
                    " where relnamespace = 'public'::regnamespace and relkind = 'r'"
                    " and grantee in (0, current_user::regrole)"
                )
            )
            for table, privilege in rows:
                held.setdefault(table, set()).add(privilege)
        ledgers = LEDGERS.get(owner, set())
        assert held.pop("alembic_version") == {"SELECT"}
        assert {name for name, some in held.items() if some == {"INSERT", "SELECT"}} == ledgers
        assert {name for name, some in held.items() if some == ALL} == set(held) - ledgers
        assert set(catalog.models(owner).Base.metadata.tables) < set(held)

    def test_counts_with_sequences(self, database_of: Callable[[str], Database]) -> None:
        with database_of("sales").engine.connect() as session:
            assert session.execute(text("select nextval('order_count')")).scalar_one() > 0


class TestMigrating:
    def test_lets_the_service_reach_tables_that_came_since(
        self,
        below: Connection,
        postgres: PostgresServer,
        database_of: Callable[[str], Database],
    ) -> None:
        below.exec_driver_sql("create table later (id int)")
        try:
            migrate.upgrade(OWNER, postgres.migration_url(OWNER), service=OWNER)
            with database_of(OWNER).engine.begin() as session:
                session.execute(text("insert into later values (1)"))
        finally:
            below.exec_driver_sql("drop table later")

    def test_takes_away_what_the_service_should_not_have(
        self,
        below: Connection,
        postgres: PostgresServer,
        database_of: Callable[[str], Database],
    ) -> None:
        below.exec_driver_sql("grant create on schema public to public")
        below.exec_driver_sql("grant all on staff, audit_entry to gateway")
        below.exec_driver_sql("grant temporary on database gateway to public")
        migrate.upgrade(OWNER, postgres.migration_url(OWNER), service=OWNER)
        for statement in (
            "create table mine (id int)",
            "create temporary table mine (id int)",
            "truncate staff cascade",
            "delete from audit_entry",
        ):
            refused = pytest.raises(exc.DBAPIError, match="permission denied")
            with database_of(OWNER).engine.connect() as session, refused:
                session.exec_driver_sql(statement)

    def test_waits_for_another_longer_than_for_a_table(
        self, below: Connection, postgres: PostgresServer
    ) -> None:
        limited = f"{postgres.migration_url(OWNER)}&options=-clock_timeout%3D50ms"
        done = threading.Event()

        def run() -> None:
            migrate.upgrade(OWNER, limited, service=OWNER)
            done.set()

        waited = (
            "select true from pg_stat_activity where wait_event = 'advisory'"
            " and now() - query_start > interval '200 ms' and datname = current_database()"
        )
        below.exec_driver_sql("select pg_advisory_lock(hashtextextended('migrate', 0))")
        thread = threading.Thread(target=run)
        thread.start()
        try:
            eventually(lambda: below.exec_driver_sql(waited).fetchone())
        finally:
            below.exec_driver_sql("select pg_advisory_unlock_all()")
            thread.join(60)
        assert done.is_set()

    def test_is_refused_tables_of_another_role(
        self, postgres: PostgresServer, database_of: Callable[[str], Database]
    ) -> None:
        database_of(OWNER)
        with pytest.raises(SystemExit, match="belong to gateway_migration, not to gateway;"):
            migrate.upgrade(OWNER, postgres.url(OWNER), service=OWNER)

    def test_names_all_addresses_that_are_missing(self) -> None:
        settings = Settings({"SALES_DATABASE_URL": "postgresql+psycopg://sales@/sales"})
        with pytest.raises(MissingSetting, match="SALES_MIGRATION_URL, GATEWAY_MIGRATION_URL"):
            migrate.upgrade_all(settings, ("sales", "gateway"))

    def test_leaves_one_role_for_both_as_it_is(self, postgres: PostgresServer) -> None:
        with databases.connect(postgres) as superuser:
            superuser.execute("create role alone login password 'alone'")
            superuser.execute("create database alone owner alone")
        alone = make_url(postgres.url("sales")).set(username="alone", password="alone")
        url = alone.set(database="alone").render_as_string(hide_password=False)
        for _ in range(2):
            migrate.upgrade("sales", url, service="alone")
        engine = create_engine(url)
        with engine.begin() as session:
            session.execute(text("truncate outbox"))
        engine.dispose()
        with databases.connect(postgres) as superuser:
            superuser.execute("drop database alone with (force)")
            superuser.execute("drop role alone")
