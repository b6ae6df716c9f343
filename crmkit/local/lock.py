"""One stack per folder: the lock that says so, also asked by ``make clean`` before it deletes.

Only the standard library, and runnable by path, because ``make clean`` has no virtual environment.
"""

import fcntl
import os
import sys
from pathlib import Path


class AlreadyRunning(Exception):
    """Another supervisor holds this folder; the message is one sentence for a person."""


class InstanceLock:
    """Held by the supervisor for as long as it lives; the kernel frees it however that ends."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "lock"
        self._descriptor: int | None = None

    def take(self) -> None:
        """Hold the folder; AlreadyRunning names the process that does."""
        descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.read(descriptor, 20).decode().strip() or "unknown"
            os.close(descriptor)
            raise AlreadyRunning(
                f"{self.path.parent} is in use by a running stack (process {holder})."
            ) from None
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
        self._descriptor = descriptor

    def free(self) -> None:
        """Let the next one in; the second time does nothing."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


def main() -> int:
    """0 when nobody runs in the folder named on the command line, else 1 and one line."""
    folder = Path(sys.argv[1])
    if not folder.is_dir():
        return 0
    lock = InstanceLock(folder)
    try:
        lock.take()
    except AlreadyRunning as refusal:
        print(f"{refusal} Stop it first.", file=sys.stderr)  # noqa: T201 - a command for people
        return 1
    lock.free()
    return 0


if __name__ == "__main__":
    sys.exit(main())
