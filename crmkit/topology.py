"""The bus as one RabbitMQ definitions file: users, permissions, exchanges, queues, bindings.

It is generated from the contracts and the services' subscriptions and loaded when the broker
starts, so no process needs the right to declare and every queue exists before the first message.
"""

import base64
import hashlib
import os
import re
from collections.abc import Mapping
from typing import Any

from crmkit import catalog
from crmkit.messages import Event

VHOST = "crm"
RPC_EXCHANGE = "nameko-rpc"
UNROUTED = "crm.unrouted"
PARKING = "crm.parking"
FEED = "crm.feed"
ERP_QUEUE = "erp.outbound"
ERP_USER = "erp"
FEED_DAYS = 90
RAW_HEADER = "crm-raw"
"""A caller that sets it gets the answer's own JSON as the body, its outcome in the headers."""
_RPC_BACKLOG = 10_000
_EVENT_QUEUE = re.compile(r"evt-([a-z_]+)-(.+)--([a-z_]+\.[a-z_0-9]+)")


def events_exchange(owner: str) -> str:
    """Where an owner announces its events."""
    return f"{owner}.events"


def rpc_queue(service: str) -> str:
    """Where a service's commands wait."""
    return f"rpc-{service}"


def event_queue(event: type[Event], service: str, handler: str) -> str:
    """Where one handler's events of one kind wait."""
    return f"evt-{event.owner}-{event.routing_key}--{service}.{handler}"


def parts_of_event_queue(queue: str) -> tuple[str, str, str] | None:
    """Whose events wait there, under which routing key, for which handler; None of other queues."""
    found = _EVENT_QUEUE.fullmatch(queue)
    return (found[1], found[2], found[3]) if found else None


def users() -> tuple[str, ...]:
    """Everyone who may log in to the broker."""
    return (*catalog.owners(), ERP_USER)


def definitions(passwords: Mapping[str, str], queue_type: str = "classic") -> dict[str, Any]:
    """The whole bus. ``queue_type`` is quorum in a cluster, classic on a single node.

    The feed is always a stream. Nothing else differs between a laptop and a cluster.
    """
    subscriptions = [
        (service, handler, event)
        for service in catalog.services()
        for handler, event in subscriptions_of(service)
    ]
    return {
        "vhosts": [{"name": VHOST}],
        "users": [_user(name, passwords[name]) for name in users()],
        "permissions": _permissions(),
        "topic_permissions": _topic_permissions(),
        "exchanges": _exchanges(),
        "queues": _queues(subscriptions, queue_type),
        "bindings": _bindings(subscriptions),
        "policies": _policies(queue_type),
        "parameters": [],
    }


def subscriptions_of(service: str) -> list[tuple[str, type[Event]]]:
    """The handlers of a service with the event each of them wants."""
    found = []
    for name, method in sorted(vars(catalog.service_class(service)).items()):
        for event in getattr(method, "subscribed_events", ()):
            found.append((name, event))
    return found


def _user(name: str, password: str) -> dict[str, Any]:
    # RabbitMQ's own scheme: four bytes of salt, then SHA-256 of salt and password.
    salt = os.urandom(4)
    digest = hashlib.sha256(salt + password.encode()).digest()
    return {
        "name": name,
        "password_hash": base64.b64encode(salt + digest).decode(),
        "hashing_algorithm": "rabbit_password_hashing_sha256",
        "tags": "",
    }


def _permissions() -> list[dict[str, Any]]:
    rows = []
    for service in catalog.services():
        queues = [rf"rpc-{service}", rf"evt-.*--{service}\..*"]
        # Replies leave through the default exchange (direct reply-to). A message smuggled to
        # another queue that way carries its sender's name, and is refused by whoever reads it.
        writes = [r"amq\.default", RPC_EXCHANGE, rf"{service}\.events"]
        rows.append(_permission(service, write=writes, read=queues))
    # What nobody took is carried to the databases of its owners by the relay, as this user.
    gateway_reads = [r"amq\.rabbitmq\.reply-to.*", r"crm\.(feed|parking|unrouted)"]
    gateway_writes = [RPC_EXCHANGE, r"gateway\.events"]
    rows.append(_permission(catalog.GATEWAY, write=gateway_writes, read=gateway_reads))
    rows.append(_permission(ERP_USER, write=[], read=[r"erp\..*", r"crm\.feed"]))
    return rows


def _permission(user: str, *, write: list[str], read: list[str]) -> dict[str, Any]:
    return {
        "user": user,
        "vhost": VHOST,
        "configure": "^$",
        "write": f"^({'|'.join(write)})$",
        "read": f"^({'|'.join(read)})$",
    }


