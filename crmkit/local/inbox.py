"""An inbox to look into: messages in one SQLite file, shown as a web page and as JSON.

Shared by the mail catcher and the SMS simulator, which only say how a message looks.  Python's own
HTTP server does for one developer and one test suite; nothing has to be installed for it.
"""

import base64
import hashlib
import ipaddress
import json
import logging
import sqlite3
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from html import escape
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from string import Template
from typing import Any
from urllib.parse import parse_qs, urlsplit

log = logging.getLogger(__name__)

PAGE = Template(Path(__file__).with_name("inbox.html").read_text(encoding="utf-8"))
# A bulk run must not fill the disk: the oldest go first.
KEPT_MESSAGES = 50_000
LIST_LENGTH = 100
LARGEST_LIST = 1_000
# Mail may show pictures that it carries or that Rapport itself serves, nothing from elsewhere.
CONTENT_POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-{script}';"
    " connect-src 'self'; img-src data: http://127.0.0.1:* http://localhost:*;"
    " frame-ancestors 'self'; base-uri 'none'"
)


class InboxStore:
    """The messages of one inbox, oldest forgotten; safe to use from several threads."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._lock = threading.Lock()
        self._database = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
        # A test inbox: fast matters, surviving a power cut does not.
        self._database.executescript(
            """
            PRAGMA journal_mode = WAL;
            PRAGMA synchronous = OFF;
            CREATE TABLE IF NOT EXISTS message (
                id INTEGER PRIMARY KEY AUTOINCREMENT,
                received_at TEXT NOT NULL,
                recipients TEXT NOT NULL,
                document TEXT NOT NULL,
                raw BLOB NOT NULL
            );
            """
        )

    def add(self, recipients: list[str], document: Mapping[str, Any], raw: bytes = b"") -> int:
        """Keep a message; its id, which only grows."""
        now = datetime.now(UTC).isoformat(timespec="milliseconds")
        with self._lock:
            cursor = self._database.execute(
                "INSERT INTO message (received_at, recipients, document, raw) VALUES (?, ?, ?, ?)",
                (now, _recipient_line(recipients), json.dumps(document), raw),
            )
            number = cursor.lastrowid or 0
            if number % 1000 == 0:
                self._database.execute(
                    "DELETE FROM message WHERE id <= ?", (number - KEPT_MESSAGES,)
                )
            return number

    def replace(self, number: int, document: Mapping[str, Any]) -> None:
        """Change what is shown of a message."""
        with self._lock:
            self._database.execute(
                "UPDATE message SET document = ? WHERE id = ?", (json.dumps(document), number)
            )

    def list(
        self, *, to: str = "", limit: int = LIST_LENGTH, after: int | None = None
    ) -> list[dict[str, Any]]:
        """The newest messages, newest first; with `after` those with a greater id, oldest first."""
        order = "DESC" if after is None else "ASC"
        with self._lock:
            rows = self._database.execute(
                "SELECT id, received_at, document FROM message"  # noqa: S608 - one of two words
                f" WHERE id > ? AND recipients LIKE ? ESCAPE '\\' ORDER BY id {order} LIMIT ?",
                (after or 0, _recipient_pattern(to), limit),
            ).fetchall()
        return [_with_head(*row) for row in rows]

    def get(self, number: int) -> tuple[dict[str, Any], bytes] | None:
        """A message and its raw form, or None."""
        with self._lock:
            row = self._database.execute(
                "SELECT id, received_at, document, raw FROM message WHERE id = ?", (number,)
            ).fetchone()
        return (_with_head(*row[:3]), bytes(row[3])) if row else None

    def count(self) -> int:
        """How many are kept."""
        with self._lock:
            return int(self._database.execute("SELECT count(*) FROM message").fetchone()[0])

    def clear(self) -> None:
        """Forget all; ids go on growing."""
        with self._lock:
            self._database.execute("DELETE FROM message")


def _recipient_line(recipients: list[str]) -> str:
    return "\n" + "\n".join(address.lower() for address in recipients) + "\n"


def _recipient_pattern(to: str) -> str:
    if not to:
        return "%"
    plain = to.lower().replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    return f"%\n{plain}\n%"


def _with_head(number: int, received_at: str, document: str) -> dict[str, Any]:
    return {"id": number, "received_at": received_at, **json.loads(document)}


@dataclass(frozen=True, slots=True)
class Inbox:
    """How one kind of message is shown.

    `row` gives who, what and where-to of a line in the list; `details` the whole message as JSON;
    `view` the same as HTML.  `incoming` takes a POSTed message for the application, if there is
    a way in.
    """

    title: str
    hint: str
    store: InboxStore
    row: Callable[[dict[str, Any]], tuple[str, str, str]]
    details: Callable[[dict[str, Any], bytes], dict[str, Any]]
    view: Callable[[dict[str, Any]], str]
    incoming: Callable[[dict[str, Any]], None] | None = None


@contextmanager
def serving(inbox: Inbox, host: str, port: int) -> Iterator[None]:
    """Answer in background threads while the block runs."""

    class Handler(InboxRequest):
        pass

    Handler.inbox = inbox
    server = ThreadingHTTPServer((host, port), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, name="inbox-page", daemon=True).start()
    try:
        yield
    finally:
        server.shutdown()


def is_local_name(host: str) -> bool:
    """Whether a Host header names this machine or a container, not a public domain.

    Keeps a web page elsewhere from reading the inbox by pointing its own name at 127.0.0.1.
    """
    name = urlsplit(f"//{host}").hostname or ""
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return "." not in name or name.endswith(".localhost")
    return True


class InboxRequest(BaseHTTPRequestHandler):
    """One request to the page or its JSON."""

    inbox: Inbox
    protocol_version = "HTTP/1.1"
    server_version = "Rapport"
    sys_version = ""

    def do_GET(self) -> None:
        """The page, the list, one message, or 404."""
        if not is_local_name(self.headers.get("Host", "")):
            self._json({"error": "Unknown host."}, HTTPStatus.MISDIRECTED_REQUEST)
            return
        url = urlsplit(self.path)
        query = {name: values[-1] for name, values in parse_qs(url.query).items()}
        match url.path.strip("/").split("/"):
            case [""]:
                self._page(None, query)
            case ["messages", number] if number.isdigit():
                self._page(int(number), query)
            case ["ready" | "live"]:
                self._json({"status": "ok"})
            case ["api", "messages"]:
                self._list(query)
            case ["api", "messages", number] if number.isdigit():
                self._one(int(number))
            case _:
                self._json({"error": "No such page."}, HTTPStatus.NOT_FOUND)

    def do_DELETE(self) -> None:
        """Empty the inbox; a page elsewhere cannot, for browsers ask first and we do not answer."""
        if self.path != "/api/messages" or not is_local_name(self.headers.get("Host", "")):
            self._json({"error": "No such page."}, HTTPStatus.NOT_FOUND)
            return
        self.inbox.store.clear()
        self._send(b"", "text/plain", HTTPStatus.NO_CONTENT)

    def do_POST(self) -> None:
        """Send a message towards the application, as a customer's phone would."""
        body = self.rfile.read(min(int(self.headers.get("Content-Length") or 0), 100_000))
        wanted = self.path == "/api/incoming" and self.inbox.incoming is not None
        if not wanted or not is_local_name(self.headers.get("Host", "")):
            self._json({"error": "No such page."}, HTTPStatus.NOT_FOUND)
            return
        if not self.headers.get("Content-Type", "").startswith("application/json"):
            self._json({"error": "Send application/json."}, HTTPStatus.UNSUPPORTED_MEDIA_TYPE)
            return
        try:
            if self.inbox.incoming is not None:
                self.inbox.incoming(json.loads(body))
        except (ValueError, KeyError, TypeError) as error:
            self._json({"error": f"Not understood: {error}."}, HTTPStatus.UNPROCESSABLE_ENTITY)
            return
        self._json({"status": "accepted"}, HTTPStatus.ACCEPTED)

    def _list(self, query: Mapping[str, str]) -> None:
        try:
            limit = max(1, min(int(query.get("limit", LIST_LENGTH)), LARGEST_LIST))
            after = int(query["after"]) if "after" in query else None
        except ValueError:
            self._json({"error": "limit and after are numbers."}, HTTPStatus.UNPROCESSABLE_ENTITY)
            return
        found = self.inbox.store.list(to=query.get("to", ""), limit=limit, after=after)
        self._json({"messages": found})

    def _one(self, number: int) -> None:
        found = self.inbox.store.get(number)
        if found is None:
            self._json({"error": "No such message."}, HTTPStatus.NOT_FOUND)
            return
        self._json(self.inbox.details(*found))

    def _page(self, number: int | None, query: Mapping[str, str]) -> None:
        to = query.get("to", "")
        rows = self.inbox.store.list(to=to)
        shown = None if number is None else self.inbox.store.get(number)
        if number is not None and shown is None:
            self._send(b"No such message.", "text/plain", HTTPStatus.NOT_FOUND)
            return
        view = self._nothing() if shown is None else self.inbox.view(self.inbox.details(*shown))
        page = PAGE.substitute(
            title=escape(self.inbox.title),
            hint=escape(self.inbox.hint),
            count=self.inbox.store.count(),
            newest=rows[0]["id"] if rows else 0,
            to=escape(to, quote=True),
            rows="".join(self._row(row, number, to) for row in rows),
            view=view,
            state="reading" if shown else "listing",
        )
        self._send(page.encode(), "text/html; charset=utf-8")

    def _row(self, message: dict[str, Any], chosen: int | None, to: str) -> str:
        who, what, where = (escape(text) for text in self.inbox.row(message))
        current = ' aria-current="true"' if message["id"] == chosen else ""
        query = f"?to={escape(to, quote=True)}" if to else ""
        at = escape(message["received_at"], quote=True)
        return (
            f'<li><a href="/messages/{message["id"]}{query}"{current}>'
            f'<span class="who">{who}</span><time datetime="{at}">{at[11:16]}</time>'
            f'<span class="what">{what}</span><span class="where">{where}</span></a></li>'
        )

    def _nothing(self) -> str:
        word = "Choose a message." if self.inbox.store.count() else "Nothing has arrived yet."
        return f'<div class="empty"><p>{word}</p></div>'

    def _json(self, value: Mapping[str, Any], status: HTTPStatus = HTTPStatus.OK) -> None:
        self._send(json.dumps(value, ensure_ascii=False).encode(), "application/json", status)

    def _send(self, body: bytes, kind: str, status: HTTPStatus = HTTPStatus.OK) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Cache-Control", "no-store")
        self.send_header("X-Content-Type-Options", "nosniff")
        self.send_header("Referrer-Policy", "no-referrer")
        if kind.startswith("text/html"):
            self.send_header("Content-Security-Policy", CONTENT_POLICY.format(script=SCRIPT_HASH))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Only what went wrong is worth a line."""
        if args and len(args) > 1 and str(args[1]) >= "500":
            log.warning(format, *args)


def _script_hash() -> str:
    """What the page's own script hashes to: the only one that the content policy lets run."""
    script = PAGE.template.partition("<script>")[2].partition("</script>")[0]
    return base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()


SCRIPT_HASH = _script_hash()
