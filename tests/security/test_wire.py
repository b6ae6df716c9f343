"""Bytes that are no request, over a bare socket: each is answered in the one shape of errors."""

import json
import socket

import httpx
import pytest

from crmkit.local.stack import LocalStack

HOST = b"Host: x\r\n"
CASES = {
    "no_http": (b"nonsense\r\n\r\n", 400),
    "no_version": (b"GET /v1/me\r\n\r\n", 400),
    "odd_version": (b"GET / HTTP/9.9\r\n" + HOST + b"\r\n", 400),
    "odd_method": (b"G\x00T / HTTP/1.1\r\n" + HOST + b"\r\n", 400),
    "blank_in_a_name": (b"GET / HTTP/1.1\r\n" + HOST + b"X : y\r\n\r\n", 400),
    "folded": (b"GET / HTTP/1.1\r\n" + HOST + b"X: y\r\n z\r\n\r\n", 400),
    "two_lengths": (
        b"POST /v1/sessions HTTP/1.1\r\n"
        + HOST
        + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\n",
        400,
    ),
    "length_and_chunks": (
        b"POST /v1/sessions HTTP/1.1\r\n"
        + HOST
        + b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        400,
    ),
    "odd_chunk": (
        b"POST /v1/sessions HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n",
        400,
    ),
    "odd_coding": (
        b"POST /v1/sessions HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: rot13, chunked\r\n\r\n",
        501,
    ),
    "long_address": (b"GET /" + b"a" * 9000 + b" HTTP/1.1\r\n" + HOST + b"\r\n", 414),
    "large_header": (b"GET / HTTP/1.1\r\n" + HOST + b"X: " + b"y" * 9000 + b"\r\n\r\n", 431),
    "many_headers": (
        b"GET / HTTP/1.1\r\n" + HOST + b"".join(b"X%d: y\r\n" % n for n in range(200)) + b"\r\n",
        431,
    ),
}


def said(stack: LocalStack, sent: bytes) -> tuple[int, dict[str, str], bytes]:
    """Status, headers and body of the answer to bytes; the server closes after it."""
    url = httpx.URL(stack.base_url)
    with socket.create_connection((url.host, url.port), timeout=60) as connection:
        connection.sendall(sent)
        received = b""
        while part := connection.recv(65536):
            received += part
    head, _, body = received.partition(b"\r\n\r\n")
    line, *rest = head.decode().split("\r\n")
    headers = {name.lower(): value for name, _, value in (one.partition(": ") for one in rest)}
    return int(line.split()[1]), headers, body


class TestBytesThatAreNoRequest:
    @pytest.mark.parametrize("case", CASES)
    def test_are_refused_in_the_one_shape(self, stack: LocalStack, case: str) -> None:
        sent, expected = CASES[case]
        status, headers, body = said(stack, sent)
        assert status == expected, body
        assert headers["content-type"] == "application/problem+json"
        assert headers["connection"] == "close"
        assert headers["x-content-type-options"] == "nosniff"
        assert int(headers["content-length"]) == len(body)
        problem = json.loads(body)
        assert problem["status"] == expected
        assert problem["type"] == f"/problems/{problem['code']}"
        assert problem["request_id"] == headers["request-id"]

    def test_do_not_come_back_in_the_answer(self, stack: LocalStack) -> None:
        _, _, body = said(stack, b"<script>alert(1)</script>\r\n\r\n")
        assert b"script" not in body

    def test_leave_the_next_connection_alone(self, stack: LocalStack) -> None:
        for sent, _ in CASES.values():
            said(stack, sent)
        assert httpx.get(f"{stack.base_url}/healthz", timeout=60).status_code == 200


class TestWebSocket:
    def test_is_answered_as_a_plain_request(self, stack: LocalStack) -> None:
        status, headers, _ = said(
            stack,
            b"GET /v1/me HTTP/1.1\r\n" + HOST + b"Connection: Upgrade, close\r\n"
            b"Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
            b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
        )
        assert status == 401
        assert headers["content-type"] == "application/problem+json"
