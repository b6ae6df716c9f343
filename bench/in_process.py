"""The reference of B2: the gateway as it is, but with one use case called in its own process.

Same ASGI server with the same options, same checks before and headers after; what differs is the
way to the use case: a thread and the database of customers instead of the bus and a service.
"""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from contracts.customers import GetCustomer
from crmkit import db, logs
from crmkit.db import Database
from crmkit.settings import from_environment
from gateway import server
from gateway.app import application
from gateway.resources import THREADS, Resources
from gateway.routes import Call, Route, Table
from services.customers import customers


def in_process(rows: Iterator[Route], database: Database) -> Iterator[Route]:
    """The rows, that of the use case answered here."""

    def answer(call: Call) -> db.Encoded:
        return db.encode(database.within(call.context).read(customers.get, **call.request))

    async def handler(resources: Resources, call: Call) -> db.Encoded:
        return await resources.in_thread(answer, call)

    for row in rows:
        yield replace(row, handler=handler) if row.command is GetCustomer else row


def create() -> Any:
    """What gunicorn serves."""
    from gateway.api import rows

    settings = from_environment()
    database = Database(settings.database_url("customers"), pool_size=THREADS, name="in process")
    return application(settings, Table(in_process(rows(), database)))


class Server(server.Server):
    """The gateway's server with our application."""

    def load(self) -> Any:
        return create()


def main() -> None:
    """Serve until told to stop."""
    settings = from_environment()
    logs.set_up("in-process", "warning")
    Server(server.options(settings)).run()


if __name__ == "__main__":
    main()
