"""What a contract is made of: commands, replies, events, and the envelope events travel in.

A contract class knows its own names. ``contracts.sales.WinOpportunity`` is the command
``win_opportunity`` of the owner ``sales``; ``OrderSubmitted`` with ``aggregate = "order"`` and
``happened = "submitted"`` is the event ``crm.sales.order.submitted.v1``.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar
from uuid import UUID

from marshmallow import EXCLUDE, RAISE, Schema, ValidationError, fields

from crmkit import codec
from crmkit.context import Context
from crmkit.errors import Invalid


def snake(name: str) -> str:
    """``WinOpportunity`` → ``win_opportunity``."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()


def _owner(module: str) -> str:
    """``contracts.sales`` and ``contracts.gateway.staff`` name theirs after the first dot."""
    return module.split(".")[:2][-1]


class Reply(Schema):
    """What a command answers with. It describes; replies are rows and are not dumped through it."""

    class Meta:
        unknown = EXCLUDE


class Command(Schema):
    """A request to the owner of some data. Unknown fields are refused by name.

    ``reply`` is the shape of the answer. ``changes`` says whether it may write: a command that
    only reads needs no idempotency key. Path parameters of its route are fields like any other.
    """

    owner: ClassVar[str]
    # A string; a command may also have a field of that name, which marshmallow keeps elsewhere.
    name: ClassVar[Any]
    reply: ClassVar[type[Schema]]
    changes: ClassVar[bool] = True

    class Meta:
        unknown = RAISE

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        cls.owner = cls.__dict__.get("owner") or _owner(cls.__module__)
        cls.name = snake(cls.__name__)


class Query(Command):
    """A command that only reads."""

    changes = False


class Versioned(Command):
    """A change of one record; ``if_match`` is the version the caller saw (RFC 9110 If-Match)."""

    if_match = fields.Integer(load_default=None, allow_none=True, strict=True)


class Event(Schema):
    """A fact that is true when it is announced. Consumers ignore fields they do not know.

    ``key`` names the field that holds the aggregate's id. ``personal`` marks facts about a person.
    ``feed`` says whether it enters the public feed; hand-overs between services stay out of it.
    ``erp`` has it delivered to the queue of the ERP, too.
    """

    owner: ClassVar[str]
    aggregate: ClassVar[str]
    happened: ClassVar[str]
    version: ClassVar[int] = 1
    key: ClassVar[str]
    personal: ClassVar[bool] = False
    feed: ClassVar[bool] = True
    erp: ClassVar[bool] = False
    routing_key: ClassVar[str]
    type: ClassVar[str]

    class Meta:
        unknown = EXCLUDE

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        cls.owner = _owner(cls.__module__)
        if not hasattr(cls, "key"):
            cls.key = f"{cls.aggregate}_id"
        cls.routing_key = f"{cls.aggregate}.{cls.happened}.v{cls.version}"
        cls.type = f"crm.{cls.owner}.{cls.routing_key}"


_schemas: dict[type[Schema], Schema] = {}


def schema(kind: type[Schema]) -> Schema:
    """The one instance of a schema class; making one costs more than loading with it."""
    found = _schemas.get(kind)
    if found is None:
        found = _schemas[kind] = kind()
    return found


def load(kind: type[Schema], data: Any) -> dict[str, Any]:
    """The typed values of ``data``; Invalid, with dotted field names, where it does not fit."""
    try:
        loaded: dict[str, Any] = schema(kind).load(data)
    except ValidationError as error:
        raise Invalid("invalid", "Some fields need attention.", flatten(error.messages)) from None
    return loaded


def flatten(messages: Any, at: str = "") -> dict[str, list[str]]:
    """Marshmallow's nested messages as one level: ``{"address.city": ["Not a valid string."]}``."""
    if not isinstance(messages, Mapping):
        return {at or "_": [str(message) for message in messages]}
    flat: dict[str, list[str]] = {}
    for name, inner in messages.items():
        path = at if name == "_schema" else f"{at}.{name}" if at else str(name)
        flat.update(flatten(inner, path))
    return flat


@dataclass(frozen=True, slots=True)
class Envelope:
    """An event as its subscriber sees it: CloudEvents attributes and the typed facts.

    ``version`` counts the events of this aggregate without gaps, so a jump is a loss and a lower
    number is old news. ``context`` is that of the request that caused it.
    """

    id: UUID
    type: str
    subject: str
    time: datetime
    version: int
    data: dict[str, Any]
    context: Context


def cloud_event(row: Mapping[str, Any], event: type[Event], sequence: int) -> bytes:
    """One outbox row as CloudEvents 1.0 structured JSON.

    Extension names are lower-case letters and digits only, as the specification demands.
    """
    context = row["context"]
    body = {
        "specversion": "1.0",
        "id": row["event_id"],
        "source": f"/crm/{event.owner}",
        "type": event.type,
        "subject": f"{event.aggregate}/{row['aggregate_id']}",
        "time": row["created_at"],
        "datacontenttype": "application/json",
        "dataschema": f"/v1/schemas/{event.type}",
        "partitionkey": row["aggregate_id"],
        "sequence": f"{sequence:020d}",
        "aggregateversion": row["aggregate_version"],
        "correlationid": context.get("request_id"),
        "causationid": context.get("causation_id"),
        "traceparent": context.get("traceparent"),
        "initiator": context.get("initiator", "system"),
        "dataclassification": "personal" if event.personal else "internal",
        "data": row["payload"],
    }
    return codec.dumps({name: value for name, value in body.items() if value is not None})


def open_received(
    event: type[Event], sender: str | None, raw: bytes
) -> tuple["Envelope", dict[str, Any]]:
    """The envelope in a message and its whole body; Invalid unless its owner sent this event."""
    if sender != event.owner:
        raise Invalid("forged", f"Not sent by {event.owner}.")
    try:
        body = codec.loads(raw)
    except ValueError as error:
        raise Invalid("malformed", f"Not JSON: {error}.") from None
    if not isinstance(body, dict):
        raise Invalid("malformed", "An event must be a JSON object.")
    return open_envelope(event, body), body


def open_envelope(event: type[Event], body: Mapping[str, Any]) -> Envelope:
    """The envelope in a received message; Invalid when it is not this event."""
    try:
        identity = UUID(str(body["id"]))
        time = datetime.fromisoformat(body["time"])
        version, subject, data = int(body["aggregateversion"]), str(body["subject"]), body["data"]
        kind = body["type"]
    except (KeyError, TypeError, ValueError) as error:
        raise Invalid("invalid_envelope", f"Not a CloudEvent of ours: {error!r}.") from None
    if kind != event.type:
        raise Invalid("other_event", f"{kind} came where {event.type} was expected.")
    values: dict[str, Any] = {
        name: body[attribute]
        for name, attribute in (("request_id", "correlationid"), ("traceparent", "traceparent"))
        if isinstance(body.get(attribute), str)
    }
    context = Context(**values).caused_by(identity)
    return Envelope(identity, kind, subject, time, version, load(event, data), context)
