"""Prints every Secret that the manifests refer to, with fresh random values, for kubectl to make.

    SMTP_URL=… SMPP_URL=… python3 deploy/kubernetes/new_secrets.py | kubectl create -f -

Nothing is written to disk, and `create` refuses to overwrite what exists. With the name of an owner
only that owner's two Secrets are made anew; docs/runbook.md says how to change a password.
"""

import json
import os
import secrets
import sys
from collections.abc import Iterator
from typing import Any

NAMESPACE = "rapport"
OWNERS = ("customers", "sales", "service_desk", "marketing", "notifications", "gateway")
# KEDA asks from another namespace, so the broker has its long name.
BROKER = f"rabbitmq.{NAMESPACE}.svc:5672/crm"
DATABASE = "postgres-rw:5432"
VERIFIED = "sslmode=verify-full&sslrootcert=/etc/postgres/ca.crt"

Secret = dict[str, Any]


def random() -> str:
    """Characters that need no quoting in a URL."""
    return secrets.token_urlsafe(32)


def secret(name: str, values: dict[str, str], kind: str = "Opaque") -> Secret:
    """One Secret. The label has CloudNativePG take over a password that changed."""
    labels = {"cnpg.io/reload": "true"} if kind == "kubernetes.io/basic-auth" else {}
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": name, "namespace": NAMESPACE, "labels": labels},
        "type": kind,
        "stringData": values,
    }


def of_owner(owner: str) -> Iterator[Secret]:
    """An owner's login to its database, as the database and as the owner's processes need it."""
    name, password = owner.replace("_", "-"), random()
    login = {"username": owner, "password": password}
    yield secret(f"postgres-{name}", login, "kubernetes.io/basic-auth")
    url = f"postgresql+psycopg://{owner}:{password}@{DATABASE}/{owner}?{VERIFIED}"
    prefix = owner.upper()
    addresses = {
        f"{prefix}_DATABASE_URL": url,
        f"{prefix}_AMQP_URI": f"amqp://{owner}:{random()}@{BROKER}",
    }
    yield secret(f"rapport-{name}", addresses)


def everything(smtp_url: str, smpp_url: str) -> Iterator[Secret]:
    """All Secrets of an installation."""
    yield secret("rapport", {"SECRET_KEY": random()})
    for owner in OWNERS:
        yield from of_owner(owner)
    yield secret("rapport-erp", {"ERP_AMQP_URI": f"amqp://erp:{random()}@{BROKER}"})
    yield secret("rapport-out", {"SMTP_URL": smtp_url, "SMPP_URL": smpp_url})
    yield secret("rapport-first-start", {"ADMIN_PASSWORD": random(), "ERP_API_KEY": random()})


def main(arguments: list[str]) -> None:
    """Print them as one list."""
    if arguments:
        (owner,) = arguments
        if owner not in OWNERS:
            raise SystemExit(f"{owner} is none of {', '.join(OWNERS)}.")
        items = list(of_owner(owner))
    else:
        absent = [name for name in ("SMTP_URL", "SMPP_URL") if not os.environ.get(name)]
        if absent:
            raise SystemExit(f"Missing settings: {', '.join(absent)}. See .env.example for each.")
        items = list(everything(os.environ["SMTP_URL"], os.environ["SMPP_URL"]))
    sys.stdout.write(json.dumps({"apiVersion": "v1", "kind": "List", "items": items}) + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])
