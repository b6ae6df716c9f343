"""B10: one, two and four replicas of a service whose handler waits 50 ms in the database."""

from bench.b01_rpc import call
from bench.results import Result, Target
from bench.setup import Helper, Lab, Rapport, toy

TITLE = "Replicas of one service, a handler that waits 50 ms"
COUNTS = (1, 2, 4)
# More than four replicas with ten workers each can have under way.
WINDOW = 100


def run(lab: Lab) -> None:
    """One, two, four replicas within each turn, whose first is what the others are divided by."""
    stack = lab.standard()
    rates: dict[int, list[float]] = {count: [] for count in COUNTS}
    for number in range(1, lab.rounds + 1):
        _turn(lab, stack, rates, number)
    for count in COUNTS:
        name = f"{count} replica{'s' if count > 1 else ''}"
        lab.record(Result("B10", name, "calls/s", tuple(rates[count])))
    for count, least in ((2, 1.9), (4, 3.6)):
        pairs = zip(rates[count], rates[1], strict=True)
        ratios = tuple(many / one for many, one in pairs)
        lab.record(Result("B10", f"{count} replicas : 1", "×", ratios, Target(at_least=least)))


def _turn(lab: Lab, stack: Rapport, rates: dict[int, list[float]], number: int) -> None:
    replicas: list[Helper] = []
    try:
        for count in COUNTS:
            while len(replicas) < count:
                replicas.append(toy(stack, "toy_on_kit", len(replicas) + 1))
            seconds = lab.span(6.0)
            calls = call(stack, replicas, "kit", seconds=seconds, window=WINDOW, command="nap")
            rates[count].append(calls.per_second)
            lab.step(f"{count} of it", number, f"{calls.per_second:,.0f} calls/s")
    finally:
        for replica in replicas:
            replica.stop()
