"""Why a measurement could not be taken."""


class BenchFailed(Exception):
    """The message is one sentence for a person."""
