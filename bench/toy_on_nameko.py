"""The toy service on stock nameko, as ``nameko run`` would run it: the reference of B1."""

import eventlet

eventlet.monkey_patch()

import os  # noqa: E402
import signal  # noqa: E402

from nameko.rpc import rpc  # noqa: E402
from nameko.runners import ServiceRunner  # noqa: E402

from crmkit import health  # noqa: E402
from crmkit.settings import from_environment  # noqa: E402


class StockService:
    """An echo."""

    name = "stock"

    @rpc
    def echo(self, text: str) -> dict[str, str]:
        return {"text": text}


def main() -> None:
    """Serve until SIGTERM; every setting is nameko's default."""
    runner = ServiceRunner({"AMQP_URI": os.environ["TOY_AMQP_URI"]})
    runner.add_service(StockService)
    runner.start()
    health.serve(from_environment(), lambda: None)
    signal.signal(signal.SIGTERM, lambda *_: eventlet.spawn_n(runner.stop))
    runner.wait()


if __name__ == "__main__":
    main()
