"""Registering, finding and changing customers, and what other services' facts do to them."""

from typing import Any
from uuid import UUID

from sqlalchemy import func
from sqlalchemy.orm import Session

from contracts import customers as contract
from crmkit import copies
from crmkit.clock import now
from crmkit.db import actor, fetch, missing, one, select_named, visible
from crmkit.errors import Invalid
from crmkit.ids import new_id
from crmkit.messages import Envelope
from crmkit.outbox import emit, gathering
from crmkit.pages import page
from services.customers import contact_points, names, rules
from services.customers.models import Colleague, ConsentEntry, Customer, LifecycleEntry

COLUMNS = {name: getattr(Customer, name) for name in contract.Customer().fields}
LIST_COLUMNS = {name: getattr(Customer, name) for name in contract.CustomerRow().fields}
_WHOLE, _LISTED = select_named(COLUMNS), select_named(LIST_COLUMNS)
_TEXTS = ("reading", "language", "country", "city", "industry", "birthday", "source", "tags")


def register(session: Session, *, contact_points: list[dict[str, Any]], **request: Any) -> Any:
    """Take in a new customer and announce it; the customer.

    Invalid where a name, e-mail or phone is none. Conflict ``already_exists`` if the caller's own
    id is taken.
    """
    customer = Customer(
        id=request.get("id") or new_id(),
        kind=request["kind"],
        lifecycle_stage="suspect",
        consents=[],
        **{name: request.get(name) for name in _TEXTS},
        **_ownership(session, request.get("owner_id")),
    )
    _rename(customer, request["name"])
    _set_contact_points(customer, contact_points)
    _index(customer)
    session.add(customer)
    for consent in request["consents"]:
        _note_consent(session, customer, consent)
    emit(session, contract.CustomerRegistered, customer, _facts(customer))
    return _shown(customer)


def get(session: Session, *, customer_id: UUID) -> dict[str, Any]:
    """One customer; NotFound."""
    query = _WHOLE.where(Customer.id == customer_id, visible(session, Customer))
    return one(session, query, "customer")


def find(session: Session, *, q: str | None = None, **asked: Any) -> dict[str, Any]:
    """A page of customers; with ``q`` those whose name, e-mail or phone holds it."""
    statement = _LISTED.where(visible(session, Customer))
    if q:
        keys, needle = names.query_keys(q)
        statement = statement.where(Customer.search_keys.contains(keys))
        if needle:
            # Not LIKE: PostgreSQL takes it for so rare that it reads and sorts all that the keys
            # find, where walking through the newest would have filled the page soon.
            statement = statement.where(func.strpos(Customer.search_text, needle) > 0)
    return page(session, statement, contract.ListCustomers, LIST_COLUMNS, {**asked, "q": q})


def update(
    session: Session, *, customer_id: UUID, if_match: int | None = None, **changes: Any
) -> Any:
    """Change what is given, null clearing it, and announce what changed; the customer.

    NotFound; Conflict ``stale_version`` when it was changed since the caller read it.
    """
    customer = fetch(session, Customer, customer_id, lock=True, if_match=if_match)
    for name in _TEXTS:
        if name in changes:
            setattr(customer, name, changes[name])
    if "name" in changes:
        _rename(customer, changes["name"])
    if "contact_points" in changes:
        _set_contact_points(customer, changes["contact_points"])
    if not session.is_modified(customer):
        return _shown(customer)
    _index(customer)
    _announce(session, customer, sorted(changes))
    return _shown(customer)


def record_consent(session: Session, *, customer_id: UUID, **consent: Any) -> Any:
    """Add to the consent ledger and announce what is in force now; the customer."""
    customer = fetch(session, Customer, customer_id, lock=True)
    _note_consent(session, customer, consent)
    _announce(session, customer, ["consents"])
    return _shown(customer)


def transfer(session: Session, *, customer_id: UUID, owner_id: UUID) -> Any:
    """Give the customer to a colleague and announce it; the customer.

    A second time changes nothing. NotFound if there is no such customer or active colleague.
    """
    customer = fetch(session, Customer, customer_id, lock=True)
    if customer.owner_id != owner_id:
        colleague = _colleague(session, owner_id)
        customer.owner_id, customer.team_path = colleague.id, colleague.team_path
        _announce(session, customer, ["owner_id", "team_path"])
    return _shown(customer)


def advance_on_opportunity(session: Session, event: Envelope) -> None:
    """A chance to sell makes a suspect a prospect."""
    customer = fetch(session, Customer, event.data["customer_id"], lock=True)
    _move(session, customer, rules.stage_after_opportunity(customer.lifecycle_stage), event)


def advance_on_order(session: Session, event: Envelope) -> None:
    """An order makes a first buyer, a repeat buyer, a loyal customer."""
    customer = fetch(session, Customer, event.data["customer_id"], lock=True)
    customer.orders_count += 1
    stage = rules.stage_after_order(customer.lifecycle_stage, customer.orders_count)
    _move(session, customer, stage, event)


