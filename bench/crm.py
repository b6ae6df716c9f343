"""``crm`` as the bench's own stack starts it: the same, on a broker that also knows the bench.

The bench's user may look into every queue, and has a virtual host of its own in which the toy
services of toy.py and stock nameko meet, so that they share the broker and nothing else.
"""

import base64
import hashlib
import json
import os
import sys
from pathlib import Path
from typing import Any

from crmkit.__main__ import main

USER = VHOST = "bench"
PASSWORD = "BENCH_AMQP_PASSWORD"
TOY_QUEUE, TOY_KEYS, EXCHANGE = "rpc-toy", "toy.*", "nameko-rpc"


def with_bench(definitions: dict[str, Any], password: str) -> dict[str, Any]:
    """The broker's definitions with the bench's user and virtual host added."""
    salt = os.urandom(4)
    digest = hashlib.sha256(salt + password.encode()).digest()
    everything = {"configure": ".*", "write": ".*", "read": ".*"}
    definitions["vhosts"].append({"name": VHOST})
    definitions["users"].append(
        {
            "name": USER,
            "password_hash": base64.b64encode(salt + digest).decode(),
            "hashing_algorithm": "rabbit_password_hashing_sha256",
            "tags": "",
        }
    )
    for vhost in [entry["name"] for entry in definitions["vhosts"]]:
        definitions["permissions"].append({"user": USER, "vhost": vhost, **everything})
    durable = {"vhost": VHOST, "durable": True, "auto_delete": False, "arguments": {}}
    definitions["exchanges"].append(
        {**durable, "name": EXCHANGE, "type": "topic", "internal": False}
    )
    definitions["queues"].append({**durable, "name": TOY_QUEUE})
    definitions["bindings"].append(
        {
            "source": EXCHANGE,
            "vhost": VHOST,
            "destination": TOY_QUEUE,
            "destination_type": "queue",
            "routing_key": TOY_KEYS,
            "arguments": {},
        }
    )
    return definitions


if __name__ == "__main__":
    main(sys.argv[1:])
    if sys.argv[1] == "definitions":
        file = Path(sys.argv[sys.argv.index("--out") + 1])
        added = with_bench(json.loads(file.read_text()), os.environ[PASSWORD])
        file.write_text(json.dumps(added, indent=2))
