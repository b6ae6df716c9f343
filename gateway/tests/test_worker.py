"""The end of a gateway, with clients that go on asking over the connections they have."""

import http.client
import multiprocessing
import socket
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager
from functools import partial
from multiprocessing.context import SpawnProcess
from pathlib import Path
from typing import Any

import pytest

from crmkit.local.installation import Installation
from crmkit.settings import Settings
from crmkit.testing import eventually
from gateway import worker
from gateway.server import Server, options

CLIENTS = 6
ENDS = 5
RECONNECT_SECONDS = 0.003
# Longer than a gateway's own: who has a connection may stand still meanwhile.
ANNOUNCING_SECONDS = 2.0
# Who connects in the microseconds between the last look and the close is reset all the same; all of
# them if it is just then that others get the processor. Without the last look it is some ten.
MOST_BROKEN = CLIENTS


async def ok(scope: Any, receive: Any, send: Any) -> None:
    """Answers everything, in as little time as can be."""
    if scope["type"] == "lifespan":
        for kind in ("startup", "shutdown"):
            await receive()
            await send({"type": f"lifespan.{kind}.complete"})
        return
    headers = [(b"content-length", b"2")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": b"ok"})


class Quick(Server):
    """Our server with that application."""

    def load(self) -> Any:
        return ok


def serve(port: int) -> None:
    """The whole of a gateway's process."""
    worker.ANNOUNCING_SECONDS = ANNOUNCING_SECONDS
    Quick(options(Settings({"PORT": str(port), "LOG_LEVEL": "error"}))).run()


@contextmanager
def gateway(folder: Path) -> Iterator[tuple[int, SpawnProcess]]:
    """Its port and its process; it is told to end at the end, and has ended then."""
    port = Installation(folder).port("gateway")
    process = multiprocessing.get_context("spawn").Process(target=serve, args=(port,))
    process.start()
    try:
        eventually(lambda: _listening(port))
        yield port, process
    finally:
        process.terminate()
        process.join(60)


def _listening(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except ConnectionRefusedError:
        return False
    return True


def _asked(outcomes: Counter[str], least: int) -> bool:
    return outcomes.total() > least


def ask_until_refused(port: int, outcomes: Counter[str]) -> None:
    """Ask over one connection as long as it is kept, then over the next."""
    while True:
        with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=10)) as connection:
            try:
                connection.connect()
            except ConnectionRefusedError:
                return
            except ConnectionResetError:
                continue  # As good as refused: nothing was asked yet.
            _ask_while_kept(connection, outcomes)
        time.sleep(RECONNECT_SECONDS)


def _ask_while_kept(connection: http.client.HTTPConnection, outcomes: Counter[str]) -> None:
    kept, whose = True, "new"
    while kept:
        try:
            connection.request("GET", "/")
            answer = connection.getresponse()
            answer.read()
        except (OSError, http.client.HTTPException) as error:
            outcomes[f"{whose}: {error!r}"] += 1
            return
        outcomes[str(answer.status)] += 1
        kept, whose = not answer.will_close, "kept"


@pytest.mark.server
def test_its_end_breaks_no_connection(tmp_path: Path) -> None:
    outcomes: Counter[str] = Counter()
    for _ in range(ENDS):
        before = outcomes.total()
        with gateway(tmp_path) as (port, process):
            clients = [
                threading.Thread(target=ask_until_refused, args=(port, outcomes), daemon=True)
                for _ in range(CLIENTS)
            ]
            for client in clients:
                client.start()
            eventually(partial(_asked, outcomes, before + 500))
        assert process.exitcode == 0
        for client in clients:
            client.join(60)
    assert not [outcome for outcome in outcomes if outcome.startswith("kept")], outcomes
    assert outcomes.total() - outcomes["200"] <= MOST_BROKEN, outcomes


@pytest.mark.server
def test_a_worker_whose_master_has_died_says_that_it_ends(tmp_path: Path) -> None:
    with gateway(tmp_path) as (port, process):
        with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=10)) as connection:
            assert not _closed_by(connection)
            process.kill()
            eventually(partial(_closed_by, connection))
        eventually(lambda: not _listening(port))


def _closed_by(connection: http.client.HTTPConnection) -> bool:
    connection.request("GET", "/")
    answer = connection.getresponse()
    answer.read()
    return answer.will_close
