"""What a worker was just doing, on its machine's disk: a kill costs one doubt, not a batch.

A line is written before a message leaves and another when the answer is there. It needs no fsync:
what was written survives the process. It does not survive the machine, so a journal of an earlier
boot proves nothing and is thrown away; the lease in the database decides then.
"""

import contextlib
import errno
import fcntl
import logging
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

from crmkit import codec
from services.notifications.channels import Outcome

log = logging.getLogger(__name__)

BEGUN = Outcome("unclear", "sender_lost")
_BOOT = Path("/proc/sys/kernel/random/boot_id")


def _this_boot() -> str:
    """Which run of the machine this is; empty where it cannot be told."""
    try:
        return _BOOT.read_text().strip()
    except OSError:
        return ""


class Journal:
    """The journal of one worker. Its lock ends with the process, however that ends.

    The file is as long as one batch. Raises OSError when nothing can be written, since what is
    not noted must not be sent.
    """

    def __init__(self, folder: Path, worker: UUID) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._path = folder / f"{worker}.journal"
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_EXCL
        # It gets its name when it is locked, or it would be taken for a dead worker's.
        unnamed = self._path.with_suffix(".new")
        self._file = os.open(unnamed, flags, 0o600)
        fcntl.flock(self._file, fcntl.LOCK_EX)
        self._head = os.write(self._file, codec.dumps(_this_boot()) + b"\n")
        unnamed.rename(self._path)

    def begin(self, message: UUID) -> None:
        """Note that the message is about to leave."""
        self._note([message])

    def end(self, message: UUID, outcome: Outcome) -> None:
        """Note what became of it."""
        self._note([message, outcome.kind, outcome.reason, outcome.provider_ids])

    def _note(self, entry: list[Any]) -> None:
        """A whole line or, when the disk is full, none and an OSError."""
        line = codec.dumps(entry) + b"\n"
        written = os.write(self._file, line)
        if written < len(line):
            os.ftruncate(self._file, os.fstat(self._file).st_size - written)
            raise OSError(errno.ENOSPC, "The journal is full.")

    def clear(self) -> None:
        """Forget the batch: the ledger knows it by now."""
        os.ftruncate(self._file, self._head)

    def close(self) -> None:
        """Give the journal up, as the ledger knows all of it."""
        self._path.unlink(missing_ok=True)
        os.close(self._file)

    def leave(self) -> None:
        """Leave the journal to whoever looks next."""
        os.close(self._file)


def left_behind(folder: Path) -> Iterator[tuple[UUID, dict[UUID, Outcome]]]:
    """The dead workers of this machine with what each had noted; a journal goes once it was used.

    It stays when its use raises, for the next who looks.
    """
    for path in sorted(folder.glob("*.journal")):
        with contextlib.suppress(FileNotFoundError):
            file = os.open(path, os.O_RDONLY)
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                boot, noted = _read(path)
                if boot and boot == _this_boot():
                    yield UUID(path.stem), noted
                path.unlink(missing_ok=True)
            except BlockingIOError:
                continue  # Its worker lives.
            except ValueError as error:
                log.warning("A journal cannot be read.", extra={"cause": repr(error)})
                path.unlink(missing_ok=True)
            finally:
                os.close(file)


def _read(path: Path) -> tuple[str, dict[UUID, Outcome]]:
    lines = path.read_bytes().splitlines(keepends=True)
    boot: str = codec.loads(lines[0]) if lines else ""
    noted: dict[UUID, Outcome] = {}
    for line in lines[1:]:
        if not line.endswith(b"\n"):
            break  # Killed while it wrote; what it wrote of had not left.
        message, *outcome = codec.loads(line)
        identity = UUID(message)
        if outcome:
            kind, reason, provider_ids = outcome
            noted[identity] = Outcome(kind, reason, tuple(provider_ids))
        else:
            noted[identity] = BEGUN
    return boot, noted
