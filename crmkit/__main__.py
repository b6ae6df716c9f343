"""The command line of Rapport: ``crm serve sales``, ``crm gateway``, ``crm up`` and the rest.

Every process of a deployment is one of these commands. Imports stay inside the commands, since a
service must make the standard library cooperative before anything else is loaded.
"""

import argparse
import importlib
import json
import sys
from collections.abc import Sequence
from pathlib import Path


def _serve(options: argparse.Namespace) -> None:
    importlib.import_module("crmkit.serve").main(options.service)


def _relay(options: argparse.Namespace) -> None:
    importlib.import_module("crmkit.relay").main(options.owners)


def _gateway(_: argparse.Namespace) -> None:
    importlib.import_module("gateway.server").main()


def _sender(_: argparse.Namespace) -> None:
    importlib.import_module("services.notifications.sender").main()


def _migrate(options: argparse.Namespace) -> None:
    from crmkit import migrate
    from crmkit.settings import from_environment

    migrate.upgrade_all(from_environment(), tuple(options.owners))


def _revision(options: argparse.Namespace) -> None:
    from crmkit import migrate
    from crmkit.settings import from_environment

    migrate.revision(options.owner, options.message, from_environment())


def _definitions(options: argparse.Namespace) -> None:
    from sqlalchemy import make_url

    from crmkit import topology
    from crmkit.settings import from_environment

    settings = from_environment()
    passwords = {
        user: make_url(settings.amqp_uri(user).split(";")[0]).password or ""
        for user in topology.users()
    }
    text = json.dumps(
        topology.definitions(passwords, settings.text("QUEUE_TYPE", "classic")), indent=2
    )
    if options.out:
        Path(options.out).write_text(text)
    else:
        sys.stdout.write(text + "\n")


def _parked(options: argparse.Namespace) -> None:
    importlib.import_module("crmkit.parked").main(options)


def _seed(options: argparse.Namespace) -> None:
    importlib.import_module("crmkit.seed").main(options.customers)


def _up(options: argparse.Namespace) -> None:
    importlib.import_module("crmkit.local.up").main(options)


def _nothing(_: argparse.ArgumentParser) -> None:
    """No options."""


def _some_owners(command: argparse.ArgumentParser) -> None:
    command.add_argument("owners", nargs="*", help="all of them when none is named")


def _a_service(command: argparse.ArgumentParser) -> None:
    command.add_argument("service")


def _a_revision(command: argparse.ArgumentParser) -> None:
    command.add_argument("owner")
    command.add_argument("-m", "--message", required=True)


def _a_file(command: argparse.ArgumentParser) -> None:
    command.add_argument("--out", help="write it to this file instead")


def _a_count(command: argparse.ArgumentParser) -> None:
    command.add_argument("--customers", type=int, default=500)


def _something_parked(command: argparse.ArgumentParser) -> None:
    command.add_argument("action", choices=["list", "show", "replay", "discard"])
    command.add_argument("owner", nargs="?", help="all of them when none is named")
    command.add_argument("id", nargs="?", help="as list shows it, or the id of the event")
    command.add_argument("--reason", default="")


def _a_stack(command: argparse.ArgumentParser) -> None:
    importlib.import_module("crmkit.local.up").add_options(command)


COMMANDS = {
    "serve": (_serve, _a_service, "Serve one service."),
    "gateway": (_gateway, _nothing, "Serve the HTTP API."),
    "relay": (_relay, _some_owners, "Take events from the outboxes to the bus."),
    "sender": (_sender, _nothing, "Send e-mail and SMS."),
    "migrate": (_migrate, _some_owners, "Bring the databases up to date."),
    "revision": (_revision, _a_revision, "Write a migration from the models."),
    "definitions": (_definitions, _a_file, "Print the bus as a RabbitMQ definitions file."),
    "seed": (_seed, _a_count, "Fill the databases with the demo company."),
    "parked": (_parked, _something_parked, "Look after what nobody could do."),
    "up": (_up, _a_stack, "Run everything on this machine."),
}


def parser(only: str | None = None) -> argparse.ArgumentParser:
    """All commands with their options; ``only`` spares the making of the others' options."""
    root = argparse.ArgumentParser(prog="crm", description="Run and look after Rapport.")
    commands = root.add_subparsers(dest="command", required=True, metavar="command")
    for name, (run, add_options, summary) in COMMANDS.items():
        command = commands.add_parser(name, help=summary, description=summary)
        command.set_defaults(run=run)
        if only in (None, name):
            add_options(command)
    return root


def main(arguments: Sequence[str] | None = None) -> None:
    """Run one command."""
    words = sys.argv[1:] if arguments is None else arguments
    # A service must patch the standard library before anything loads it, so nothing is loaded that
    # the command at hand does not need.
    options = parser(only=words[0] if words else "").parse_args(words)
    options.run(options)


if __name__ == "__main__":
    main()
