"""The commands that every service answers besides its own."""

from typing import Any

from crmkit import parking
from crmkit.entrypoints import command


class ParkingCommands:
    """Lists, replays and discards what is parked in the service's database."""

    name: str
    db: Any

    @command(parking.ListParked)
    def list_parked(self, **request: Any) -> Any:
        return self.db.read(parking.list_parked, owner=self.name, **request)

    @command(parking.ReplayParked)
    def replay_parked(self, **request: Any) -> Any:
        return self.db.run(parking.replay_parked, owner=self.name, **request)

    @command(parking.DiscardParked)
    def discard_parked(self, **request: Any) -> Any:
        return self.db.run(parking.discard_parked, owner=self.name, **request)


def answering(service: type[Any]) -> type[Any]:
    """The service with these commands added to its own."""
    return type(service.__name__, (service, ParkingCommands), {})
