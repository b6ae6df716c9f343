"""Which owners there are: every folder of ``services`` with a ``service.py``, and the gateway.

Nothing here knows a name; a new service is found because it lies there.
"""

import importlib
import pkgutil
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from crmkit.messages import Command, Event

ROOT = Path(__file__).resolve().parent.parent
GATEWAY = "gateway"


def services() -> tuple[str, ...]:
    """The names of the services, sorted."""
    return tuple(sorted(p.parent.name for p in (ROOT / "services").glob("*/service.py")))


def owners() -> tuple[str, ...]:
    """Everyone with a database and a user on the bus: the services and the gateway."""
    return (*services(), GATEWAY)


def package(owner: str) -> str:
    """The import path of an owner's package."""
    return GATEWAY if owner == GATEWAY else f"services.{owner}"


def contracts(owner: str) -> list[ModuleType]:
    """The modules of the owner's contracts: a single one, or a package and those in it."""
    first = importlib.import_module(f"contracts.{owner}")
    others = pkgutil.iter_modules(getattr(first, "__path__", ()), f"{first.__name__}.")
    return [first, *(importlib.import_module(one.name) for one in others)]


def models(owner: str) -> ModuleType:
    """The owner's tables."""
    return importlib.import_module(f"{package(owner)}.models")


def service_class(owner: str) -> type[Any]:
    """The service to run: the one class with a name in ``services/<owner>/service.py``."""
    module = importlib.import_module(f"services.{owner}.service")
    for value in vars(module).values():
        if isinstance(value, type) and getattr(value, "name", None) == owner:
            return value
    raise SystemExit(f"services/{owner}/service.py holds no class named {owner!r}.")


def _members(owner: str, base: type[Any]) -> list[type[Any]]:
    return [
        value
        for module in contracts(owner)
        for name, value in vars(module).items()
        if isinstance(value, type)
        and issubclass(value, base)
        and value.__module__ == module.__name__
        and not name.startswith("_")
    ]


def events(owner: str) -> "list[type[Event]]":
    """The events an owner may announce."""
    from crmkit.messages import Event  # Who only asks which owners there are loads no schemas.

    return _members(owner, Event)


def commands(owner: str) -> "list[type[Command]]":
    """The commands an owner answers."""
    from crmkit.messages import Command

    return _members(owner, Command)
