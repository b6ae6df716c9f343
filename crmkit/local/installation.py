"""What one installation remembers between two starts: its ports, its secrets, its milestones.

Everything lies in one folder (``var/`` of the clone), so that two installations share nothing and
``make clean`` leaves nothing behind.
"""

import contextlib
import json
import os
import random
import secrets
import socket
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

# Below the range from which Linux (32768) and macOS (49152) take the ports of outgoing connections,
# so that a remembered port is not in use by chance at the next start.
PORTS = range(20000, 32000)


def write_json(path: Path, value: Mapping[str, Any], *, mode: int = 0o600) -> None:
    """Replace the file in one step; a reader sees the old or the new one, never half of one."""
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        json.dump(value, file, indent=2, sort_keys=True)
        file.write("\n")
    Path(name).chmod(mode)
    Path(name).replace(path)


def read_json(path: Path) -> dict[str, Any]:
    """The file's object; an absent file is an empty one."""
    with contextlib.suppress(FileNotFoundError):
        found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        return found
    return {}


def listens(port: int, host: str = "127.0.0.1") -> bool:
    """Whether a server takes connections there now."""
    with socket.socket() as probe:
        probe.settimeout(1.0)
        return probe.connect_ex((host, port)) == 0


def is_free(port: int, host: str = "127.0.0.1") -> bool:
    """Whether a server could listen there now.

    Holds the port for a moment, so never asked about the port of a server that is just starting.
    """
    if listens(port, host):
        return False
    with socket.socket() as probe:
        # As servers do: without it a port in TIME_WAIT after a restart would look taken.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return True


class Installation:
    """The folder of one installation."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder.resolve()
        self.folder.mkdir(parents=True, exist_ok=True)
        self._ports: dict[str, int] = {}

    def path(self, *parts: str) -> Path:
        """A path below the folder."""
        return self.folder.joinpath(*parts)

    def port(self, name: str) -> int:
        """A loopback port for this purpose: last time's unless somebody else has it by now."""
        if name not in self._ports:
            known = read_json(self.path("ports.json"))
            chosen = known.get(name)
            if chosen is None or chosen in self._ports.values() or not is_free(chosen):
                taken = {*known.values(), *self._ports.values()}
                chosen = next(
                    port
                    for port in random.sample(PORTS, len(PORTS))
                    if port not in taken and is_free(port)
                )
                write_json(self.path("ports.json"), known | {name: chosen})
            self._ports[name] = chosen
        return self._ports[name]

    def secret(self, name: str, size: int = 24) -> str:
        """The secret of this name, made of `size` random bytes when first asked for."""
        known = read_json(self.path("secrets.json"))
        if name not in known:
            known[name] = secrets.token_urlsafe(size)
            write_json(self.path("secrets.json"), known)
        return str(known[name])

    def has(self, milestone: str) -> bool:
        """Whether this was done in an earlier start."""
        return milestone in read_json(self.path("milestones.json"))

    def reach(self, milestone: str) -> None:
        """Remember that this is done."""
        known = read_json(self.path("milestones.json"))
        write_json(self.path("milestones.json"), known | {milestone: True})
