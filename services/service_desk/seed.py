"""The demo company's service desk: rows as the use cases would have written them, but in bulk."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from hashlib import sha256
from types import ModuleType
from typing import Any, NamedTuple
from uuid import UUID

import psycopg

from contracts.shapes import time_zone_of
from services.service_desk import rules, surveys

_CHUNK = 5_000
_TICKET_EVERY = 10
"""One customer in that many once had a complaint or question."""
_CAPACITY = 20
_OPEN_PER_AGENT = 12
"""Beyond that, tickets are long closed: however many customers are wanted, agents have room."""
_MOST_PENDING = 40
"""Surveys still open; each of them will expire, and that is announced."""
_SCORES: tuple[int | None, ...] = (5, 4, 5, 3, 4, 2, 5, 1, 4, None)
_ANSWERED_AFTER = timedelta(hours=5)
_RESOLVED_AFTER = timedelta(hours=1)
_KINDS = ("complaint", "question")
_CHANNELS = ("web", "phone", "email", "app")
_OUTCOME = "Settled with the customer."
_WAYS = {
    "assigned": ("assigned",),
    "in_progress": ("assigned", "in_progress"),
    "waiting_customer": ("assigned", "in_progress", "waiting_customer"),
    "survey_pending": ("assigned", "in_progress", "resolved", "survey_pending"),
    "closed": ("assigned", "in_progress", "resolved", "survey_pending", "closed"),
}
_COUNTS = {
    "assigned": (2, 2),
    "in_progress": (3, 2),
    "waiting_customer": (4, 2),
    "survey_pending": (4, 3),
    "closed": (5, 4),
}
"""Version and event number of a ticket by its status: a write each, resolving in one."""

_COPIES = {
    "colleague": "id, name, team_path, roles, capacity, active, open_tickets, last_assigned_at,"
    " as_of_version",
    "customer": "id, name, language, owner_id, team_path, as_of_version",
    "ticket": "id, version, event_number, created_at, updated_at, owner_id, team_path, number,"
    " customer_id, subject, body, priority, status, outcome, score, resolved_at, closed_at",
    "ticket_history": 'ticket_id, from_status, to_status, "by", at, note',
    "feedback": "id, version, event_number, created_at, updated_at, owner_id, team_path,"
    " customer_id, kind, channel, subject, body, status, ticket_id",
    "survey": "id, version, event_number, created_at, updated_at, ticket_id, customer_id,"
    " token_sha256, status, expires_at, score, comment, answered_at",
    "timer": "kind, key, due_at",
}


class _Case(NamedTuple):
    """A ticket of the demo as it stands now."""

    number: int
    ticket: Any
    customer: Any
    agent_id: UUID
    status: str
    score: int | None
    resolved_at: datetime | None
    closed_at: datetime | None

    @property
    def updated_at(self) -> datetime:
        """When something last happened to it."""
        opened_at: datetime = self.ticket.opened_at
        return self.closed_at or self.resolved_at or opened_at

    @property
    def expires_at(self) -> datetime | None:
        """When its survey ends; None when the customer was not asked yet."""
        return self.resolved_at + rules.SURVEY_LIFETIME if self.resolved_at else None


@dataclass
class _Books:
    """What must be right in sum: numbers, open tickets of each agent, open surveys."""

    demo: ModuleType
    tickets: int = 0
    pending: int = 0
    open: Counter[UUID] = field(default_factory=Counter)
    last: dict[UUID, datetime] = field(default_factory=dict)

    def case(self, customer: Any) -> _Case:
        """The ticket of a customer, its status bent so that the sums stay sensible."""
        ticket = self.demo.ticket(customer.number, customer)
        self.tickets += 1
        agent_id = ticket.assignee_id or self._agent(ticket.team_path)
        self.last[agent_id] = max(self.last.get(agent_id, ticket.opened_at), ticket.opened_at)
        status = self._status(ticket, agent_id)
        times = self._times(ticket, status)
        return _Case(self.tickets, ticket, customer, agent_id, status, *times)

    def _agent(self, team_path: str) -> UUID:
        team = [
            one.id
            for one in self.demo.STAFF
            if one.team_path == team_path and rules.AGENT_ROLE in one.roles
        ]
        found: UUID = team[self.tickets % len(team)]
        return found

    def _status(self, ticket: Any, agent_id: UUID) -> str:
        status: str = ticket.status
        if status == "resolved" and self._may_still_answer(ticket):
            self.pending += 1
            return "survey_pending"
        if status in ("resolved", "closed") or self.open[agent_id] >= _OPEN_PER_AGENT:
            return "closed"
        self.open[agent_id] += 1
        # Nothing waits for an agent while one has room.
        return "assigned" if status == "new" else status

    def _may_still_answer(self, ticket: Any) -> bool:
        expires_at: datetime = ticket.resolved_at + rules.SURVEY_LIFETIME
        return self.pending < _MOST_PENDING and expires_at > self.demo.AS_OF

    def _times(
        self, ticket: Any, status: str
    ) -> tuple[int | None, datetime | None, datetime | None]:
        """Score, time of resolution, time of closing."""
        if status in rules.OPEN:
            return None, None, None
        last: datetime = self.demo.AS_OF
        resolved_at = ticket.resolved_at or min(ticket.opened_at + _RESOLVED_AFTER, last)
        if status == "survey_pending":
            return None, resolved_at, None
        score = _SCORES[self.tickets % len(_SCORES)]
        expired_at = resolved_at + rules.SURVEY_LIFETIME
        if score is None and expired_at <= last:
            return None, resolved_at, expired_at
        return score or 4, resolved_at, min(resolved_at + _ANSWERED_AFTER, last)


def seed(
    connection: psycopg.Connection[Any],
    demo: ModuleType,
    count: int,
    report: Callable[[int], None],
) -> None:
    """Write copies of the first ``count`` demo customers and of all staff, and their tickets."""
    books = _Books(demo)
    cursor = connection.cursor()
    for start in range(0, count, _CHUNK):
        customers = list(demo.customers(min(_CHUNK, count - start), start))
        cases = [books.case(one) for one in customers if one.number % _TICKET_EVERY == 0]
        _copy(cursor, "customer", map(_customer, customers))
        _copy(cursor, "ticket", map(_ticket, cases))
        _copy(cursor, "ticket_history", (row for case in cases for row in _history(case)))
        _copy(cursor, "feedback", map(_feedback, cases))
        asked = [case for case in cases if case.resolved_at]
        _copy(cursor, "survey", map(_survey, asked))
        waiting = (case for case in asked if case.status == "survey_pending")
        _copy(cursor, "timer", map(_timer, waiting))
        report(len(customers))
    _copy(cursor, "colleague", (_colleague(books, person) for person in demo.STAFF))
    if books.tickets:
        cursor.execute("select setval('ticket_number', %s)", (books.tickets,))


def _copy(cursor: psycopg.Cursor[Any], table: str, rows: Iterable[tuple[Any, ...]]) -> None:
    with cursor.copy(f"copy {table} ({_COPIES[table]}) from stdin".encode()) as copy:
        for row in rows:
            copy.write_row(row)


def _customer(customer: Any) -> tuple[Any, ...]:
    whose = (customer.owner_id, customer.team_path)
    return (customer.id, customer.name, customer.language, *whose, 1)


def _colleague(books: _Books, person: Any) -> tuple[Any, ...]:
    work = (books.open[person.id], books.last.get(person.id))
    roles = list(person.roles)
    return (person.id, person.name, person.team_path, roles, _CAPACITY, True, *work, 1)


def _ticket(case: _Case) -> tuple[Any, ...]:
    ticket = case.ticket
    return (
        ticket.id,
        *_COUNTS[case.status],
        ticket.opened_at,
        case.updated_at,
        case.agent_id,
        ticket.team_path,
        rules.ticket_number(time_zone_of(case.customer.language), ticket.opened_at, case.number),
        ticket.customer_id,
        ticket.subject,
        ticket.subject,
        ticket.priority,
        case.status,
        _OUTCOME if case.resolved_at else None,
        case.score,
        case.resolved_at,
        case.closed_at,
    )


def _history(case: _Case) -> Iterator[tuple[Any, ...]]:
    opened_at, agent = case.ticket.opened_at, f"staff:{case.agent_id}"
    yield (case.ticket.id, None, "new", "system", opened_at, "")
    before = "new"
    for to in _WAYS[case.status]:
        by, at, note = agent, opened_at, ""
        if to in rules.DONE:
            at = case.closed_at if to == "closed" else case.resolved_at
        if to == "resolved":
            note = _OUTCOME
        elif to == "closed":
            by = "anonymous" if case.score else "system"
            note = surveys.closing_note(case.score)
        elif to == "assigned":
            by = "system"
        yield (case.ticket.id, before, to, by, at, note)
        before = to


def _feedback(case: _Case) -> tuple[Any, ...]:
    ticket, customer = case.ticket, case.customer
    return (
        UUID(int=ticket.id.int + 1),
        1,
        1,
        ticket.opened_at,
        ticket.opened_at,
        customer.owner_id,
        customer.team_path,
        customer.id,
        _KINDS[case.number % len(_KINDS)],
        _CHANNELS[case.number % len(_CHANNELS)],
        ticket.subject,
        ticket.subject,
        "converted",
        ticket.id,
    )


def _survey(case: _Case) -> tuple[Any, ...]:
    identity = UUID(int=case.ticket.id.int + 2)
    counts, status, answered_at = (1, 1), "sent", None
    if case.score:
        counts = (3, 3) if rules.is_detractor(case.score) else (2, 2)
        status, answered_at = "answered", case.closed_at
    elif case.status == "closed":
        counts, status = (2, 1), "expired"
    return (
        identity,
        *counts,
        case.resolved_at,
        case.updated_at,
        case.ticket.id,
        case.ticket.customer_id,
        # The byte FF stands in no text, so no link leads here.
        sha256(b"\xff" + identity.bytes).digest(),
        status,
        case.expires_at,
        case.score,
        "",
        answered_at,
    )


def _timer(case: _Case) -> tuple[Any, ...]:
    return (surveys.EXPIRY, str(UUID(int=case.ticket.id.int + 2)), case.expires_at)
