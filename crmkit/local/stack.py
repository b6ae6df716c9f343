"""Everything that makes one running Rapport on one machine, as a plan for the supervisor.

`crm up` runs one; end-to-end tests run another beside it, with its own folder and ports.
"""

import http.client
import os
import shlex
import shutil
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from crmkit import catalog
from crmkit.local import postgres, rabbitmq
from crmkit.local.installation import Installation, is_free, listens, write_json
from crmkit.local.lock import AlreadyRunning, InstanceLock
from crmkit.local.supervisor import Plan, StartFailed, Supervisor

ROOT = Path(__file__).resolve().parent.parent.parent
CRM = (sys.executable, "-m", "crmkit")
DATABASES = (sys.executable, "-m", "crmkit.local.databases")
INBOXES = (sys.executable, "-m", "crmkit.local.inboxes")
GATEWAY = "gateway"
BROKER = "rabbitmq"
ERP = "erp"
FIRST_LOGIN = "admin@rapport.example"
SMPP_SYSTEM_ID = "rapport"
LEAST_FREE_BYTES = 500_000_000
LOOPBACK = "127.0.0.1"
# The end, in this order: no new requests, then no new work, then what they all stand on.
LAST_RANK = 9


def inbox_settings(installation: Installation, password: str) -> dict[str, str]:
    """What the inboxes of an installation are to know; ``password`` is that of SMPP."""
    path, port = installation.path, installation.port
    return {
        "INBOXES_HOST": LOOPBACK,
        "MAIL_CATCHER_FILE": str(path("mails.sqlite")),
        "MAIL_CATCHER_SMTP_PORT": str(port("smtp")),
        "MAIL_CATCHER_HTTP_PORT": str(port("mail_page")),
        "SMS_SIMULATOR_FILE": str(path("sms.sqlite")),
        "SMS_SIMULATOR_SMPP_PORT": str(port("smpp")),
        "SMS_SIMULATOR_HTTP_PORT": str(port("sms_page")),
        "SMS_SIMULATOR_SYSTEM_ID": SMPP_SYSTEM_ID,
        "SMS_SIMULATOR_PASSWORD": password,
    }


def say_nothing(_line: str) -> None:
    """For a stack nobody watches."""


def answers_ok(port: int, path: str) -> bool:
    """Whether GET of this path on loopback gives 200 now."""
    connection = http.client.HTTPConnection(LOOPBACK, port, timeout=1.0)
    try:
        connection.request("GET", path)
        return connection.getresponse().status == http.client.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


@dataclass(frozen=True, slots=True)
class RunningProcess:
    """One process of the stack at the moment of asking."""

    name: str
    pid: int | None
    health_port: int | None


