"""Child processes: as whom, with which environment, into which log file, tied to our life."""

import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

TETHER = Path(__file__).with_name("tether.py")
LOG_LIMIT_BYTES = 5_000_000


@dataclass(frozen=True, slots=True)
class User:
    """Whom root becomes for a child; `keep_search` see tether.py."""

    uid: int
    gid: int
    keep_search: bool = False


def open_log(path: Path) -> int:
    """A descriptor that appends; a log that has grown too long is put aside as ``.1`` first."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.exists() and path.stat().st_size > LOG_LIMIT_BYTES:
        path.replace(path.with_name(path.name + ".1"))
    return os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)


def spawn(
    command: Sequence[str],
    *,
    environment: Mapping[str, str],
    log: Path,
    folder: Path,
    user: User | None = None,
    orphan_signal: int = signal.SIGKILL,
) -> "subprocess.Popen[bytes]":
    """Start the command in a session of its own; it ends when the calling thread ends.

    The kernel watches the thread, not the process, so only a thread that lives as long as the
    child is wanted may call this.
    """
    descriptor = open_log(log)
    try:
        return subprocess.Popen(  # noqa: S603 - our own commands, no shell
            [
                sys.executable,
                "-I",
                "-S",
                str(TETHER),
                str(os.getpid()),
                str(int(orphan_signal)),
                str(user.uid if user else -1),
                str(user.gid if user else -1),
                "keep" if user and user.keep_search else "drop",
                *command,
            ],
            stdin=subprocess.DEVNULL,
            stdout=descriptor,
            stderr=descriptor,
            env=dict(environment),
            cwd=folder,
            start_new_session=True,
        )
    finally:
        os.close(descriptor)


def end_group(process: "subprocess.Popen[bytes]", number: int = signal.SIGKILL) -> None:
    """Signal the whole process group; nothing when it is gone."""
    try:
        os.killpg(process.pid, number)
    except (ProcessLookupError, PermissionError):
        return
