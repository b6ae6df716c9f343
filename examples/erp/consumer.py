"""An ERP that takes in Rapport's events: the example to start from, and the conformance test.

    AMQP_URL=amqp://erp:…@127.0.0.1:5672/crm ERP_STORE=erp.sqlite python consumer.py

Needs only pika. It survives restarts of itself and of the broker, takes in each event once however
often it is delivered, and acknowledges only what its own database has committed. AMQP_URL may name
several nodes of a cluster, parted by ``;``.
"""

import json
import logging
import os
import signal
import sqlite3
import sys
import time
from typing import Any

import pika
from pika.adapters.utils.connection_workflow import AMQPConnectorException

log = logging.getLogger("erp")

QUEUE = "erp.outbound"
PREFETCH = 50
_TABLES = """
create table if not exists event (
    source text not null, id text not null, type text not null, subject text not null,
    version integer not null, received_at text not null default current_timestamp,
    primary key (source, id));
create table if not exists sales_order (
    id text primary key, number text not null, customer_id text not null,
    amount text not null, currency text not null, version integer not null);
"""


class Store:
    """The ERP's own database."""

    def __init__(self, path: str) -> None:
        self._database = sqlite3.connect(path)
        self._database.executescript(_TABLES)

    def take_in(self, event: dict[str, Any]) -> bool:
        """Keep an event and what it says, in one transaction; False if it was here before."""
        with self._database:
            noted = self._database.execute(
                "insert into event (source, id, type, subject, version) values (?, ?, ?, ?, ?)"
                " on conflict do nothing",
                (
                    event["source"],
                    event["id"],
                    event["type"],
                    event["subject"],
                    event["aggregateversion"],
                ),
            )
            if noted.rowcount == 0:
                return False
            if event["type"] == "crm.sales.order.submitted.v1":
                self._book(event["data"], event["aggregateversion"])
            return True

    def _book(self, order: dict[str, Any], version: int) -> None:
        # Events of one order arrive in order, but a delivery may be repeated late: an older
        # version must not overwrite a newer one.
        total = order["total"]
        self._database.execute(
            "insert into sales_order values (?, ?, ?, ?, ?, ?) on conflict (id) do update set"
            " number = excluded.number, amount = excluded.amount, version = excluded.version"
            " where excluded.version > version",
            (
                order["order_id"],
                order["number"],
                order["customer_id"],
                total["amount"],
                total["currency"],
                version,
            ),
        )


def consume(url: str, store: Store) -> None:
    """Take in events until the connection ends."""
    nodes = [pika.URLParameters(one) for one in url.split(";")]
    with pika.BlockingConnection(nodes) as connection:
        channel = connection.channel()
        channel.basic_qos(prefetch_count=PREFETCH)
        for method, properties, body in channel.consume(QUEUE):
            try:
                event = json.loads(body)
                # The broker vouches for the sender; nobody may speak for another service.
                if event["source"] != f"/crm/{properties.user_id}":
                    raise ValueError(f"Forged by {properties.user_id}.")
                new = store.take_in(event)
            except (ValueError, KeyError, TypeError, RecursionError):
                # What cannot be understood now will not be later; the broker parks it.
                log.exception("An event was refused.")
                channel.basic_reject(method.delivery_tag, requeue=False)
                continue
            channel.basic_ack(method.delivery_tag)
            log.info("%s %s %s", "took in" if new else "knew", event["type"], event["subject"])


def main() -> None:
    """Consume for ever, connecting again whenever the broker was away."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    logging.getLogger("pika").setLevel(logging.CRITICAL)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    url, store = os.environ["AMQP_URL"], Store(os.environ.get("ERP_STORE", "erp.sqlite"))
    pause = 0.5
    while True:
        try:
            consume(url, store)
            pause = 0.5
        except (pika.exceptions.AMQPError, AMQPConnectorException) as error:
            log.warning("The broker cannot be reached: %r", error)
        time.sleep(pause)
        pause = min(pause * 2, 10.0)


if __name__ == "__main__":
    main()
