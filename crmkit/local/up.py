"""`crm up`: run everything on this machine until Ctrl-C, with a line for each step."""

import argparse
import contextlib
import os
import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from crmkit.local.stack import ROOT, LocalStack
from crmkit.local.supervisor import StartFailed


def parse_scale(words: Sequence[str]) -> dict[str, int]:
    """``["sales=3"]`` as a mapping; StartFailed names what is not of that form."""
    scale: dict[str, int] = {}
    for word in (part for item in words for part in item.split(",") if part):
        name, _, number = word.partition("=")
        if not (name and number.isdigit() and 1 <= int(number) <= 64):
            raise StartFailed(
                f"--scale wants name=number (1 to 64), for instance sales=3, not {word!r}."
            )
        scale[name] = int(number)
    return scale


def parse_port(text: str) -> int:
    """A port number; StartFailed when the text is none."""
    if not (text.isdigit() and 0 < int(text) < 65536):
        raise StartFailed(f"PORT must be a number from 1 to 65535, not {text!r}.")
    return int(text)


def show(line: str) -> None:
    """One line to the terminal, at once."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def farewell(stack: LocalStack, seconds: float) -> list[str]:
    """What to know and what to try next, once everything is ready."""
    run = stack.addresses()
    log = os.path.relpath(stack.installation.path("log"))
    addresses = os.path.relpath(stack.installation.path("run.json"))
    return [
        "",
        f"Rapport is ready after {seconds:.1f} s:  {run['base_url']}",
        *(f"  another gateway:  {address}" for address in stack.base_urls[1:]),
        f"  Log in as {run['email']} with the password {run['password']}",
        "",
        "Try next:",
        f"  curl {run['base_url']}/readyz",
        f"  curl {run['base_url']}/openapi.json",
        f"  open {run['smtp_inbox_url']}   (every mail Rapport sends; none leaves this machine)",
        f"  open {run['sms_inbox_url']}   (every SMS, likewise)",
        "",
        f"Logs: {log}   All addresses and keys: {addresses}",
        "Ctrl-C ends it all.",
    ]


def run(stack: LocalStack) -> None:
    """Start, wait for a signal, end.  A second signal ends at once."""
    began = time.monotonic()
    asked = 0

    def end(_number: int, _frame: object) -> None:
        nonlocal asked
        asked += 1
        if asked == 1:
            raise KeyboardInterrupt
        with contextlib.suppress(StartFailed):
            stack.supervisor.hurry()

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, end)
    try:
        stack.start()
        for line in farewell(stack, time.monotonic() - began):
            show(line)
        # Waiting in slices: an endless wait in the main thread would hold signals back.
        while not stack.supervisor.wait(0.5):
            continue
    except KeyboardInterrupt:
        show("\nEnding …")
    finally:
        asked = max(asked, 1)
        stack.stop()


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of the command."""
    scale = "how many of a process to run, for instance sales=3"
    parser.add_argument("--scale", action="append", default=[], metavar="NAME=NUMBER", help=scale)
    parser.add_argument("--port", default="", help="the gateway's; else PORT, else 8000")
    parser.add_argument("--var", type=Path, default=ROOT / "var", help="this installation's folder")
    parser.add_argument("--customers", type=int, default=500, help="demo customers at first start")


def main(options: argparse.Namespace) -> None:
    """The command; exit code 1 and exactly one line on stderr when the stack cannot run."""
    asked = vars(options)
    try:
        stack = LocalStack(
            asked.get("var") or ROOT / "var",
            port=parse_port(asked.get("port") or os.environ.get("PORT") or "8000"),
            scale=parse_scale(asked.get("scale") or []),
            seed_customers=asked.get("customers", 500),
            say=show,
        )
        run(stack)
    except StartFailed as failure:
        sys.stderr.write(f"{' '.join(str(failure).split())}\n")
        sys.exit(1)


if __name__ == "__main__":
    command = argparse.ArgumentParser(prog="crm up", description=__doc__)
    add_options(command)
    main(command.parse_args())
