"""Logs: one JSON object a line on standard error, times in UTC, no line breaks from outside."""

import logging
import sys
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any

from crmkit import codec

_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


request_id: ContextVar[str | None] = ContextVar("request_id", default=None)
"""The request that a green thread or task works for; set where it enters, shown in every line."""


class JsonFormatter(logging.Formatter):
    """A record as JSON: at, level, logger, process, message, whatever ``extra`` brought, trace."""

    def __init__(self, process: str) -> None:
        super().__init__()
        self._process = process

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "at": datetime.fromtimestamp(record.created, UTC),
            "level": record.levelname.lower(),
            "logger": record.name,
            "process": self._process,
            "message": record.getMessage(),
        }
        if request_id.get():
            line["request_id"] = request_id.get()
        line.update({name: value for name, value in vars(record).items() if name not in _STANDARD})
        if record.exc_info and record.exc_info[0] is not None:
            line["trace"] = self.formatException(record.exc_info)
        try:
            return codec.dumps(line).decode()
        except TypeError:
            return codec.dumps({name: str(value) for name, value in line.items()}).decode()


def set_up(process: str, level: str = "info") -> None:
    """Send this process's logs to standard error."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter(process))
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level.upper())
    # nameko logs every refusal with a traceback, kombu and pika every connection; ours say it once.
    for noisy, least in (("nameko", "CRITICAL"), ("kombu", "ERROR"), ("pika", "CRITICAL")):
        logging.getLogger(noisy).setLevel(least)
