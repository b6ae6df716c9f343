"""B2: what it costs that the gateway asks a service, against the same use case in its process."""

import sys

from bench import load
from bench.b03_endpoints import customer_ids
from bench.load import Shot
from bench.results import Result, Target, medians
from bench.setup import Helper, Lab, Rapport, used
from crmkit.local.stack import answers_ok

TITLE = "Get one customer: through the bus against in process, 32 connections"
CONNECTIONS = 32


def in_process(stack: Rapport) -> tuple[Helper, str]:
    """The gateway that calls the use case itself, and its address."""
    port = stack.installation.port("in_process")
    words = [sys.executable, "-m", "bench.in_process"]
    log = stack.installation.path("log")
    helper = Helper("in-process", words, stack.env | {"PORT": str(port)}, log)
    helper.wait_until(lambda: answers_ok(port, "/readyz"))
    return helper, f"http://127.0.0.1:{port}"


def run(lab: Lab) -> None:
    """Both in turn, several times; the ratio is taken within each turn."""
    stack = lab.standard()
    shot = Shot("/v1/customers/{item}", items=customer_ids(stack))
    helper, address = in_process(stack)
    ways = {"through the bus": stack.stack.base_url, "in process": address}
    rates: dict[str, list[float]] = {way: [] for way in ways}
    cpu: dict[str, list[dict[str, float]]] = {way: [] for way in ways}
    seconds = lab.span(8.0)
    try:
        for base_url in ways.values():
            load.fire(base_url, stack.token(), shot, connections=CONNECTIONS, seconds=1)
        for number in range(1, lab.rounds + 1):
            for way, base_url in ways.items():
                token, groups = stack.token(), stack.groups("customers")
                if way == "in process":
                    groups["gateway"] = [helper.pid]
                with used(groups) as spent:
                    hits = load.fire(
                        base_url, token, shot, connections=CONNECTIONS, seconds=seconds
                    )
                rates[way].append(hits.per_second)
                cpu[way].append({n: 1000 * used_ / hits.requests for n, used_ in spent.items()})
                lab.step(way, number, f"{hits.per_second:,.0f}/s, p50 {hits.p50:.1f} ms")
    finally:
        helper.stop()
    for way in ways:
        lab.record(Result("B2", way, "requests/s", tuple(rates[way]), cpu=medians(cpu[way])))
    pairs = zip(rates["through the bus"], rates["in process"], strict=True)
    ratios = tuple(ours / theirs for ours, theirs in pairs)
    lab.record(Result("B2", "through the bus : in process", "×", ratios, Target(at_least=0.5)))
