"""What is answered to bytes that never become a request: the same shape of errors as all others.

gunicorn would write these answers itself, before there is an application to ask, in plain text and
with words of the request in it. It has no setting for that, so ``gateway.worker`` replaces the one
method that writes them; tests/security/test_wire.py notices when a new version has it elsewhere.
"""

from collections.abc import Iterable
from http import HTTPStatus

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
