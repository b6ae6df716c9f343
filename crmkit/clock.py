"""Now, in one place, so that every time in the system is an aware UTC time."""

import time
from datetime import UTC, datetime


def now() -> datetime:
    """The current time, aware, UTC."""
    return datetime.now(UTC)


def epoch_ms() -> int:
    """Milliseconds since 1970: how deadlines travel, since AMQP tables carry no floats in pika."""
    return time.time_ns() // 1_000_000
