"""``crm parked``: what nobody could do, to list, look at, replay or give up."""

import argparse
import json
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from crmkit import catalog, codec, parking
from crmkit.context import Context
from crmkit.db import Database
from crmkit.errors import CrmError
from crmkit.settings import from_environment


def main(options: argparse.Namespace) -> None:
    """Do what was asked, in one owner's database or in all that are configured."""
    if options.action != "list" and not (options.owner and options.id):
        raise SystemExit(f"crm parked {options.action} needs the owner and an id.")
    if options.action == "discard" and not options.reason:
        raise SystemExit("Say why: crm parked discard … --reason '…'.")
    for owner in [options.owner] if options.owner else catalog.owners():
        database = Database(from_environment().database_url(owner), name="crm parked")
        with database.transaction(Context()) as session:
            if options.action == "list":
                _list(session, owner)
            else:
                _do(session, owner, options)
        database.close()


def _print(value: Any, indent: int | None = None) -> None:
    plain = codec.loads(codec.dumps(value))
    print(json.dumps(plain, indent=indent, ensure_ascii=False))  # noqa: T201


def _list(session: Session, owner: str) -> None:
    asked: dict[str, Any] = {"limit": 200, "sort": "at"}
    while True:
        page = parking.list_parked(session, owner=owner, **asked)
        for item in page["items"]:
            _print(item)
        asked["cursor"] = page["page"]["next"]
        if asked["cursor"] is None:
            return


def _do(session: Session, owner: str, options: argparse.Namespace) -> None:
    """One action on all that is parked under an id: its own, or an event's."""
    found = parking.find(session, owner, _id(options.id))
    for item in found:
        if options.action == "show":
            _print({**item, "body": parking.body(session, item)}, indent=2)
            continue
        if options.action == "discard":
            parking.discard(session, item, options.reason)
            continue
        try:
            parking.replay(session, item)
        except CrmError as refusal:
            raise SystemExit(refusal.message) from None
    if options.action != "show":
        print(f"{len(found)} of {owner}: {options.action}")  # noqa: T201


def _id(words: str) -> UUID:
    try:
        return UUID(words)
    except ValueError:
        raise SystemExit(f"{words!r} is no id.") from None