def withdraw_consent(session: Session, event: Envelope) -> None:
    """Add to the consent ledger that the customer unsubscribed by the link in a message."""
    facts = event.data
    customer = fetch(session, Customer, facts["customer_id"], lock=True)
    consent = {
        "channel": facts["channel"],
        "purpose": "marketing",
        "granted": False,
        "source": "unsubscribe link",
        "proof": rules.unsubscribe_proof(facts["message_id"], facts["campaign_id"]),
    }
    _note_consent(session, customer, consent)
    _announce(session, customer, ["consents"])


def keep_colleague(session: Session, event: Envelope) -> None:
    """Know who works where."""
    copies.keep(
        session,
        Colleague,
        event,
        id=event.data["staff_id"],
        name=event.data["name"],
        team_path=event.data["team_path"],
        active=event.data["active"],
    )


def keep_leaver(session: Session, event: Envelope) -> None:
    """Know that somebody left, who gets no more customers.

    NotFound while the news that they joined is still under way.
    """
    colleague = session.get(Colleague, event.data["staff_id"], populate_existing=True)
    if colleague is None:
        raise missing("colleague")
    copies.keep(
        session,
        Colleague,
        event,
        id=colleague.id,
        name=colleague.name,
        team_path=event.data["team_path"],
        active=False,
    )


def _ownership(session: Session, owner_id: UUID | None) -> dict[str, Any]:
    """Whose the customer is: the named colleague's, else the caller's, else nobody's."""
    who = actor(session)
    if owner_id is None or owner_id == who.id:
        return {"owner_id": who.id if who.kind == "staff" else None, "team_path": who.team_path}
    colleague = _colleague(session, owner_id)
    return {"owner_id": colleague.id, "team_path": colleague.team_path}


def _colleague(session: Session, identity: UUID) -> Colleague:
    colleague = session.get(Colleague, identity, populate_existing=True)
    if colleague is None or not colleague.active:
        raise missing("colleague")
    return colleague


def _rename(customer: Customer, name: dict[str, Any]) -> None:
    try:
        shown = names.display_name(customer.kind, name)
    except ValueError:
        raise Invalid(
            "invalid", "Some fields need attention.", {"name": ["Give family and given, or full."]}
        ) from None
    customer.name, customer.display_name = name, shown


def _set_contact_points(customer: Customer, points: list[dict[str, Any]]) -> None:
    """Normalise e-mails and phones; the first of a kind is primary unless another says so."""
    problems: dict[str, list[str]] = {}
    clean = []
    for number, point in enumerate(points):
        try:
            clean.append(_clean(point, customer.country))
        except ValueError as error:
            problems[f"contact_points.{number}.value"] = [str(error)]
    if problems:
        raise Invalid("invalid", "Some fields need attention.", problems)
    customer.contact_points = clean
    customer.email = _primary(clean, "email")
    customer.phone = _primary(clean, "phone")


def _clean(point: dict[str, Any], region: str) -> dict[str, Any]:
    if point["kind"] == "email":
        return {**point, "value": contact_points.email(point["value"])}
    phone = contact_points.phone(point["value"], region)
    return {**point, "value": phone.e164, "textable": phone.textable}


def _primary(points: list[dict[str, Any]], kind: str) -> str | None:
    of_kind = sorted((p for p in points if p["kind"] == kind), key=lambda p: not p["primary"])
    return of_kind[0]["value"] if of_kind else None


def _index(customer: Customer) -> None:
    """Derive what the customer is found by."""
    readings = [customer.reading] if customer.reading else []
    emails = [p["value"] for p in customer.contact_points if p["kind"] == "email"]
    phones = [p["value"] for p in customer.contact_points if p["kind"] == "phone"]
    customer.search_keys = names.search_keys(customer.display_name, readings, emails, phones)
    customer.search_text = names.search_text(customer.display_name, readings, emails, phones)


def _note_consent(session: Session, customer: Customer, consent: dict[str, Any]) -> None:
    entry = {**consent, "recorded_at": now().isoformat()}
    customer.consents = rules.with_consent(customer.consents, entry)
    session.add(
        ConsentEntry(customer_id=customer.id, recorded_by=actor(session).initiator, **consent)
    )


def _move(session: Session, customer: Customer, stage: str, event: Envelope) -> None:
    before = customer.lifecycle_stage
    if stage == before:
        return
    customer.lifecycle_stage = stage
    cause = f"{event.type} {event.id}"
    step = {"from_stage": before, "to_stage": stage, "cause": cause}
    session.add(LifecycleEntry(customer_id=customer.id, **step))
    facts = {"customer_id": customer.id, **step}
    with gathering(session):
        emit(session, contract.CustomerLifecycleChanged, customer, facts)
        _announce(session, customer, ["lifecycle_stage"])


def _announce(session: Session, customer: Customer, changed: list[str]) -> None:
    emit(session, contract.CustomerUpdated, customer, {**_facts(customer), "changed": changed})


def _facts(customer: Customer) -> dict[str, Any]:
    return {
        "customer_id": customer.id,
        "consents": rules.open_channels(customer.consents),
        "mobile": rules.mobile(customer.contact_points),
        **{
            name: getattr(customer, name)
            for name in (
                "kind",
                "display_name",
                "language",
                "country",
                "lifecycle_stage",
                "owner_id",
                "team_path",
                "tags",
                "email",
                "phone",
                "birthday",
            )
        },
    }


def _shown(customer: Customer) -> dict[str, Any]:
    return {name: getattr(customer, name) for name in COLUMNS}
