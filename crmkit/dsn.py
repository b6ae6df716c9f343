"""The address of a database as psycopg takes it, for who needs no SQLAlchemy engine."""

from sqlalchemy import make_url

GONE_SOON = {
    "connect_timeout": 3,
    "keepalives_idle": 10,
    "keepalives_interval": 3,
    "keepalives_count": 3,
    "tcp_user_timeout": 10_000,
}
"""libpq's settings by which a database host that vanished is noticed in some twenty seconds; by
the defaults of TCP its connections would be held for hours."""


def dsn(url: str) -> str:
    """The same address without SQLAlchemy's name of the driver; the password stays in it."""
    patience = {name: str(value) for name, value in GONE_SOON.items()}
    given = make_url(url)
    told = given.set(drivername="postgresql", query=patience | dict(given.query))
    return told.render_as_string(hide_password=False)
