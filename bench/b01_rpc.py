"""B1: a call through crmkit against a call through stock nameko, same broker, same handler."""

import json
import subprocess
import sys
from dataclasses import dataclass

from bench import crm, machine
from bench.refusal import BenchFailed
from bench.results import Result, Target, medians
from bench.setup import Helper, Lab, Rapport, toy, used

TITLE = "RPC through crmkit against stock nameko, saturated"
# Two callers with half of the calls each: one of nameko's alone would not saturate its service.
CALLERS = 2
WINDOW = 32


@dataclass(frozen=True, slots=True)
class Calls:
    """What one run of a caller came to. CPU in milliseconds of one call, by who used it."""

    per_second: float
    cpu: dict[str, float]

    @property
    def all_cpu(self) -> float:
        """What one call cost altogether."""
        return sum(self.cpu.values())


def call(
    stack: Rapport,
    services: list[Helper],
    way: str,
    *,
    seconds: float,
    window: int = WINDOW,
    command: str = "echo",
) -> Calls:
    """Let a caller call for so many seconds."""
    words = [sys.executable, "-m", "bench.caller", way, "--command", command]
    words += ["--window", str(window // CALLERS), "--seconds", str(seconds)]
    groups = {
        "service": [service.pid for service in services],
        "RabbitMQ": stack.groups()["RabbitMQ"],
        "PostgreSQL": stack.groups()["PostgreSQL"],
    }
    environment = stack.env | {"TOY_AMQP_URI": stack.broker_uri(crm.VHOST)}
    with used(groups) as cpu:
        running = [
            subprocess.Popen(
                words,
                env=environment,
                cwd=machine.ROOT,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
            for _ in range(CALLERS)
        ]
        found = [_answer(process, seconds + 60) for process in running]
    total = sum(one["calls"] for one in found)
    spent = {"caller": sum(one["cpu"] for one in found), **cpu}
    each = {name: 1000 * seconds_used / total for name, seconds_used in spent.items()}
    return Calls(sum(one["calls"] / one["seconds"] for one in found), each)


def _answer(process: "subprocess.Popen[str]", seconds: float) -> dict[str, float]:
    """What a caller printed."""
    try:
        output, errors = process.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        raise BenchFailed("A caller did not come back.") from None
    if process.returncode:
        raise BenchFailed(f"A caller failed: {errors.strip()[-300:]}")
    answer: dict[str, float] = json.loads(output.splitlines()[-1])
    return answer


def run(lab: Lab) -> None:
    """Both ways in turn, several times; the ratio is taken within each turn."""
    stack = lab.standard()
    services = {"kit": toy(stack, "toy_on_kit"), "nameko": toy(stack, "toy_on_nameko")}
    seconds = lab.span(8.0)
    found: dict[str, list[Calls]] = {"kit": [], "nameko": []}
    try:
        for way in services:
            call(stack, [services[way]], way, seconds=1)
        for number in range(1, lab.rounds + 1):
            for way, service in services.items():
                calls = call(stack, [service], way, seconds=seconds)
                found[way].append(calls)
                seen = f"{calls.per_second:,.0f} calls/s, {calls.all_cpu:.2f} ms CPU each"
                lab.step(way, number, seen)
    finally:
        for service in services.values():
            service.stop()
    report(lab, found)


def report(lab: Lab, found: dict[str, list[Calls]]) -> None:
    """The rates, their ratio and the ratio of CPU time."""
    for way, name in (("kit", "crmkit"), ("nameko", "stock nameko")):
        rates = tuple(calls.per_second for calls in found[way])
        cpu = medians([calls.cpu for calls in found[way]])
        lab.record(Result("B1", name, "calls/s", rates, cpu=cpu))
    pairs = list(zip(found["kit"], found["nameko"], strict=True))
    faster = tuple(kit.per_second / stock.per_second for kit, stock in pairs)
    cheaper = tuple(kit.all_cpu / stock.all_cpu for kit, stock in pairs)
    service = tuple(kit.cpu["service"] / stock.cpu["service"] for kit, stock in pairs)
    lab.record(Result("B1", "calls/s, crmkit : nameko", "×", faster, Target(at_least=2)))
    lab.record(
        Result("B1", "CPU of all for a call, crmkit : nameko", "×", cheaper, Target(at_most=0.5))
    )
    lab.record(Result("B1", "CPU of the service for a call", "×", service, Target(at_most=0.5)))
