"""The address of a database as psycopg takes it, for who needs no SQLAlchemy engine."""

from sqlalchemy import make_url


def dsn(url: str) -> str:
    """The same address without SQLAlchemy's name of the driver; the password stays in it."""
    return make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
