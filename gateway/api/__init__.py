"""The table of the API: one module per owner, each with its ROUTES."""

import importlib
import pkgutil
from collections.abc import Iterator

from gateway.routes import Route


def rows() -> Iterator[Route]:
    """Every row of every module here, in the order of the modules' names."""
    for found in sorted(pkgutil.iter_modules(__path__), key=lambda one: one.name):
        yield from importlib.import_module(f"{__name__}.{found.name}").ROUTES
