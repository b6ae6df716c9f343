"""Prometheus metrics every process has, and the page that shows them."""

from collections.abc import Callable, Iterable, Mapping

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from crmkit.errors import CrmError

registry = CollectorRegistry()

_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)

_commands = Histogram(
    "crm_command_seconds",
    "Time from a command's arrival to its answer.",
    ["command", "outcome"],
    buckets=_BUCKETS,
    registry=registry,
)
_failures = Counter(
    "crm_event_failures_total",
    "Events whose handler raised, by what became of them.",
    ["handler", "status"],
    registry=registry,
)
_requests = Histogram(
    "crm_http_request_seconds",
    "Time to answer an HTTP request.",
    ["method", "route", "status"],
    buckets=_BUCKETS,
    registry=registry,
)
_relayed = Counter(
    "crm_events_relayed_total", "Events the broker confirmed.", ["owner"], registry=registry
)
_parked = Gauge(
    "crm_parked",
    "What nobody could do and somebody must look at, by the database it lies in.",
    ["owner", "kind"],
    registry=registry,
)
_oldest = Gauge(
    "crm_outbox_oldest_seconds",
    "Age of the oldest event that has not left yet.",
    ["owner"],
    registry=registry,
)


def outcome(error: BaseException | None) -> str:
    """``ok``, the kind of refusal in lower case, or ``bug``."""
    if error is None:
        return "ok"
    return type(error).__name__.lower() if isinstance(error, CrmError) else "bug"


def command_seconds(command: str, outcome: str, seconds: float) -> None:
    """Count an answered command."""
    _commands.labels(command, outcome).observe(seconds)


def event_failed(handler: str, status: str) -> None:
    """Count an event whose handler raised."""
    _failures.labels(handler, status).inc()


def request_seconds(method: str, route: str, status: int, seconds: float) -> None:
    """Count an answered HTTP request."""
    _requests.labels(method, route, str(status)).observe(seconds)


def relayed(owner: str, count: int) -> None:
    """Count events the broker confirmed."""
    _relayed.labels(owner).inc(count)


def parked(owner: str, kinds: Iterable[str], counts: Mapping[str, int]) -> None:
    """Show how much of each kind is parked."""
    for kind in kinds:
        _parked.labels(owner, kind).set(counts.get(kind, 0))


def oldest_waiting(owner: str, seconds: Callable[[], float]) -> None:
    """Have the age of the oldest unsent event asked for whenever metrics are read.

    A relay that hangs could not tell that it does; so its metric grows by itself.
    """
    _oldest.labels(owner).set_function(seconds)


def page() -> bytes:
    """All metrics in Prometheus' text format."""
    return bytes(generate_latest(registry))
