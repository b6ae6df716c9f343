"""The providers of e-mail and SMS of a development machine, in one process: see .env.example."""

import asyncio
import logging
import os
import signal
from collections.abc import Mapping

from crmkit.local import mail_catcher, smpp_simulator


async def run(settings: Mapping[str, str]) -> None:
    """Serve both until SIGTERM or Ctrl-C."""
    ended = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, ended.set)
    host = settings.get("INBOXES_HOST", "127.0.0.1")
    async with mail_catcher.running(settings, host), smpp_simulator.running(settings, host):
        await ended.wait()


def main() -> None:
    """Run with the settings of the environment."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    logging.getLogger("mail.log").setLevel(logging.WARNING)
    asyncio.run(run(os.environ))


if __name__ == "__main__":
    main()
