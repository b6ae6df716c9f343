"""What a run of faults cost: events lost, effects doubled, rows stuck, order broken, seconds lost.

Counted from outside: by SQL on each owner's database, by the mails that were caught, and by an ERP
that consumes its queue.
"""

import contextlib
import json
import sqlite3
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any
from uuid import UUID

import pika
import psycopg
from pika.adapters.utils.connection_workflow import AMQPConnectorException

from crmkit import topology
from crmkit.dsn import dsn
from crmkit.local.stack import LocalStack

ORDER_SUBMITTED = "crm.sales.order.submitted.v1"
HANDLERS = {
    "customers": "customers.on_order_submitted",
    "notifications": "notifications.on_order_submitted",
}
QUIET_ROUNDS = 2
# A broker that takes the connection and says nothing is none of pika's AMQPErrors.
NO_BROKER = (pika.exceptions.AMQPError, AMQPConnectorException, OSError)


class Databases:
    """Read access to every owner's database, with connections that are renewed when they broke."""

    def __init__(self, stack: LocalStack) -> None:
        env = stack.env()
        self.owners = stack.owners
        self._dsn = {owner: dsn(env[f"{owner.upper()}_DATABASE_URL"]) for owner in self.owners}
        self._open: dict[str, psycopg.Connection[Any]] = {}

    def dsn(self, owner: str) -> str:
        """Where the owner's database is."""
        return self._dsn[owner]

    def rows(self, owner: str, query: str, *values: Any) -> list[tuple[Any, ...]]:
        """The rows of a query."""
        connection = self._open.get(owner)
        if connection is None or connection.closed or connection.broken:
            connection = psycopg.connect(
                self._dsn[owner],
                autocommit=True,
                connect_timeout=3,
                # The owner's own limit is meant for requests, not for counting everything.
                options="-c statement_timeout=60000",
            )
            self._open[owner] = connection
        return connection.execute(query, values).fetchall()

    def number(self, owner: str, query: str, *values: Any) -> int:
        """The only value of a query, as a number."""
        return int(self.rows(owner, query, *values)[0][0] or 0)

    def close(self) -> None:
        """Give all connections back."""
        for connection in self._open.values():
            connection.close()
        self._open.clear()


@dataclass
class Seen:
    """One event as the ERP has seen it."""

    type: str
    subject: str
    version: int
    deliveries: int = 0


class Erp:
    """A consumer of the ERP's queue that notes everything, and of the feed when it is asked to.

    Events of one subject must be met in the order of their versions; a later repetition of an old
    one is no violation, since a crash between sending and noting repeats what was sent.
    """

    def __init__(self, uri: str, queue: str = topology.ERP_QUEUE) -> None:
        self._uri, self._queue = uri, queue
        self.seen: dict[str, Seen] = {}
        self.violations: list[str] = []
        self._newest: dict[str, int] = {}
        self._over = threading.Event()
        self.attached = threading.Event()
        self._thread = threading.Thread(target=self._run, name="erp", daemon=True)

    def __enter__(self) -> "Erp":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join(10)

    @property
    def repeated(self) -> int:
        """Deliveries beyond the first of each event: the wire's at-least-once."""
        return sum(one.deliveries - 1 for one in list(self.seen.values()))

    def of(self, kind: str) -> dict[str, Seen]:
        """The events of a type, by id."""
        return {key: one for key, one in list(self.seen.items()) if one.type == kind}

    def _run(self) -> None:
        while not self._over.is_set():
            with contextlib.suppress(*NO_BROKER):
                self._consume()
            self.attached.clear()
            self._over.wait(0.3)

    def _consume(self) -> None:
        parameters = [pika.URLParameters(one) for one in self._uri.split(";")]
        for one in parameters:
            one.heartbeat, one.socket_timeout = 10, 3
        with pika.BlockingConnection(parameters) as connection:
            channel = connection.channel()
            channel.basic_qos(prefetch_count=200)
            # A stream is read from where it ends now, again from there after a lost connection.
            offset = {"x-stream-offset": "first"} if self._queue == topology.FEED else None
            arrivals = channel.consume(self._queue, arguments=offset, inactivity_timeout=0.2)
            for method, _, body in arrivals:
                if self._over.is_set():
                    return
                self.attached.set()
                if method is not None:
                    self._note(json.loads(body))
                    channel.basic_ack(method.delivery_tag)

    def _note(self, event: Mapping[str, Any]) -> None:
        key, subject, version = event["id"], event["subject"], event["aggregateversion"]
        one = self.seen.get(key)
        if one is None:
            one = self.seen[key] = Seen(event["type"], subject, version)
            if version < self._newest.get(subject, 0):
                self.violations.append(f"{subject} {version} after {self._newest[subject]}")
            self._newest[subject] = max(version, self._newest.get(subject, 0))
        one.deliveries += 1


