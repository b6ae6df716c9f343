"""B3: the endpoints people wait for, at one connection and at 32, over 20,000 customers."""

from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import quote

from bench.load import Hits, Shot
from bench.refusal import BenchFailed
from bench.results import Result, Target
from bench.setup import Lab, Rapport, overall

TITLE = "Endpoints, 20,000 customers"
MANY = 32
SEARCHES = {
    "search, Latin": ("smith", "carter", "anna", "park ji"),
    "search, one CJK character": ("김", "王", "田"),
    "search, two CJK characters": ("김민", "佐藤", "王小"),
    "search, Hangul initials": ("ㄱㅁ", "ㅂㅈ", "ㅇㅅㅎ"),
}
# More requests than one run can make; each takes an opportunity of its own.
MOST_PER_SECOND = 1500
_OPEN_ONE = """
insert into opportunity (id, version, event_number, created_at, updated_at, owner_id, team_path,
    customer_id, title, amount_minor, currency, stage, status)
select uuidv7(), 1, 1, now(), now(), c.owner_id, c.team_path, c.id, 'bench', 1200000, 'KRW',
    'qualification', 'open'
from customer c cross join generate_series(1, %s) order by random() limit %s returning id
"""
_NEW_CUSTOMER = """{
"kind": "person", "name": {"family": "김", "given": "하늘{n}"}, "language": "ko", "country": "KR",
"city": "서울", "tags": ["bench"],
"contact_points": [{"kind": "email", "value": "{n}@bench.example"}],
"consents": [{"channel": "email", "granted": true, "source": "bench", "proof": "Said so."}]}"""
_NEW_OPPORTUNITY = """{"customer_id": "{item}", "title": "Renewal {n}",
"amount": {"amount": "1200000", "currency": "KRW"}, "expected_on": "2030-01-31"}"""
_NEW_TICKET = """{"customer_id": "{item}", "kind": "complaint", "channel": "phone",
"subject": "Delivery {n}", "body": "The parcel has not come.", "priority": "high"}"""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """What is measured: ``shot`` prepares as many items as a run of so many seconds may need."""

    name: str
    shot: Callable[[Rapport, float], Shot]
    writes: bool = False
    owner: str = "customers"


def customer_ids(stack: Rapport, most: int = 20_000) -> list[str]:
    """Customers in a random order."""
    return stack.column("customers", "select id from customer order by random() limit %s", most)


def _new_opportunities(stack: Rapport, count: int) -> list[str]:
    """So many open opportunities, written straight to the database of sales."""
    each = count // stack.customers + 1
    return stack.column("sales", _OPEN_ONE, each, count)


def _search(words: tuple[str, ...]) -> Callable[[Rapport, float], Shot]:
    found = tuple(quote(word) for word in words)
    return lambda _stack, _seconds: Shot("/v1/customers?limit=20&q={item}", items=found)


def _move(stack: Rapport, _seconds: float) -> Shot:
    return Shot(
        "/v1/opportunities/{item}/actions/move",
        "POST",
        '{"stage": "{round}"}',
        _new_opportunities(stack, 3000),
        rounds=("proposal", "negotiation", "qualification"),
    )


def _win(stack: Rapport, seconds: float) -> Shot:
    ids = _new_opportunities(stack, int(seconds * MOST_PER_SECOND))
    return Shot("/v1/opportunities/{item}/actions/win", "POST", "{}", ids, reusable=False)


READS = [
    Endpoint("get one", lambda stack, _: Shot("/v1/customers/{item}", items=customer_ids(stack))),
    Endpoint("list 20", lambda *_: Shot("/v1/customers?limit=20")),
    *(Endpoint(name, _search(words)) for name, words in SEARCHES.items()),
]
WRITES = [
    Endpoint("create customer", lambda *_: Shot("/v1/customers", "POST", _NEW_CUSTOMER), True),
    Endpoint(
        "create opportunity",
        lambda stack, _: Shot("/v1/opportunities", "POST", _NEW_OPPORTUNITY, customer_ids(stack)),
        writes=True,
        owner="sales",
    ),
    Endpoint("move a stage", _move, writes=True, owner="sales"),
    Endpoint("win", _win, writes=True, owner="sales"),
    Endpoint(
        "create ticket",
        lambda stack, _: Shot("/v1/feedback", "POST", _NEW_TICKET, customer_ids(stack)),
        writes=True,
        owner="service_desk",
    ),
]


def run(lab: Lab) -> None:
    """Each endpoint alone, several times; after a write until its events are handled."""
    stack = lab.standard()
    for endpoint in (*READS, *WRITES):
        for connections in (1, MANY):
            try:
                _measure(lab, stack, endpoint, connections)
            except BenchFailed as failure:
                # The others are worth knowing all the same.
                lab.miss("B3", f"{endpoint.name}, {connections}: {failure}")
                stack.settle()


def _measure(lab: Lab, stack: Rapport, endpoint: Endpoint, connections: int) -> None:
    name = f"{endpoint.name}, {connections} connection{'s' if connections > 1 else ''}"
    seconds = lab.span(6.0)
    hits: list[Hits] = []
    cpu: list[dict[str, float]] = []
    drains: list[float] = []
    stack.fire(endpoint.shot(stack, 1), connections=connections, seconds=1, owner=endpoint.owner)
    for number in range(1, lab.rounds + 1):
        if endpoint.writes:
            stack.settle()
        shot = endpoint.shot(stack, seconds)
        came, spent = stack.fire(
            shot, connections=connections, seconds=seconds, owner=endpoint.owner
        )
        hits.append(came)
        cpu.append(spent)
        seen = f"{came.per_second:,.0f}/s, p50 {came.p50:.1f} ms, p99 {came.p99:.1f} ms"
        if endpoint.writes:
            drains.append(stack.settle())
            seen += f"; its events were handled {drains[-1]:.1f} s later"
        lab.step(name, number, seen)
    _record(lab, name, connections, endpoint, hits, overall(cpu), drains)


def _record(
    lab: Lab,
    name: str,
    connections: int,
    endpoint: Endpoint,
    hits: list[Hits],
    cpu: dict[str, float],
    drains: list[float],
) -> None:
    rates = tuple(one.per_second for one in hits)
    p50, p99 = tuple(one.p50 for one in hits), tuple(one.p99 for one in hits)
    if connections == 1:
        lab.record(
            Result(
                "B3", f"{name}: p50", "ms", p50, Target(at_most=5), cpu, {"requests/s": _mid(rates)}
            )
        )
        lab.record(Result("B3", f"{name}: p99", "ms", p99, Target(at_most=20)))
        return
    more = {"p50 ms": _mid(p50), "p99 ms": _mid(p99)}
    if drains:
        more["events handled after, s"] = _mid(tuple(drains))
    target = Target(at_least=500 if endpoint.writes else 900)
    lab.record(Result("B3", name, "requests/s", rates, target, cpu, more))


def _mid(values: tuple[float, ...]) -> float:
    return Result("", "", "", values).value
