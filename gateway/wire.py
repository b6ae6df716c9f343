"""What is answered to bytes that never become a request: the same shape of errors as all others.

gunicorn writes these answers itself, before there is an application to ask, in plain text and with
words of the request in it. Its worker has no setting for that, so the one method that writes them
is replaced; tests/security/test_wire.py notices when a new version has it elsewhere.
"""

from collections.abc import Iterable
from http import HTTPStatus
from typing import Any

from gunicorn.asgi.protocol import ASGIProtocol  # type: ignore[import-untyped]
from gunicorn.workers import gasgi  # type: ignore[import-untyped]

from crmkit.ids import new_id
from gateway import answers, languages, problems
from gateway.answers import Header
from gateway.problems import Problem

_CODES = {
    400: "malformed_request",
    414: "address_too_long",
    431: "headers_too_large",
    500: "internal",
    501: "transfer_coding_unknown",
}


class Protocol(ASGIProtocol):  # type: ignore[misc]
    """One connection. Whoever asks for a WebSocket gets the answer to a plain GET (RFC 9110)."""

    def _send_error_response(
        self, status: int, _message: str, extra_headers: Iterable[tuple[str, str]] = ()
    ) -> None:
        more = [(name.encode(), value.encode()) for name, value in extra_headers]
        self._safe_write(error(status, more))

    def _is_websocket_upgrade(self, _request: Any) -> bool:
        return False


class Worker(gasgi.ASGIWorker):  # type: ignore[misc]
    """gunicorn's ASGI worker with our protocol."""

    def init_process(self) -> None:
        gasgi.ASGIProtocol = Protocol
        super().init_process()


def error(status: int, more: Iterable[Header] = ()) -> bytes:
    """The whole answer. Nothing of the request is in it, since nothing of it was understood."""
    request_id = str(new_id())
    problem = Problem(status, _CODES.get(status, "malformed_request"))
    body = problem.body(language=languages.DEFAULT, instance="", request_id=request_id)
    headers: list[Header] = [
        (b"content-type", problems.MEDIA_TYPE),
        (b"content-length", b"%d" % len(body)),
        (b"content-language", languages.DEFAULT.encode()),
        (b"request-id", request_id.encode()),
        (b"connection", b"close"),
        answers.API_POLICY,
        *answers.SAFETY,
        *more,
    ]
    line = f"HTTP/1.1 {status} {HTTPStatus(status).phrase}\r\n".encode()
    return line + b"".join(b"%s: %s\r\n" % one for one in headers) + b"\r\n" + body
