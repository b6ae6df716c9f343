"""The small HTTP page of a process: ``/live``, ``/ready`` and ``/metrics``."""

import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from crmkit import metrics
from crmkit.settings import Settings


def serve(settings: Settings, trouble: Callable[[], str | None]) -> None:
    """Answer on HEALTH_PORT in the background; nothing when it is 0 or unset.

    ``trouble`` says in a few words why the process is not ready, or None when it is.
    """
    port = settings.number("HEALTH_PORT", 0)
    if not port:
        return

    class Page(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, body = _answer(self.path, trouble)
            self.send_response(status)
            self.send_header("Content-Type", "text/plain; charset=utf-8")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Probes come every few seconds and say nothing new."""

    server = ThreadingHTTPServer((settings.text("HEALTH_HOST", "127.0.0.1"), port), Page)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, name="health", daemon=True).start()


def _answer(path: str, trouble: Callable[[], str | None]) -> tuple[int, bytes]:
    if path == "/live":
        return 200, b"alive\n"
    if path == "/ready":
        reason = trouble()
        return (503, f"{reason}\n".encode()) if reason else (200, b"ready\n")
    if path == "/metrics":
        return 200, metrics.page()
    return 404, b"/live, /ready or /metrics\n"
