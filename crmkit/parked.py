"""``crm parked``: what nobody could do, to list, look at, replay or give up."""

import argparse
import json
import sys
from contextlib import closing
from typing import Any
from uuid import UUID

from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from crmkit import catalog, codec, parking
from crmkit.context import Context
from crmkit.db import Database
from crmkit.errors import CrmError
from crmkit.settings import MissingSetting, from_environment


def main(options: argparse.Namespace) -> None:
    """Do what was asked, in one owner's database or in all of them.

    One that cannot be asked is named on standard error and the exit code is 1; the others are
    asked all the same.
    """
    if options.action != "list" and not (options.owner and options.id):
        raise SystemExit(f"crm parked {options.action} needs the owner and an id.")
    if options.action == "discard" and not options.reason:
        raise SystemExit("Say why: crm parked discard … --reason '…'.")
    act = _list if options.action == "list" else _do
    failed = 0
    for owner in [options.owner] if options.owner else catalog.owners():
        try:
            url = from_environment().database_url(owner)
            with closing(Database(url, name="crm parked")) as database:
                act(database, owner, options)
        except (SQLAlchemyError, MissingSetting) as error:
            why = str(getattr(error, "orig", None) or error).strip().splitlines()[0]
            print(f"{owner}: {why}", file=sys.stderr)  # noqa: T201
            failed = 1
    sys.exit(failed)


def _print(value: Any, indent: int | None = None) -> None:
    plain = codec.loads(codec.dumps(value))
    print(json.dumps(plain, indent=indent, ensure_ascii=False))  # noqa: T201


def _list(database: Database, owner: str, _: argparse.Namespace) -> None:
    asked: dict[str, Any] = {"limit": 200, "sort": "at"}
    while True:
        with database.transaction(Context()) as session:
            page = parking.list_parked(session, owner=owner, **asked)
        # Not within the transaction: whoever pages through it may take longer than that may live.
        for item in page["items"]:
            _print(item)
        asked["cursor"] = page["page"]["next"]
        if asked["cursor"] is None:
            return


def _do(database: Database, owner: str, options: argparse.Namespace) -> None:
    """One action on all that is parked under an id: its own, or an event's."""
    identity = _id(options.id)
    shown: list[dict[str, Any]] = []
    with database.transaction(Context()) as session:
        found = parking.find(session, owner, identity)
        for item in found:
            if options.action == "show":
                shown.append({**item, "body": parking.body(session, item)})
            elif options.action == "discard":
                parking.discard(session, item, options.reason)
            else:
                _replay(session, item)
    for item in shown:
        _print(item, indent=2)
    if options.action != "show":
        print(f"{len(found)} of {owner}: {options.action}")  # noqa: T201


def _replay(session: Session, item: dict[str, Any]) -> None:
    try:
        parking.replay(session, item)
    except CrmError as refusal:
        raise SystemExit(refusal.message) from None


def _id(words: str) -> UUID:
    try:
        return UUID(words)
    except ValueError:
        raise SystemExit(f"{words!r} is no id.") from None
