"""gunicorn's ASGI worker as we need it: errors in our shape, an end that breaks nothing."""

import os
import socket
from collections.abc import Iterable
from typing import Any

from gunicorn.asgi.protocol import ASGIProtocol  # type: ignore[import-untyped]
from gunicorn.workers import gasgi  # type: ignore[import-untyped]

from gateway import wire

ANNOUNCING_SECONDS = 0.5


class Protocol(ASGIProtocol):  # type: ignore[misc]
    """One connection. Whoever asks for a WebSocket gets the answer to a plain GET (RFC 9110)."""

    def _send_error_response(
        self, status: int, _message: str, extra_headers: Iterable[tuple[str, str]] = ()
    ) -> None:
        more = [(name.encode(), value.encode()) for name, value in extra_headers]
        self._safe_write(wire.error(status, more))

    def _is_websocket_upgrade(self, _request: Any) -> bool:
        return False

    def _will_close(self, *of_the_answer: Any) -> bool:
        return self.worker.leaving or bool(super()._will_close(*of_the_answer))


class Worker(gasgi.ASGIWorker):  # type: ignore[misc]
    """A worker that ends without breaking a connection somebody is about to ask over.

    gunicorn's closes those whose answer had left just before the signal and had promised to keep
    them, and resets those that it had not accepted yet.
    """

    leaving = False

    def init_process(self) -> None:
        gasgi.ASGIProtocol = Protocol
        super().init_process()

    def handle_exit_signal(self) -> None:
        """Say ``Connection: close`` with every answer from now on, and end a little later."""
        self.leaving = True
        self.loop.call_later(ANNOUNCING_SECONDS, super().handle_exit_signal)

    async def _shutdown(self) -> None:
        self.leaving = True  # Nobody said so to a worker whose master has died.
        for connection in self._stop_listening():
            await self.loop.connect_accepted_socket(lambda: Protocol(self), connection)
        await super()._shutdown()

    def _stop_listening(self) -> list[socket.socket]:
        """The connections that waited to be accepted when the last moment to do so had come."""
        waiting: list[socket.socket] = []
        for server in self.servers:
            queues = [socket.socket(fileno=os.dup(one.fileno())) for one in server.sockets]
            server.close()
            for queue in queues:
                with queue:
                    waiting += _accepted(queue)
        return waiting


def _accepted(queue: socket.socket) -> list[socket.socket]:
    queue.setblocking(False)
    accepted: list[socket.socket] = []
    while True:
        try:
            connection, _ = queue.accept()
        except OSError:
            return accepted
        connection.setblocking(False)
        accepted.append(connection)