class LocalStack:
    """One private Rapport: broker, database, inboxes and all processes of the application.

    `scale` says how many of a process to run (``{"sales": 3}`` names them sales, sales-2, sales-3;
    ``{"rabbitmq": 3}`` makes a cluster, with quorum queues).
    `port` is the gateway's; without one the folder remembers a free one.  `seed_customers` fills
    the database at the first start only.  `inherited` is the environment to build on: a setting
    that stands there wins over ours, and AMQP_URI or an owner's database addresses replace the
    server we would start.  `crm` is the command line that all processes are started with.
    """

    def __init__(
        self,
        var_dir: Path,
        *,
        port: int | None = None,
        services: tuple[str, ...] | None = None,
        scale: Mapping[str, int] | None = None,
        seed_customers: int | None = None,
        say: Callable[[str], None] = say_nothing,
        inherited: Mapping[str, str] = os.environ,
        crm: tuple[str, ...] = CRM,
    ) -> None:
        self.services = catalog.services() if services is None else services
        self.owners = (*self.services, GATEWAY)
        self._scale = dict(scale or {})
        self._seed_customers = seed_customers
        self._say = say
        self._inherited = dict(inherited)
        self._crm = crm
        self._asked_port = port
        self._lock: InstanceLock | None = None
        self._supervisor: Supervisor | None = None
        self._nodes: tuple[rabbitmq.RabbitNode, ...] = ()
        self._database: postgres.PostgresServer | None = None
        self.installation = Installation(var_dir)
        unknown = set(self._scale) - {*self.services, "relay", "sender", GATEWAY, BROKER}
        if unknown:
            raise StartFailed(f"Cannot scale {', '.join(sorted(unknown))}: no such process.")

    # Life

    def start(self, timeout_seconds: float = 180.0) -> None:
        """Return when all of it is ready.  StartFailed with one sentence when it cannot be.

        Nothing of it is left running after a failure, nor when this process is killed.
        """
        lock = InstanceLock(self.installation.folder)
        try:
            lock.take()
        except AlreadyRunning as refusal:
            raise StartFailed(str(refusal)) from None
        self._lock = lock
        try:
            self._check_machine()
            self._supervisor = Supervisor(
                self._plans(),
                folder=self.installation.folder,
                work_folder=ROOT,
                say=self._say,
            )
            self._supervisor.start(timeout_seconds)
            self._write_addresses()
        except rabbitmq.BrokerMissing as missing:
            self.stop()
            raise StartFailed(str(missing)) from None
        except BaseException:
            self.stop()
            raise

    def stop(self, drain_seconds: float = 25.0) -> None:
        """End everything: first the gateway, then the services, then database and broker.

        What has not ended after the drain is killed.  Safe to repeat.
        """
        if self._supervisor is not None:
            self._supervisor.stop(drain_seconds)
            self._supervisor = None
        if self._database and self.installation.folder not in self._database.socket_folder.parents:
            shutil.rmtree(self._database.socket_folder, ignore_errors=True)
        if self._lock is not None:
            for name in ("run.json", "environment"):
                self.installation.path(name).unlink(missing_ok=True)
            self._lock.free()
            self._lock = None

    @property
    def supervisor(self) -> Supervisor:
        """The supervisor of the running stack; StartFailed before the start."""
        if self._supervisor is None:
            raise StartFailed("The stack is not running.")
        return self._supervisor

    # Single processes, by name

    def names(self) -> tuple[str, ...]:
        """The processes that stay: rabbitmq, postgres, …, each service, relay, sender, gateway."""
        return self.supervisor.names()

    def process(self, name: str) -> RunningProcess:
        """The process of this name; its pid is None while it is not running."""
        ports: dict[str, int | None] = {plan.name: plan.health_port for plan in self._planned}
        return RunningProcess(name, self.supervisor.pid(name), ports[name])

    def kill(self, name: str) -> int:
        """Kill -9 the process with all it started; the pid it had.  The supervisor restarts it."""
        return self.supervisor.kill(name)

    def stop_process(self, name: str) -> None:
        """End the process and leave it ended."""
        self.supervisor.stop_process(name)

    def start_process(self, name: str) -> None:
        """Start it again; returns when it is ready."""
        self.supervisor.start_process(name)

    def wait_ready(self, name: str, timeout_seconds: float = 30.0) -> None:
        """Return when the process runs and is ready, for instance again after a kill."""
        self.supervisor.wait_ready(name, timeout_seconds=timeout_seconds)

    # Addresses

    @property
    def port(self) -> int:
        """The gateway's port."""
        return self._asked_port or self.installation.port("gateway")

    @property
    def base_url(self) -> str:
        """The gateway's address."""
        return self.base_urls[0]

    @property
    def base_urls(self) -> tuple[str, ...]:
        """The addresses of all gateways, each with a port of its own, as behind any balancer.

        One port for all (SO_REUSEPORT) would lose the connections that wait to be accepted by the
        one that ends.
        """
        return tuple(f"http://{LOOPBACK}:{self._gateway_port(name)}" for name in self._gateways())

    def _gateways(self) -> list[str]:
        return self._numbered(GATEWAY)

    def _gateway_port(self, name: str) -> int:
        return self.port if name == GATEWAY else self.installation.port(name)

    def _numbered(self, process: str) -> list[str]:
        """The names of all processes of a kind."""
        count = self._scale.get(process, 1)
        return [rabbitmq.numbered(process, number) for number in range(1, count + 1)]

    def addresses(self) -> dict[str, Any]:
        """What a client needs: addresses, the first login, the ERP's key."""
        env = self.env()
        return {
            "base_url": self.base_url,
            "email": FIRST_LOGIN,
            "password": env["ADMIN_PASSWORD"],
            "api_key": env["ERP_API_KEY"],
            "amqp_url": env["ERP_AMQP_URI"],
            "smtp_inbox_url": f"http://{LOOPBACK}:{self.installation.port('mail_page')}",
            "sms_inbox_url": f"http://{LOOPBACK}:{self.installation.port('sms_page')}",
        }

    def env(self) -> dict[str, str]:
        """The environment of the application's processes, complete."""
        return self._inherited | self.settings() | {"PYTHONUNBUFFERED": "1"}

    def settings(self) -> dict[str, str]:
        """Only the application's own variables; .env.example explains each."""
        secret, port = self.installation.secret, self.installation.port
        ours = {
            "SECRET_KEY": secret("SECRET_KEY", 36),
            "LOG_LEVEL": "info",
            "ENVIRONMENT": "development",
            # Classic queues are twice as quick, and gone while the one node that has them is.
            "QUEUE_TYPE": "quorum" if self._brokers > 1 else "classic",
            "HEALTH_HOST": LOOPBACK,
            "HOST": LOOPBACK,
            "PUBLIC_URL": self.base_url,
            "SMTP_URL": f"smtp://{LOOPBACK}:{port('smtp')}",
            "SMPP_URL": f"smpp://{SMPP_SYSTEM_ID}:{self._smpp_password}@{LOOPBACK}:{port('smpp')}",
            "MAIL_FROM": "Rapport <crm@rapport.example>",
            "SENDER_JOURNAL": str(self.installation.path("sender")),
            "MAIL_PAGE_URL": f"http://{LOOPBACK}:{port('mail_page')}",
            "SMS_PAGE_URL": f"http://{LOOPBACK}:{port('sms_page')}",
            "ADMIN_PASSWORD": secret("ADMIN_PASSWORD", 12),
            "ERP_API_KEY": secret("ERP_API_KEY", 24),
            "ERP_AMQP_URI": self._amqp_uri(ERP),
        }
        for owner in self.owners:
            ours[f"{owner.upper()}_AMQP_URI"] = self._amqp_uri(owner)
            ours |= self._database_urls(owner)
        given = {name: self._inherited[name] for name in ours if self._inherited.get(name)}
        # PORT is not taken from there: where it was asked for, it came in as an argument.
        return ours | given | {"PORT": str(self.port)}

    def _database_urls(self, owner: str) -> dict[str, str]:
        service, migration = f"{owner.upper()}_DATABASE_URL", f"{owner.upper()}_MIGRATION_URL"
        if self._database is None:
            return {service: "", migration: ""}
        # Whoever names a database of theirs says both, or ours would be migrated in its place.
        elsewhere = bool(self._inherited.get(service))
        ours = "" if elsewhere else self._database.migration_url(owner)
        return {service: self._database.url(owner), migration: ours}

    def _write_addresses(self) -> None:
        """For tests and people: ``run.json``; for ``make migrate`` and the like: a shell file."""
        write_json(self.installation.path("run.json"), self.addresses())
        shell = self.installation.path("environment")
        shell.touch(mode=0o600)
        lines = (f"{name}={shlex.quote(value)}\n" for name, value in self.settings().items())
        shell.write_text("".join(lines))

    @property
    def _smpp_password(self) -> str:
        # SMPP 3.4, 4.1.1: at most eight characters.
        return self.installation.secret("smpp", 6)

    def _amqp_uri(self, user: str) -> str:
        if self._nodes:
            return ";".join(node.uri(user) for node in self._nodes)
        given = self._inherited.get("AMQP_URI", "").split(";")
        return ";".join(self._as_user(user, address) for address in given)

    def _as_user(self, user: str, amqp_uri: str) -> str:
        given = urlsplit(amqp_uri)
        secure = given.scheme == "amqps"
        address = f"{given.hostname or LOOPBACK}:{given.port or (5671 if secure else 5672)}"
        password = self.installation.secret(f"amqp.{user}")
        vhost = given.path.strip("/") or rabbitmq.VHOST
        return rabbitmq.uri(user, password, address, vhost, scheme=given.scheme or "amqp")

    # Plans

    def _check_machine(self) -> None:
        """StartFailed when a port we were asked for is taken or the disk is full."""
        if self._asked_port and not is_free(self._asked_port):
            raise StartFailed(f"Port {self._asked_port} is in use; choose another: PORT=8001.")
        if shutil.disk_usage(self.installation.folder).free < LEAST_FREE_BYTES:
            raise StartFailed(
                f"Less than 500 MB are free on the disk of {self.installation.folder}."
            )
        if not os.access(self.installation.folder, os.W_OK):
            raise StartFailed(f"{self.installation.folder} is not writable for this user.")

    @property
    def _brokers(self) -> int:
        return self._scale.get(BROKER, 1)

    def _check_brokers(self) -> None:
        """StartFailed when the folder was begun with another number of brokers.

        Queues keep their type and a cluster its members, so neither could be had from the other.
        """
        begun = len(rabbitmq.begun(self.installation))
        if begun not in (0, self._brokers):
            raise StartFailed(
                f"{self.installation.folder} was begun with {BROKER}={begun};"
                " say so with --scale, or begin another folder with --var."
            )

    def _plans(self) -> list[Plan]:
        if not self._inherited.get("AMQP_URI"):
            script = rabbitmq.server_script()
            if script is None:
                self._say("  RabbitMQ is not installed yet; installing it:")
                script = rabbitmq.install_server()
            self._check_brokers()
            self._nodes = rabbitmq.rabbit_nodes(self.installation, script, self._brokers)
            for node in self._nodes:
                node.prepare()
        if not all(self._inherited.get(f"{owner.upper()}_DATABASE_URL") for owner in self.owners):
            self._database = postgres.postgres_server(self.installation, self.owners)
        self._planned = [
            *self._broker_plans(),
            *self._database_plans(),
            self._inboxes(),
            *self._application_plans(),
        ]
        return self._planned

    def _broker_plans(self) -> list[Plan]:
        file = self.installation.path("rabbitmq", "definitions.json")
        file.parent.mkdir(exist_ok=True, mode=0o700)
        generate = Plan(
            "definitions",
            (*self._crm, "definitions", "--out", str(file)),
            self.env(),
            one_shot=True,
            after=lambda: file.chmod(0o600),
            show=False,
        )
        if not self._nodes:
            gateway_uri = self._amqp_uri(GATEWAY)

            def check() -> None:
                if not rabbitmq.answers(gateway_uri):
                    raise StartFailed(rabbitmq.import_advice(file))

            return [
                generate,
                Plan(BROKER, action=check, needs=("definitions",), one_shot=True, show=False),
            ]
        first = self._nodes[0]
        epmd = Plan(
            "epmd",
            first.epmd_command(),
            first.epmd_environment(),
            ready=lambda: listens(first.epmd_port),
            rank=LAST_RANK,
            show=False,
        )
        return [generate, epmd, *(self._broker(node) for node in self._nodes)]

    @staticmethod
    def _broker(node: rabbitmq.RabbitNode) -> Plan:
        # Nodes of a cluster start at once: after an end, one of them waits for the others.
        return Plan(
            node.process,
            node.command(),
            node.environment(),
            needs=("definitions", "epmd"),
            ready=lambda: listens(node.port) and rabbitmq.answers(node.uri(GATEWAY)),
            rank=LAST_RANK - 1,
        )

    def _database_plans(self) -> list[Plan]:
        server = self._database
        if server is None:
            return [Plan("databases", action=lambda: None, one_shot=True, show=False)]
        environment = {
            "PATH": self._inherited.get("PATH", os.defpath),
            "LC_ALL": "C.UTF-8" if sys.platform.startswith("linux") else "en_US.UTF-8",
        }
        server.prepare_folders()
        made = () if server.is_made else ("initdb",)
        initdb = Plan(
            "initdb",
            server.initdb_command(),
            environment,
            one_shot=True,
            after=server.made,
            user=server.user,
            show=False,
        )
        return [
            *([] if server.is_made else [initdb]),
            Plan(
                "postgres",
                server.server_command(),
                environment,
                needs=made,
                ready=server.answers,
                before=server.prepare_folders,
                rank=LAST_RANK - 1,
                stop_signal=postgres.FAST_SHUTDOWN,
                orphan_signal=postgres.IMMEDIATE_SHUTDOWN,
                user=server.user,
            ),
            Plan(
                "databases",
                (*DATABASES, str(server.installation.folder), str(server.port), *server.owners),
                self._inherited,
                # Not the server: it waits for that itself, and meanwhile it loads.
                needs=made,
                one_shot=True,
                show=False,
            ),
        ]

    def _inboxes(self) -> Plan:
        mail, sms = self.installation.port("mail_page"), self.installation.port("sms_page")
        return Plan(
            "inboxes",
            INBOXES,
            self._inherited | inbox_settings(self.installation, self._smpp_password),
            ready=lambda: answers_ok(mail, "/ready") and answers_ok(sms, "/ready"),
            health_port=mail,
            rank=LAST_RANK,
        )

    def _application_plans(self) -> list[Plan]:
        whole = self.env()
        # What stays has no business with tables, only with their rows.
        env = {name: value for name, value in whole.items() if not name.endswith("_MIGRATION_URL")}
        plans = [
            Plan(
                "migrate",
                (*self._crm, "migrate"),
                whole,
                needs=("databases",),
                one_shot=True,
                rank=1,
            )
        ]
        if self._seed_customers and not self.installation.has("seed"):
            plans.append(
                Plan(
                    "seed",
                    (*self._crm, "seed", "--customers", str(self._seed_customers)),
                    whole,
                    needs=("migrate",),
                    one_shot=True,
                    after=lambda: self.installation.reach("seed"),
                )
            )
        words: dict[str, tuple[str, ...]] = {
            service: ("serve", service) for service in self.services
        }
        words |= {"relay": ("relay",), "sender": ("sender",)}
        for process, arguments in words.items():
            plans += [self._worker(name, arguments, env) for name in self._numbered(process)]
        return [*plans, *(self._gateway(name, env) for name in self._gateways())]

    def _gateway(self, name: str, env: dict[str, str]) -> Plan:
        port = self._gateway_port(name)
        return Plan(
            name,
            (*self._crm, "gateway"),
            env | {"PORT": str(port)},
            needs=("migrate",),
            ready=lambda: answers_ok(port, "/readyz"),
            health_port=port,
            rank=0,
        )

    def _worker(self, name: str, arguments: tuple[str, ...], env: dict[str, str]) -> Plan:
        port = self.installation.port(f"health.{name}")
        return Plan(
            name,
            (*self._crm, *arguments),
            env | {"HEALTH_PORT": str(port)},
            # Not the broker: they wait for it themselves, and meanwhile they load.
            needs=("migrate",),
            ready=lambda: answers_ok(port, "/ready"),
            health_port=port,
        )
