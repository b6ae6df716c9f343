"""B13: what traces cost: the same requests without them, with one in ten traced, with all."""

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

TITLE = f"Traces of none, some and all requests, {MANY} connections"
CUSTOMERS = 1_000
WAYS = tuple(enumerate({"no traces": 0.0, "one in ten": 0.1, "all": 1.0}.items()))
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
    """The stacks side by side, one under load at a time; ratios are taken within each turn."""
    with collector() as address:
        stacks = {way: _stack(lab, number, address, share) for number, (way, share) in WAYS}
        try:
            for stack in stacks.values():
                stack.start()
            for endpoint in ENDPOINTS:
                _measure(lab, stacks, endpoint)
        finally:
            for stack in stacks.values():
                stack.stop()


def _stack(lab: Lab, number: int, address: str, share: float) -> Rapport:
    """A Rapport that traces such a share of requests; it takes its environment when it is made."""
    ours = {
        ENDPOINT: address if share else "",
        "OTEL_TRACES_SAMPLER": "parentbased_traceidratio",
        "OTEL_TRACES_SAMPLER_ARG": str(share),
    }
    before = {name: os.environ.get(name, "") for name in ours}
    os.environ.update(ours)
    try:
        return Rapport(lab.folder / f"stack-traced-{number}", CUSTOMERS, pristine=False)
    finally:
        os.environ.update(before)


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
    none, *some = stacks
    for way in some:
        name = f"{endpoint.name}, {way} : {none}"
        ratios = tuple(on / off for on, off in zip(rates[way], rates[none], strict=True))
        lab.record(Result("B13", name, "×", ratios))
        pairs = zip(cpu[way], cpu[none], strict=True)
        ratios = tuple(sum(on.values()) / sum(off.values()) for on, off in pairs)
        lab.record(Result("B13", f"{name}, CPU of all", "×", ratios))
