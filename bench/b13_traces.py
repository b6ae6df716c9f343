"""B13: what traces cost: the same requests with and without them, every request traced."""

import contextlib
import os
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from bench.b03_endpoints import MANY, WRITES, Endpoint, customer_ids
from bench.load import Shot
from bench.results import Result, medians
from bench.setup import Lab, Rapport
from crmkit.tracing import ENDPOINT

TITLE = f"Traces of every request, and none, {MANY} connections"
CUSTOMERS = 1_000
ENDPOINTS = (
    Endpoint("get one", lambda stack, _: Shot("/v1/customers/{item}", items=customer_ids(stack))),
    WRITES[0],
)


@contextlib.contextmanager
def collector() -> Iterator[str]:
    """Takes all that comes and keeps nothing; its address."""

    class Page(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["content-length"]))
            self.send_response(200)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Nothing to say."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Page)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


def run(lab: Lab) -> None:
    """Both stacks side by side, one under load at a time; the ratio is taken within each turn."""
    with collector() as address:
        stacks = {"without": _stack(lab, "plain"), "with traces": _stack(lab, "traced", address)}
        try:
            for stack in stacks.values():
                stack.start()
            for endpoint in ENDPOINTS:
                _measure(lab, stacks, endpoint)
        finally:
            for stack in stacks.values():
                stack.stop()


def _stack(lab: Lab, name: str, address: str = "") -> Rapport:
    """A Rapport that tells that collector; it takes its environment over when it is made."""
    before = os.environ.get(ENDPOINT, "")
    os.environ[ENDPOINT] = address
    try:
        return Rapport(lab.folder / f"stack-{name}", CUSTOMERS, pristine=False)
    finally:
        os.environ[ENDPOINT] = before


def _measure(lab: Lab, stacks: dict[str, Rapport], endpoint: Endpoint) -> None:
    rates: dict[str, list[float]] = {way: [] for way in stacks}
    cpu: dict[str, list[dict[str, float]]] = {way: [] for way in stacks}
    seconds = lab.span(6.0)
    for stack in stacks.values():
        stack.fire(endpoint.shot(stack, 1), connections=MANY, seconds=1, owner=endpoint.owner)
    for number in range(1, lab.rounds + 1):
        for way, stack in stacks.items():
            stack.settle()
            shot = endpoint.shot(stack, seconds)
            hits, spent = stack.fire(shot, connections=MANY, seconds=seconds, owner=endpoint.owner)
            rates[way].append(hits.per_second)
            cpu[way].append(spent)
            lab.step(f"{endpoint.name}, {way}", number, f"{hits.per_second:,.0f}/s")
    for way in stacks:
        name = f"{endpoint.name}, {way}"
        lab.record(Result("B13", name, "requests/s", tuple(rates[way]), cpu=medians(cpu[way])))
    pairs = zip(rates["with traces"], rates["without"], strict=True)
    ratios = tuple(on / off for on, off in pairs)
    lab.record(Result("B13", f"{endpoint.name}, with : without", "×", ratios))
