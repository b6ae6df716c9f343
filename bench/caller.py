"""Calls a toy service as fast as it answers, and prints what came of it as JSON.

It is a process of its own so that its CPU time is told apart from the service's.
"""

import argparse
import asyncio
import json
import os
import time
from collections import deque

TEXT = "Rapport " * 25
NAP_MS = 50


async def through_kit(uri: str, command: str, window: int, seconds: float) -> int:
    """Calls answered through crmkit's client, as the gateway makes them."""
    from bench import toy
    from crmkit.client import IN_FLIGHT, Client
    from crmkit.context import Context

    kinds = {"echo": (toy.Echo, {"text": TEXT}), "nap": (toy.Nap, {"milliseconds": NAP_MS})}
    kind, request = kinds[command]
    # As many clients as their limit of calls under way asks for.
    clients = [Client(uri) for _ in range(-(-window // IN_FLIGHT))]
    running = [asyncio.create_task(client.run()) for client in clients]
    while any(client.trouble for client in clients):
        await asyncio.sleep(0.01)
    context, count, until = Context(), 0, time.monotonic() + seconds

    async def calls(client: Client) -> None:
        nonlocal count
        while time.monotonic() < until:
            await client.call(kind, request, context)
            count += 1

    await asyncio.gather(*(calls(clients[n % len(clients)]) for n in range(window)))
    for task in running:
        task.cancel()
    await asyncio.gather(*running, return_exceptions=True)
    return count


def through_nameko(uri: str, window: int, seconds: float) -> int:
    """Calls answered through nameko's own proxy, so many of them under way at any time."""
    from nameko.standalone.rpc import ClusterRpcProxy

    count, until = 0, time.monotonic() + seconds
    with ClusterRpcProxy({"AMQP_URI": uri}) as rpc:
        waiting = deque(rpc.stock.echo.call_async(text=TEXT) for _ in range(window))
        while waiting:
            waiting.popleft().result()
            count += 1
            if time.monotonic() < until:
                waiting.append(rpc.stock.echo.call_async(text=TEXT))
    return count


def main() -> None:
    """Call for so many seconds."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("way", choices=["kit", "nameko"])
    parser.add_argument("--command", default="echo", choices=["echo", "nap"])
    parser.add_argument("--window", type=int, default=32)
    parser.add_argument("--seconds", type=float, default=5.0)
    options = parser.parse_args()
    uri = os.environ["TOY_AMQP_URI"]
    cpu, began = time.process_time(), time.monotonic()
    if options.way == "kit":
        import uvloop

        calls = through_kit(uri, options.command, options.window, options.seconds)
        count = uvloop.run(calls)
    else:
        count = through_nameko(uri, options.window, options.seconds)
    seconds = time.monotonic() - began
    print(json.dumps({"calls": count, "seconds": seconds, "cpu": time.process_time() - cpu}))


if __name__ == "__main__":
    main()
