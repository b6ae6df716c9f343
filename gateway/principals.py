"""Who asks: a member of staff or another system, and what each may do."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from uuid import UUID

from crmkit.context import Actor, Scope
from gateway import addresses
from gateway.addresses import Network

EVERYTHING = "*"
WIDTH: dict[str, int] = {"own": 0, "team": 1, "subtree": 2, "all": 3}


@dataclass(slots=True)
class Principal:
    """Whoever holds a valid token or key. ``grants`` maps each permission to its widest scope.

    ``networks`` are those a key may come from, any when there are none. ``needs_factor`` says that
    their roles ask for a second factor which they do not have yet; they may do nothing else then.
    """

    id: UUID
    kind: str
    grants: Mapping[str, Scope]
    team_path: str = "/"
    language: str | None = None
    session_id: UUID | None = None
    networks: tuple[Network, ...] = ()
    needs_factor: bool = False
    key: str = field(init=False)
    _actors: dict[str, Actor | None] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.key = str(self.id)

    def may_come_from(self, address: str) -> bool:
        """Whether the key may be used from that address."""
        return not self.networks or addresses.lies_in(address, self.networks)

    def actor(self, permission: str) -> Actor | None:
        """The actor under that permission, with its scope; None when it is missing."""
        if permission not in self._actors:
            scope = scope_of(self.grants, permission)
            self._actors[permission] = (
                None if scope is None else Actor(self.id, self.kind, scope, self.team_path)
            )
        return self._actors[permission]

    @property
    def anyone(self) -> Actor:
        """The actor where no permission is asked for: it sees no more than its own."""
        return Actor(self.id, self.kind, "own", self.team_path)


def scope_of(grants: Mapping[str, Scope], permission: str) -> Scope | None:
    """The widest scope in which the grants hold the permission; None when they do not."""
    found = [grants[name] for name in (permission, EVERYTHING) if name in grants]
    return max(found, key=WIDTH.__getitem__, default=None)
