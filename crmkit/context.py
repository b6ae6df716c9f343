"""Who asks, for what request and until when: what travels beside every message."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal, get_args
from uuid import UUID

from crmkit import codec
from crmkit.clock import epoch_ms
from crmkit.ids import new_id

Scope = Literal["own", "team", "subtree", "all"]


@dataclass(frozen=True, slots=True)
class Actor:
    """Whoever asks. The gateway checked the permission; the owner of the data applies the scope.

    ``kind`` is staff, integration, customer (a survey link, say) or system (timers and events).
    ``team_path`` is the actor's place in the tree of teams, such as ``/hq/seoul/``.
    """

    id: UUID | None = None
    kind: str = "system"
    scope: Scope = "all"
    team_path: str = "/"

    @property
    def initiator(self) -> str:
        """How events name the actor: ``staff:0199…`` or ``system``."""
        return f"{self.kind}:{self.id}" if self.id else self.kind


SYSTEM = Actor()


@dataclass(frozen=True, slots=True)
class Context:
    """One request on its way from HTTP to the last event it causes.

    ``deadline`` is in epoch milliseconds, 0 for none. ``command_id`` makes a command safe to
    repeat, ``fingerprint`` tells a repetition from another request under the same key. ``address``
    is where HTTP came from; it stays in the gateway.
    """

    request_id: str = field(default_factory=lambda: str(new_id()))
    actor: Actor = SYSTEM
    language: str = "en"
    deadline: int = 0
    command_id: str | None = None
    fingerprint: str | None = None
    causation_id: str | None = None
    traceparent: str | None = None
    address: str | None = None

    @property
    def expired(self) -> bool:
        """Whether nobody waits for the answer any more."""
        return bool(self.deadline) and epoch_ms() > self.deadline

    def caused_by(self, event_id: UUID) -> "Context":
        """The context in which an event is handled: same request, acting as the system."""
        return replace(self, causation_id=str(event_id), command_id=None, deadline=0, actor=SYSTEM)


_PLAIN = ("language", "command_id", "fingerprint", "causation_id", "traceparent")
HEADER = "nameko."


def to_headers(context: Context) -> dict[str, Any]:
    """The context as AMQP headers, with nameko's prefix, as a stock client would send it."""
    headers: dict[str, Any] = {HEADER + "request_id": context.request_id}
    if context.deadline:
        headers[HEADER + "deadline"] = context.deadline
    for name in _PLAIN:
        value = getattr(context, name)
        if value is not None:
            headers[HEADER + name] = value
    actor = context.actor
    headers[HEADER + "actor"] = codec.dumps(
        {
            "id": actor.id,
            "kind": actor.kind,
            "scope": actor.scope,
            "team_path": actor.team_path,
        }
    ).decode()
    return headers


def from_headers(headers: Mapping[str, Any], *, trusted: bool) -> Context:
    """The context that ``to_headers`` wrote; an actor that no trusted sender vouches for is nobody.

    Never raises: a header of the wrong type counts as absent, since one odd message must not
    stop a service.
    """
    values: dict[str, Any] = {}
    for name in _PLAIN:
        value = headers.get(HEADER + name)
        if isinstance(value, str):
            values[name] = value
    request_id = headers.get(HEADER + "request_id")
    if isinstance(request_id, str):
        values["request_id"] = request_id[:64]
    deadline = headers.get(HEADER + "deadline")
    if isinstance(deadline, int):
        values["deadline"] = deadline
    values["actor"] = _actor(headers.get(HEADER + "actor")) if trusted else NOBODY
    return Context(**values)


NOBODY = Actor(kind="anonymous", scope="own")


def _actor(text: Any) -> Actor:
    try:
        data = codec.loads(text)
        identity = UUID(str(data["id"])) if data["id"] else None
        kind, scope, team_path = (str(data[name]) for name in ("kind", "scope", "team_path"))
    except (TypeError, ValueError, KeyError):
        return NOBODY
    if scope not in get_args(Scope):
        return NOBODY
    return Actor(identity, kind, scope, team_path)  # type: ignore[arg-type]
