"""The contract of the toy service: an echo to measure the bus, a nap to measure replicas.

The second word of this module's name is the service's: commands go to ``toy.echo`` and ``toy.nap``.
"""

from marshmallow import fields

from crmkit.messages import Query, Reply


class Said(Reply):
    """What was said."""

    text = fields.String(required=True)


class Echo(Query):
    """Say it again."""

    reply = Said
    text = fields.String(required=True)


class Nap(Query):
    """Wait in the database for so long."""

    reply = Said
    milliseconds = fields.Integer(required=True)
