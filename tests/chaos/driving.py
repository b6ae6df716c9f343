"""The load: clients that repeat a request under one key until they have their answer."""

import http.client
import json
import threading
import time
import uuid
from collections import Counter, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from crmkit.testing import eventually
from tests.chaos.checker import Databases
from tests.talking import Api

Json = dict[str, Any]
PATIENCE_SECONDS = 90.0
REPEAT_SECONDS = 0.3
TO_BE_REPEATED = {409, 429, 502, 503}


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP answer with the seconds it took; status 0 is no answer at all."""

    status: int
    headers: dict[str, str]
    body: bytes
    seconds: float

    @property
    def json(self) -> Json:
        """The body."""
        found: Json = json.loads(self.body or b"{}")
        return found


class Driver:
    """One client with one connection, much cheaper than a full HTTP library; for one thread.

    Of several gateways it keeps to one until that one closes or refuses a connection.
    """

    def __init__(
        self, base_url: str | Sequence[str], token: str, timeout_seconds: float = 20.0
    ) -> None:
        addresses = [base_url] if isinstance(base_url, str) else base_url
        self._addresses = deque(urlsplit(one).netloc for one in addresses)
        self._token = token
        self._timeout = timeout_seconds
        self._connection: http.client.HTTPConnection | None = None

    def __enter__(self) -> "Driver":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def ask(self, method: str, path: str, body: Json | None = None, **headers: str) -> Answer:
        """The answer, whatever it is. Every POST gets a new Idempotency-Key unless one is given."""
        sent = {"Authorization": f"Bearer {self._token}"}
        sent |= {name.replace("_", "-"): value for name, value in headers.items()}
        content = None
        if body is not None:
            content, sent["Content-Type"] = json.dumps(body), "application/json"
        if method == "POST":
            sent.setdefault("Idempotency-Key", str(uuid.uuid4()))
        began = time.monotonic()
        try:
            if self._connection is None:
                self._connection = self._connect()
            self._connection.request(method, path, content, sent)
            got = self._connection.getresponse()
            text = got.read()
        except (OSError, http.client.HTTPException) as error:
            self.close()
            return Answer(0, {}, repr(error).encode(), time.monotonic() - began)
        found = {name.lower(): value for name, value in got.getheaders()}
        if got.will_close:
            self.close()
            self._addresses.rotate(-1)
        return Answer(got.status, found, text, time.monotonic() - began)

    def _connect(self) -> http.client.HTTPConnection:
        refusal: OSError = ConnectionRefusedError("there is no gateway")
        for _ in range(len(self._addresses)):
            connection = http.client.HTTPConnection(self._addresses[0], timeout=self._timeout)
            try:
                connection.connect()
            except (ConnectionRefusedError, ConnectionResetError) as error:
                refusal = error
                self._addresses.rotate(-1)
            else:
                return connection
        raise refusal

    def close(self) -> None:
        """Give the connection back."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None


@dataclass
class Load:
    """Opportunities opened and won by several clients, and what they were answered.

    ``wins`` has the order of each opportunity won. ``limit`` ends it by number, ``seconds`` by
    time.
    """

    base_url: str | Sequence[str]
    token: str
    customers: Sequence[str]
    marker: str
    limit: int = 10**9
    seconds: float = 10**9
    pause: float = 0.0
    wins: dict[str, str] = field(default_factory=dict)
    answers: Counter[int] = field(default_factory=Counter)
    slowest: float = 0.0
    latencies: list[float] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    broken: Counter[str] = field(default_factory=Counter)
    last_answer_at: float = 0.0
    _taken: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def run(self, clients: int = 8, more: Callable[[], bool] = lambda: False) -> None:
        """Work until the limit; beyond ``seconds`` only while ``more`` says so."""
        end = time.monotonic() + self.seconds
        threads = [
            threading.Thread(target=self._work, args=(end, more), name=f"client {n}", daemon=True)
            for n in range(clients)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.last_answer_at = time.monotonic()

    @property
    def answered(self) -> str:
        """How often each status was answered; 0 is a connection that broke."""
        return " ".join(f"{status}:{count}" for status, count in sorted(self.answers.items()))

    def _take(self) -> int | None:
        with self._lock:
            if self._taken >= self.limit:
                return None
            self._taken += 1
            return self._taken

    def _work(self, end: float, more: Callable[[], bool]) -> None:
        with Driver(self.base_url, self.token) as driver:
            self._win_with(driver, end, more)

    def _win_with(self, driver: Driver, end: float, more: Callable[[], bool]) -> None:
        while time.monotonic() < end or more():
            number = self._take()
            if number is None or len(self.failures) > 10:
                break
            body = {
                "customer_id": self.customers[number % len(self.customers)],
                "title": self.marker,
                "amount": {"amount": "7", "currency": "USD"},
            }
            opened = self._until_had(driver, "/v1/opportunities", body)
            if opened is None:
                continue
            won = self._until_had(driver, f"/v1/opportunities/{opened['id']}/actions/win", {})
            if won is not None:
                self.wins[opened["id"]] = won["order_id"]
            if self.pause:
                time.sleep(self.pause)

    def _until_had(self, driver: Driver, path: str, body: Json) -> Json | None:
        key, end = str(uuid.uuid4()), time.monotonic() + PATIENCE_SECONDS
        while True:
            answer = driver.ask("POST", path, body, Idempotency_Key=key)
            with self._lock:
                self.answers[answer.status] += 1
                self.slowest = max(self.slowest, answer.seconds)
                if answer.status == 0:
                    self.broken[answer.body.decode()] += 1
            if answer.status in (200, 201):
                self.latencies.append(answer.seconds)
                return answer.json
            repeated = answer.status == 0 or answer.status in TO_BE_REPEATED
            if not repeated or time.monotonic() > end:
                self.failures.append(f"POST {path}: {answer.status} {answer.body[:300]!r}")
                return None
            time.sleep(REPEAT_SECONDS)

    def percentile(self, share: float) -> float:
        """The time within which that share of the successful answers came, in milliseconds."""
        ordered = sorted(self.latencies) or [0.0]
        return round(ordered[min(len(ordered) - 1, int(share * len(ordered)))] * 1000, 1)


def token_of(api: Api) -> str:
    """The access token the client has logged in with."""
    return api.headers["Authorization"].removeprefix("Bearer ")


def some_customers(api: Api, number: int, databases: Databases) -> list[str]:
    """The ids of that many new customers, each with an address, once sales has heard of them."""
    made = [str(api.new_customer()["id"]) for _ in range(number)]
    known = "select count(*) from customer where id = any(%s)"
    ids = [uuid.UUID(one) for one in made]
    eventually(lambda: databases.number("sales", known, ids) == number, seconds=60)
    return made
