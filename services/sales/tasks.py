"""Tasks: given to people by people or by what happened, and done."""

from functools import cache
from typing import Any
from uuid import UUID

from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from contracts import sales as contract
from contracts.service_desk import HIGHEST_SCORE
from contracts.shapes import time_zone_of
from crmkit.db import fetch, one, select_named, visible
from crmkit.ids import new_id
from crmkit.messages import Envelope
from crmkit.outbox import emit
from crmkit.pages import page
from services.sales import colleagues, customers, rules
from services.sales.models import Customer, Task

_COMPUTED: dict[str, Any] = {"customer_name": Customer.display_name}
COLUMNS: dict[str, Any] = {
    name: _COMPUTED[name] if name in _COMPUTED else getattr(Task, name)
    for name in contract.Task().fields
}


def create(session: Session, *, title: str, **request: Any) -> dict[str, Any]:
    """Give somebody something to do and tell them; the task.

    NotFound ``customer_not_found`` and ``colleague_not_found``; Conflict ``already_exists`` if the
    caller's own id is taken.
    """
    customer_id = request.get("customer_id")
    customer = fetch(session, Customer, customer_id) if customer_id else None
    task = Task(
        id=request.get("id") or new_id(),
        title=title,
        customer_id=customer_id,
        status="open",
        due_on=request.get("due_on"),
        **colleagues.ownership(session, request.get("owner_id"), customer),
    )
    _assign(session, task)
    return _shown(session, task.id)


def get(session: Session, *, task_id: UUID) -> dict[str, Any]:
    """One task; NotFound."""
    return one(session, _columns().where(Task.id == task_id, visible(session, Task)), "task")


def find(session: Session, **asked: Any) -> dict[str, Any]:
    """A page of tasks."""
    statement = _columns().where(visible(session, Task))
    return page(session, statement, contract.ListTasks, COLUMNS, asked)


def complete(session: Session, *, task_id: UUID) -> dict[str, Any]:
    """Say that a task is done and announce it; the task.

    Asking twice changes nothing. NotFound; Conflict ``status_not_allowed`` when it was cancelled.
    """
    task = fetch(session, Task, task_id, lock=True)
    if task.status != "done":
        task.status = rules.finish_task(task.status, "done")
        facts = {"task_id": task.id, "customer_id": task.customer_id}
        emit(session, contract.TaskDone, task, facts)
    return _shown(session, task.id)


def follow_up(session: Session, event: Envelope) -> None:
    """Have the owner of a discontented customer call, by the next day where the owner works.

    One survey raises one task, however often it is announced. NotFound while we do not know the
    customer yet.
    """
    # The lock on the customer lets two announcements of one survey in only one after the other.
    customer = fetch(session, Customer, event.data["customer_id"], lock=True)
    survey_id = event.data["survey_id"]
    if session.scalar(select(Task.id).where(Task.survey_id == survey_id)) is not None:
        return
    language = colleagues.language_of(session, customer.owner_id, customer)
    facts = (event.data["ticket_number"], event.data["comment"])
    task = Task(
        id=new_id(),
        title=rules.follow_up_title(language),
        customer_id=customer.id,
        status="open",
        due_on=rules.next_day(time_zone_of(language), event.time),
        reason=rules.follow_up_reason(event.data["score"], HIGHEST_SCORE, *facts),
        survey_id=survey_id,
        owner_id=customer.owner_id,
        team_path=customer.team_path,
    )
    _assign(session, task)


def _assign(session: Session, task: Task) -> None:
    """Write a new task and tell its owner; a task of nobody is told to nobody."""
    session.add(task)
    if task.owner_id is None:
        return
    names = ("title", "customer_id", "owner_id", "team_path", "due_on", "reason")
    facts = {name: getattr(task, name) for name in names}
    emit(session, contract.TaskAssigned, task, {"task_id": task.id, **facts})


@cache
def _columns() -> Select[Any]:
    return customers.joined(select_named(COLUMNS), Task)


def _shown(session: Session, task_id: UUID) -> dict[str, Any]:
    """The task after a change, which may have put it out of the caller's scope."""
    return one(session, _columns().where(Task.id == task_id), "task")
