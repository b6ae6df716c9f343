"""Stands in for the application's commands in tests of the machine room: same words, no work."""

import base64
import hashlib
import json
import os
import signal
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote, urlsplit


def password_hash(password: str) -> str:
    """RabbitMQ's salted SHA-256."""
    salt = b"salt"
    return base64.b64encode(salt + hashlib.sha256(salt + password.encode()).digest()).decode()


def definitions(uris: dict[str, str]) -> dict[str, object]:
    """Users from these addresses, one exchange, one queue, one stream."""
    users = {
        unquote(urlsplit(uri).username or ""): unquote(urlsplit(uri).password or "")
        for uri in uris.values()
    }
    return {
        "vhosts": [{"name": "crm"}],
        "users": [
            {
                "name": name,
                "password_hash": password_hash(password),
                "hashing_algorithm": "rabbit_password_hashing_sha256",
                "tags": "",
            }
            for name, password in users.items()
        ],
        "permissions": [
            {"user": name, "vhost": "crm", "configure": "", "write": ".*", "read": ".*"}
            for name in users
        ],
        "exchanges": [
            {
                "name": "sales.events", "vhost": "crm", "type": "topic", "durable": True,
                "auto_delete": False, "internal": False, "arguments": {},
            }
        ],
        "queues": [
            {
                "name": name, "vhost": "crm", "durable": True, "auto_delete": False,
                "arguments": arguments,
            }
            for name, arguments in {"rpc-sales": {}, "crm.feed": {"x-queue-type": "stream"}}.items()
        ],
        "bindings": [],
    }  # fmt: skip


class Ready(BaseHTTPRequestHandler):
    """200 to everything."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_args: object) -> None:
        return


def main() -> None:
    command = sys.argv[1]
    if command == "definitions":
        uris = {name: value for name, value in os.environ.items() if name.endswith("_AMQP_URI")}
        Path(sys.argv[3]).write_text(json.dumps(definitions(uris)))
        return
    if command in ("migrate", "seed"):
        sys.stdout.write(" ".join(sys.argv[1:]) + "\n")
        return
    if os.environ.get("FAKE_FAILURE") in sys.argv[1:]:
        sys.exit("Missing settings: EVERYTHING.")
    port = int(os.environ["PORT" if command == "gateway" else "HEALTH_PORT"])
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    server = ThreadingHTTPServer(("127.0.0.1", port), Ready)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    while True:
        signal.pause()


if __name__ == "__main__":
    main()
