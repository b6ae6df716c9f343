"""``crm gateway``: gunicorn with its own ASGI worker, inside this process."""

from typing import Any

from gunicorn.app.base import BaseApplication  # type: ignore[import-untyped]
from gunicorn.glogging import Logger  # type: ignore[import-untyped]

from crmkit import catalog, logs
from crmkit.settings import Settings, from_environment
from gateway import addresses
from gateway.worker import Worker

GRACEFUL_SECONDS = 25


class Log(Logger):  # type: ignore[misc]
    """What gunicorn has to say, as lines of our own log."""

    def setup(self, cfg: Any) -> None:
        super().setup(cfg)
        self.error_log.handlers, self.error_log.propagate = [], True


class Server(BaseApplication):  # type: ignore[misc]
    """gunicorn without a command line of its own."""

    def __init__(self, options: dict[str, Any]) -> None:
        self._options = options
        super().__init__()

    def load_config(self) -> None:
        for name, value in self._options.items():
            self.cfg.set(name, value)

    def load(self) -> Any:
        from gateway.app import create

        return create()


def options(settings: Settings) -> dict[str, Any]:
    """Settings of gunicorn. Nothing is preloaded: connections must not be shared by forks."""
    host, port = settings.text("HOST", "127.0.0.1"), settings.number("PORT", 8000)
    return {
        "bind": f"{host}:{port}",
        "workers": settings.number("GATEWAY_WORKERS", 1),
        "worker_class": Worker,
        "asgi_lifespan": "on",
        "graceful_timeout": GRACEFUL_SECONDS,
        "timeout": 30,
        # Idle connections hold up the end for as long: gunicorn waits for them like for work.
        "keepalive": settings.number("KEEPALIVE_SECONDS", 5),
        "accesslog": None,
        "logger_class": Log,
        "loglevel": settings.text("LOG_LEVEL", "info"),
        "control_socket_disable": True,
        # Behind a proxy on the same host; others may not say where a request came from.
        "forwarded_allow_ips": settings.text("FORWARDED_ALLOW_IPS", "127.0.0.1"),
    }


def main() -> None:
    """Serve until told to stop."""
    settings = from_environment()
    # Named before gunicorn forks: workers that cannot start would be started again and again.
    settings.need("SECRET_KEY", "GATEWAY_DATABASE_URL", "GATEWAY_AMQP_URI")
    settings.secret_key()
    addresses.trusted(settings.text("FORWARDED_ALLOW_IPS"))
    logs.set_up(catalog.GATEWAY, settings.text("LOG_LEVEL", "info"))
    Server(options(settings)).run()
