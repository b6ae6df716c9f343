"""A service as nameko holds it, and the database each of its workers is given."""

import sys
from collections.abc import Callable
from typing import Any

from nameko.containers import ServiceContainer
from nameko.extensions import DependencyProvider

from crmkit import db, logs


class Container(ServiceContainer):  # type: ignore[misc]
    """nameko's container without its log line at every step, which cost more than the steps."""

    def _run_worker(self, worker: Any, handle_result: Callable[..., Any]) -> None:
        logs.request_id.set(worker.data["context"].request_id)
        self._inject_dependencies(worker)
        result = exc_info = None
        try:
            method = getattr(worker.service, worker.entrypoint.method_name)
            result = method(*worker.args, **worker.kwargs)
        except Exception:  # noqa: BLE001 - whoever asked is told
            exc_info = sys.exc_info()
        handle_result(worker, result, exc_info)
        # Breaks the cycle of frame and traceback, so that memory goes back at once.
        del exc_info

    @property
    def database(self) -> db.Database:
        """The service's own."""
        found: db.Database = self.config["DATABASE"]
        return found

    def service_with(self, work: db.Work) -> Any:
        """The service with this hold on its database, for whoever needs no worker."""
        service = self.service_cls()
        for provider in self.dependencies:
            setattr(service, provider.attr_name, work)
        return service


class DatabaseProvider(DependencyProvider):  # type: ignore[misc]
    """Gives each worker the service's database for its request."""

    def get_dependency(self, worker_ctx: Any) -> db.Work:
        data = worker_ctx.data
        return db.Work(self.container.database, data["context"], data.get("consumer", ""))
