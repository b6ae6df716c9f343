"""Settings: environment variables, read once at start, which name what is missing."""

import os
import random
from collections.abc import Mapping
from dataclasses import dataclass


class MissingSetting(SystemExit):
    """Ends the process with one line that names every variable it needed and did not find."""

    def __init__(self, names: list[str]) -> None:
        super().__init__(f"Missing settings: {', '.join(names)}. See .env.example for each.")


@dataclass(frozen=True, slots=True)
class Settings:
    """The environment of one process."""

    environ: Mapping[str, str]

    def need(self, *names: str) -> tuple[str, ...]:
        """The values of these variables; MissingSetting naming all that are absent or empty."""
        absent = [name for name in names if not self.environ.get(name)]
        if absent:
            raise MissingSetting(absent)
        return tuple(self.environ[name] for name in names)

    def text(self, name: str, default: str = "") -> str:
        """The value, or the default."""
        return self.environ.get(name) or default

    def number(self, name: str, default: int) -> int:
        """The value as a whole number; one line and the end when it is none."""
        value = self.environ.get(name) or str(default)
        if not value.lstrip("-").isdigit():
            raise SystemExit(f"{name} must be a whole number, not {value!r}.")
        return int(value)

    @property
    def development(self) -> bool:
        """Whether this is somebody's own machine; production must say so to be strict."""
        return self.text("ENVIRONMENT", "production") == "development"

    def database_url(self, owner: str) -> str:
        """Where the owner's database is."""
        return self.need(f"{owner.upper()}_DATABASE_URL")[0]

    def migration_urls(self, *owners: str) -> tuple[str, ...]:
        """Where their databases are, each as the role that its tables belong to."""
        return self.need(*(f"{owner.upper()}_MIGRATION_URL" for owner in owners))

    def amqp_uri(self, owner: str) -> str:
        """The broker, as the owner's own user; the nodes of a cluster are parted by ``;``.

        Their order is another at each call, so that processes spread over them.
        """
        nodes = self.need(f"{owner.upper()}_AMQP_URI")[0].split(";")
        return ";".join(random.sample(nodes, len(nodes)))

    def secret_key(self) -> bytes:
        """What signs cursors and links; too short a key ends the start."""
        key = self.need("SECRET_KEY")[0]
        if len(key) < 32:
            raise SystemExit("SECRET_KEY must have 32 characters or more.")
        return key.encode()


def places(*owners: str) -> list[str]:
    """The variables that say where the database and the broker of these owners are."""
    return [f"{o.upper()}_{what}" for o in owners for what in ("DATABASE_URL", "AMQP_URI")]


def from_environment() -> Settings:
    """The settings of this process."""
    return Settings(os.environ)