def _topic_permissions() -> list[dict[str, Any]]:
    names = "|".join(catalog.services())
    rows = [
        {
            "user": catalog.GATEWAY,
            "vhost": VHOST,
            "exchange": RPC_EXCHANGE,
            "write": rf"^({names})\.[a-z_]+$",
            "read": "^$",
        }
    ]
    rows.extend(
        {
            # Only replies to a stock nameko client, whose queue is bound by a UUID.
            "user": service,
            "vhost": VHOST,
            "exchange": RPC_EXCHANGE,
            "write": "^[0-9a-f-]{36}$",
            "read": "^$",
        }
        for service in catalog.services()
    )
    return rows


def _exchange(name: str, kind: str, **arguments: Any) -> dict[str, Any]:
    return {
        "name": name,
        "vhost": VHOST,
        "type": kind,
        "durable": True,
        "auto_delete": False,
        "internal": False,
        "arguments": {key.replace("_", "-"): value for key, value in arguments.items()},
    }


def _exchanges() -> list[dict[str, Any]]:
    return [
        _exchange(RPC_EXCHANGE, "topic"),
        _exchange(UNROUTED, "fanout"),
        _exchange(PARKING, "fanout"),
        *(
            _exchange(events_exchange(owner), "topic", alternate_exchange=UNROUTED)
            for owner in catalog.owners()
        ),
    ]


def _queue(name: str, kind: str, **arguments: Any) -> dict[str, Any]:
    return {
        "name": name,
        "vhost": VHOST,
        "durable": True,
        "auto_delete": False,
        "arguments": {
            "x-queue-type": kind,
            **{f"x-{key.replace('_', '-')}": value for key, value in arguments.items()},
        },
    }


def _queues(
    subscriptions: list[tuple[str, str, type[Event]]], queue_type: str
) -> list[dict[str, Any]]:
    return [
        *(_queue(rpc_queue(service), queue_type) for service in catalog.services()),
        *(_queue(event_queue(event, s, h), queue_type) for s, h, event in subscriptions),
        _queue(PARKING, queue_type),
        _queue(UNROUTED, queue_type),
        _queue(ERP_QUEUE, queue_type),
        _queue(FEED, "stream", max_age=f"{FEED_DAYS}D"),
    ]


def _binding(source: str, queue: str, key: str) -> dict[str, Any]:
    return {
        "source": source,
        "vhost": VHOST,
        "destination": queue,
        "destination_type": "queue",
        "routing_key": key,
        "arguments": {},
    }


def _bindings(subscriptions: list[tuple[str, str, type[Event]]]) -> list[dict[str, Any]]:
    public = [event for owner in catalog.owners() for event in catalog.events(owner) if event.feed]
    return [
        _binding(UNROUTED, UNROUTED, ""),
        _binding(PARKING, PARKING, ""),
        *(_binding(RPC_EXCHANGE, rpc_queue(name), f"{name}.*") for name in catalog.services()),
        *(
            _binding(events_exchange(event.owner), event_queue(event, s, h), event.routing_key)
            for s, h, event in subscriptions
        ),
        *(_binding(events_exchange(e.owner), FEED, e.routing_key) for e in public),
        *(_binding(events_exchange(e.owner), ERP_QUEUE, e.routing_key) for e in public if e.erp),
    ]


def _policies(queue_type: str) -> list[dict[str, Any]]:
    quorum = queue_type == "quorum"
    parked: dict[str, Any] = {"dead-letter-exchange": PARKING}
    if quorum:
        # At-least-once dead-lettering silently falls back unless publishes are refused when full.
        parked |= {"dead-letter-strategy": "at-least-once", "overflow": "reject-publish"}
    limited = {"delivery-limit": 20, "max-length": 1_000_000} if quorum else {}
    # The ERP may die as often as it must, and people may look at what is parked: from 4.0 on a
    # message that came back twenty times would be taken away otherwise. And an ERP that is away
    # for weeks must not hold up the events of everybody else, so its queue has no greatest length.
    patient = {"delivery-limit": 1_000_000} if quorum else {}
    policies = [
        _policy("events", "^evt-", parked | limited),
        _policy("erp", r"^erp\.", parked | patient),
        _policy("parking", r"^crm\.parking$", patient),
        # No dead-lettering here: expired requests would flood the parking queue.
        _policy("rpc", "^rpc-", {"max-length": _RPC_BACKLOG, "overflow": "reject-publish"}),
        _policy("unrouted", r"^crm\.unrouted$", {"message-ttl": 7 * 86_400_000}),
    ]
    return [policy for policy in policies if policy["definition"]]


def _policy(name: str, pattern: str, definition: dict[str, Any]) -> dict[str, Any]:
    return {
        "vhost": VHOST,
        "name": name,
        "pattern": pattern,
        "apply-to": "queues",
        "definition": definition,
        "priority": 0,
    }