@dataclass
class Findings:
    """The counters of a run. All but the times must be zero."""

    lost: Counter[str] = field(default_factory=Counter)
    duplicated: Counter[str] = field(default_factory=Counter)
    unexpected: Counter[str] = field(default_factory=Counter)
    stuck: Counter[str] = field(default_factory=Counter)
    order_violations: int = 0
    converged_seconds: float = 0.0

    @property
    def clean(self) -> bool:
        """Whether the promise was kept."""
        return not any((*self._counters(), self.order_violations))

    @property
    def settled(self) -> bool:
        """Whether nothing is missing or under way any more."""
        return not (self.lost or self.stuck)

    def _counters(self) -> tuple[int, ...]:
        return tuple(
            sum(one.values()) for one in (self.lost, self.duplicated, self.unexpected, self.stuck)
        )

    def numbers(self) -> dict[str, Any]:
        """The counters as the report shows them."""
        names = ("lost", "duplicated", "unexpected", "stuck")
        return dict(zip(names, self._counters(), strict=True)) | {
            "order_violations": self.order_violations,
            "converged_seconds": round(self.converged_seconds, 1),
        }

    def __str__(self) -> str:
        return ", ".join(
            f"{k}={dict(v) if isinstance(v, Counter) else v}" for k, v in asdict(self).items() if v
        )


def _plus(**counts: int) -> Counter[str]:
    return Counter({name: count for name, count in counts.items() if count > 0})


