"""B9: whether lists and searches get slower as the customers grow from 20,000 to a million."""

from bench.b03_endpoints import READS, Endpoint
from bench.refusal import BenchFailed
from bench.results import Result, Target, percentile
from bench.setup import Lab, Rapport

TITLE = "Growth: p50 at 1,000,000 customers against 20,000, one connection"


def run(lab: Lab) -> None:
    """Each endpoint on both stacks in turn, several times; the ratio is taken within each turn."""
    small, large = lab.standard(), lab.large()
    for endpoint in READS:
        try:
            _measure(lab, endpoint, small, large)
        except BenchFailed as failure:
            lab.miss("B9", f"{endpoint.name}: {failure}")


def _measure(lab: Lab, endpoint: Endpoint, small: Rapport, large: Rapport) -> None:
    p50s: dict[int, list[float]] = {small.customers: [], large.customers: []}
    for stack in (small, large):
        stack.fire(endpoint.shot(stack, 1), connections=1, seconds=1, owner=endpoint.owner)
    for number in range(1, lab.rounds + 1):
        for stack in (small, large):
            p50s[stack.customers].append(_p50(lab, stack, endpoint))
        seen = ", ".join(f"{size:,}: {p50s[size][-1]:.2f} ms" for size in p50s)
        lab.step(endpoint.name, number, seen)
    pairs = zip(p50s[large.customers], p50s[small.customers], strict=True)
    ratios = tuple(more / less for more, less in pairs)
    more = {f"p50 ms at {size:,}": percentile(values, 50) for size, values in p50s.items()}
    lab.record(Result("B9", endpoint.name, "×", ratios, Target(at_most=1.5), more=more))


def _p50(lab: Lab, stack: Rapport, endpoint: Endpoint) -> float:
    shot, seconds = endpoint.shot(stack, 1), lab.span(4.0)
    hits, _ = stack.fire(shot, connections=1, seconds=seconds, owner=endpoint.owner)
    return hits.p50
