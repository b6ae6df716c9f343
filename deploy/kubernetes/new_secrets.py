"""Prints every Secret that the manifests refer to, with fresh random values, for kubectl to make.

    SMTP_URL=… SMPP_URL=… python3 deploy/kubernetes/new_secrets.py | kubectl create -f -

Nothing is written to disk, and `create` refuses to overwrite what exists. With the name of an owner
only that owner's four Secrets are made anew; docs/runbook.md says how to change a password.
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


def login(name: str, role: str, password: str) -> Secret:
    """A role's password, as the database needs it."""
    return secret(name, {"username": role, "password": password}, "kubernetes.io/basic-auth")


def url(role: str, password: str, database: str) -> str:
    """Where the database is, for whoever logs in as this role."""
    return f"postgresql+psycopg://{role}:{password}@{DATABASE}/{database}?{VERIFIED}"


def of_owner(owner: str) -> Iterator[Secret]:
    """An owner's two logins, as the database and as processes and Jobs need them."""
    name, prefix, migration = owner.replace("_", "-"), owner.upper(), f"{owner}_migration"
    passwords = {owner: random(), migration: random()}
    yield login(f"postgres-{name}", owner, passwords[owner])
    yield login(f"postgres-{name}-migration", migration, passwords[migration])
    addresses = {
        f"{prefix}_DATABASE_URL": url(owner, passwords[owner], owner),
        f"{prefix}_AMQP_URI": f"amqp://{owner}:{random()}@{BROKER}",
    }
    yield secret(f"rapport-{name}", addresses)
    owning = {f"{prefix}_MIGRATION_URL": url(migration, passwords[migration], owner)}
    yield secret(f"rapport-{name}-migration", owning)


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
