"""``crm parked``: events that no handler could take, to list, look at, replay or give up."""

import argparse
import json
from uuid import UUID

from crmkit import catalog, codec, inbox
from crmkit.context import Context
from crmkit.db import Database
from crmkit.settings import from_environment


def main(options: argparse.Namespace) -> None:
    """Do what was asked, in one owner's database or in all that are configured."""
    owners = [options.owner] if options.owner else catalog.owners()
    if options.action != "list" and not (options.owner and options.event_id):
        raise SystemExit(f"crm parked {options.action} needs the owner and the event's id.")
    for owner in owners:
        database = Database(from_environment().database_url(owner), name="crm parked")
        with database.transaction(Context()) as session:
            if options.action == "list":
                for row in inbox.parked(session):
                    print(owner, codec.dumps(row).decode())  # noqa: T201
                continue
            event_id = UUID(options.event_id)
            if options.action == "show":
                rows = codec.loads(codec.dumps(inbox.parked_one(session, event_id)))
                print(json.dumps(rows, indent=2, ensure_ascii=False))  # noqa: T201
                continue
            if options.action == "replay":
                done = inbox.replay(session, event_id)
            else:
                if not options.reason:
                    raise SystemExit("Say why: crm parked discard … --reason '…'.")
                done = inbox.discard(session, event_id, options.reason)
            print(f"{done} handler(s) of {owner}: {options.action}")  # noqa: T201
