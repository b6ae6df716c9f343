"""Step 3: an opportunity is won; order, life cycle, mail and ERP follow."""

import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from crmkit.local.stack import ROOT, LocalStack
from crmkit.testing import eventually
from tests.talking import Api, MailInbox, email_of


@pytest.fixture
def erp(stack: LocalStack, tmp_path: Path) -> Iterator[Path]:
    """The example ERP, running; the path of its database."""
    store = tmp_path / "erp.sqlite"
    process = subprocess.Popen(
        [sys.executable, str(ROOT / "examples" / "erp" / "consumer.py")],
        env={
            "PATH": os.environ["PATH"],
            "AMQP_URL": stack.addresses()["amqp_url"],
            "ERP_STORE": str(store),
        },
    )
    yield store
    process.send_signal(signal.SIGTERM)
    process.wait(60)


def booked(store: Path, order_id: str) -> list[tuple[str, str, str]]:
    query = "select number, amount, currency from sales_order where id = ?"
    try:
        with closing(sqlite3.connect(f"file:{store}?mode=ro", uri=True)) as database:
            return database.execute(query, (order_id,)).fetchall()
    except sqlite3.OperationalError:
        return []  # The ERP has just begun: no file yet, or no table in it.


def test_a_won_opportunity_becomes_an_order_that_everybody_learns_of(
    api: Api, mails: MailInbox, erp: Path
) -> None:
    customer = api.new_customer()
    opportunity = api.create(
        "/v1/opportunities",
        customer_id=customer["id"],
        title="공장 자동화 1차",
        amount={"amount": "12500000", "currency": "KRW"},
    )
    path = f"/v1/opportunities/{opportunity['id']}"
    assert api.act(path, "move", stage="proposal")["stage"] == "proposal"
    won = api.act(path, "win")
    assert won["status"] == "won"

    order = api.read(f"/v1/orders/{won['order_id']}")
    assert order["customer_id"] == customer["id"]
    assert order["total"] == {"amount": "12500000", "currency": "KRW"}

    api.until(
        f"/v1/customers/{customer['id']}", lambda c: bool(c["lifecycle_stage"] == "first_buyer")
    )
    mail = mails.one_to(email_of(customer), about=order["number"])
    assert "주문" in mail["subject"]
    row = eventually(lambda: booked(erp, order["id"]))
    assert row == [(order["number"], "12500000", "KRW")]


def test_winning_twice_places_one_order(api: Api) -> None:
    customer = api.new_customer()
    opportunity = api.create(
        "/v1/opportunities",
        customer_id=customer["id"],
        title="Twice",
        amount={"amount": "10.50", "currency": "USD"},
    )
    path = f"/v1/opportunities/{opportunity['id']}"
    first, second = api.act(path, "win"), api.act(path, "win")
    assert first["order_id"] == second["order_id"]
    orders = api.read("/v1/orders", **{"filter[customer_id]": customer["id"]})
    assert len(orders["items"]) == 1
