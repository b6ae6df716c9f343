"""The toy service as all of ours are: on crmkit, run by what ``crm serve`` runs."""

# First of all, since it makes the standard library cooperative.
from crmkit import serve  # isort: skip

from typing import Any

from sqlalchemy import text
from sqlalchemy.orm import Session

from bench import toy
from crmkit import catalog
from crmkit.entrypoints import command, database


def nap(session: Session, *, milliseconds: int) -> dict[str, Any]:
    """Wait in the database."""
    session.execute(text("select pg_sleep(:seconds)"), {"seconds": milliseconds / 1000})
    return {"text": "Good morning."}


class ToyService:
    """An echo and a nap."""

    name = "toy"
    db = database()

    @command(toy.Echo)
    def echo(self, **request: Any) -> Any:
        return {"text": request["text"]}

    @command(toy.Nap)
    def nap(self, **request: Any) -> Any:
        return self.db.read(nap, **request)


if __name__ == "__main__":
    catalog.service_class = lambda _: ToyService
    serve.main("toy")