class Checker:
    """Compares what was asked of a stack since the checker was made with what became of it."""

    def __init__(self, stack: LocalStack) -> None:
        self._stack = stack
        self.databases = Databases(stack)
        self._parked_before = self._parked()

    def close(self) -> None:
        """Give all connections back."""
        self.databases.close()

    # Stuck

    def _parked(self) -> dict[str, int]:
        query = "select count(*) from inbox where status = 'parked'"
        return {owner: self.databases.number(owner, query) for owner in self.databases.owners}

    def stuck(self) -> Counter[str]:
        """What is under way or was put aside, in every database."""
        found: Counter[str] = Counter()
        for owner in self.databases.owners:
            ((waiting, failed, parked),) = self.databases.rows(
                owner,
                "select (select count(*) from outbox where published_at is null),"
                " count(*) filter (where status = 'failed'),"
                " count(*) filter (where status = 'parked') from inbox",
            )
            found[f"{owner} outbox"] += waiting
            found[f"{owner} inbox failed"] += failed
            found[f"{owner} inbox parked"] += parked - self._parked_before[owner]
        found["messages sending"] += self.databases.number(
            "notifications", "select count(*) from message where status in ('sending', 'queued')"
        )
        return +found

    # Orders

    def orders(
        self, marker: str, wins: Mapping[str, str], erp: Erp, customers: Sequence[str]
    ) -> Findings:
        """What became of the orders that were won: ``wins`` is the order of each opportunity.

        ``marker`` is the title that all opportunities of the run bear, ``customers`` are theirs.
        """
        findings = Findings(stuck=self.stuck())
        orders = set(wins.values())
        self._sales(marker, wins, findings)
        self._handled(orders, findings)
        self._messages(orders, findings)
        self._erp(orders, erp, findings)
        self._counted(customers, findings)
        return findings

    def _sales(self, marker: str, wins: Mapping[str, str], findings: Findings) -> None:
        rows = self.databases.rows(
            "sales",
            "select o.id::text, s.id::text, coalesce(w.times, 0), coalesce(e.times, 0)"
            " from opportunity o left join sales_order s on s.opportunity_id = o.id"
            " left join (select opportunity_id as id, count(*) as times from stage_entry"
            " where to_stage = 'won' group by 1) w on w.id = o.id"
            " left join (select aggregate_id as id, count(*) as times from outbox"
            f" where type = '{ORDER_SUBMITTED}' group by 1) e on e.id = s.id"
            " where o.title = %s",
            marker,
        )
        known = {row[0]: row for row in rows}
        answered = [(known.get(key), order) for key, order in wins.items()]
        findings.lost += _plus(
            orders=sum(row is None or row[1] != order for row, order in answered),
            events=sum(row is not None and row[3] == 0 for row, _ in answered),
        )
        findings.duplicated += _plus(
            orders=len(rows) - len(known),
            wins=sum(row[2] > 1 for row in rows),
            events=sum(row[3] > 1 for row in rows),
        )
        findings.unexpected += _plus(opportunities=len(set(known) - set(wins)))

    def _handled(self, orders: set[str], findings: Findings) -> None:
        events = {
            str(event): str(order)
            for event, order in self.databases.rows(
                "sales",
                f"select event_id, aggregate_id from outbox where type = '{ORDER_SUBMITTED}'"
                " and aggregate_id = any(%s)",
                [UUID(order) for order in orders],
            )
        }
        for owner, handler in HANDLERS.items():
            done = self.databases.number(
                owner,
                "select count(*) from inbox where consumer = %s and status = 'done'"
                " and event_id = any(%s)",
                handler,
                [UUID(event) for event in events],
            )
            findings.lost += _plus(**{f"{owner} handled": len(events) - done})

    def _messages(self, orders: set[str], findings: Findings) -> None:
        keys = [f"order:{order}" for order in orders]
        rows = self.databases.rows(
            "notifications",
            "select id::text, status from message where dedupe_key = any(%s)",
            keys,
        )
        findings.lost += _plus(
            messages=len(keys) - len(rows),
            mails=sum(status not in ("sent", "delivered") for _, status in rows),
        )

    def _erp(self, orders: set[str], erp: Erp, findings: Findings) -> None:
        subjects = Counter(one.subject for one in erp.of(ORDER_SUBMITTED).values())
        expected = {f"order/{order}" for order in orders}
        findings.lost += _plus(erp=len(expected - set(subjects)))
        findings.duplicated += _plus(erp=sum(subjects[key] > 1 for key in expected))
        findings.order_violations = len(erp.violations)

    def _counted(self, customers: Sequence[str], findings: Findings) -> None:
        """Hold each customer's counter against the orders in sales: a second handling shows."""
        ids = [UUID(one) for one in customers]
        # In this order, an order that is placed just now may be missed and never counts twice.
        counted = self.databases.rows(
            "customers", "select id, orders_count from customer where id = any(%s)", ids
        )
        placed = dict(
            self.databases.rows(
                "sales",
                "select customer_id, count(*) from sales_order where customer_id = any(%s)"
                " group by customer_id",
                ids,
            )
        )
        ahead = [count - placed.get(customer, 0) for customer, count in counted]
        findings.lost += _plus(counted=sum(-one for one in ahead if one < 0))
        findings.duplicated += _plus(counted=sum(one for one in ahead if one > 0))

    def mails(self, orders: set[str]) -> tuple[int, int]:
        """Confirmations that arrived, and how many arrived again under the same Message-ID."""
        rows = self.databases.rows(
            "notifications",
            "select id::text from message where dedupe_key = any(%s)",
            [f"order:{order}" for order in orders],
        )
        ours = {row[0] for row in rows}
        file = self._stack.installation.path("mails.sqlite")
        with contextlib.closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True)) as store:
            found = Counter(key for key in _message_ids(store) if key in ours)
        return len(found), sum(found.values()) - len(found)


def _message_ids(store: sqlite3.Connection) -> list[str]:
    """The local part of each mail's Message-ID, which is the id of its message in the ledger."""
    rows = store.execute("select json_extract(document, '$.message_id') from message").fetchall()
    return [str(row[0]).strip("<>").split("@")[0] for row in rows]


def converge(
    look: Callable[[], Findings], *, seconds: float, since: float | None = None
) -> Findings:
    """The findings once nothing is missing or under way, or what is left after ``seconds``."""
    began = time.monotonic() if since is None else since
    while True:
        try:
            findings = look()
        except psycopg.errors.QueryCanceled:
            raise
        except psycopg.OperationalError:
            findings = Findings(stuck=Counter({"database": 1}))
        findings.converged_seconds = time.monotonic() - began
        if findings.settled or time.monotonic() - began > seconds:
            return findings
        time.sleep(0.2)
