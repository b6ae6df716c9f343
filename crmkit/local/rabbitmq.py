"""Private RabbitMQ nodes from the installed ``rabbitmq-server``: their own names, ports and data.

Nothing of a broker that runs on the machine anyway is touched: a node has its own name, cookie,
port mapper (epmd) and folders, and listens on loopback only. Several of them make a cluster.
"""

import contextlib
import hashlib
import logging
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import pika
from pika.adapters.utils.connection_workflow import AMQPConnectorException
from pika.exceptions import AMQPError

from crmkit.local.installation import Installation

VHOST = "crm"
ANSWER_SECONDS = 3.0
# Debian and RPM keep the server's own script here; what stands in PATH there is a wrapper that
# changes to the user ``rabbitmq``.
SCRIPTS = (
    "/usr/lib/rabbitmq/bin/rabbitmq-server",
    "/opt/homebrew/opt/rabbitmq/sbin/rabbitmq-server",
    "/usr/local/opt/rabbitmq/sbin/rabbitmq-server",
)
POLICY = Path("/usr/sbin/policy-rc.d")


class BrokerMissing(Exception):
    """No ``rabbitmq-server`` here and none could be installed; the message says what to run."""


def server_script() -> Path | None:
    """The script that runs the server as ourselves, or None when it is not installed."""
    for candidate in SCRIPTS:
        if os.access(candidate, os.X_OK):
            return Path(candidate)
    # The wrappers of Linux packages run as another user; elsewhere what is in PATH is the server.
    found = shutil.which("rabbitmq-server")
    return Path(found).resolve() if found and not found.startswith("/usr/sbin/") else None


def install_server() -> Path:
    """The server's script, after installing the package with the system's package manager.

    Shows the package manager's own progress.  BrokerMissing, saying what to run by hand, when
    there is no such package manager, no right to install, or the installation fails.
    """
    commands = _install_commands()
    by_hand = " && ".join(" ".join(command) for command in commands)
    if sys.platform != "darwin":
        by_hand = f"sudo sh -c '{by_hand}'"
    advice = BrokerMissing(
        f"RabbitMQ is not installed; run `{by_hand}` or set AMQP_URI to a broker of yours."
    )
    prefix = _right_to_install()
    if prefix is None:
        raise advice
    with _no_system_broker(prefix):
        for command in commands:
            # The package lists may be fresh enough even when `update` fails.
            done = _call([*prefix, *command])
            if done and "install" in command:
                raise advice
    script = server_script()
    if script is None:
        raise advice
    return script


def _install_commands() -> list[list[str]]:
    if sys.platform == "darwin" and shutil.which("brew"):
        return [["brew", "install", "rabbitmq"]]
    if shutil.which("apt-get"):
        packages = ["apt-get", "install", "-y", "--no-install-recommends", "rabbitmq-server"]
        return [["apt-get", "update"], packages]
    raise BrokerMissing(
        "RabbitMQ is not installed; install rabbitmq-server with your system's package manager"
        " or set AMQP_URI to a broker of yours."
    )


def _right_to_install() -> list[str] | None:
    """The words before a command that installs, or None without the right to."""
    if sys.platform == "darwin" or os.geteuid() == 0:
        return []
    if shutil.which("sudo") and _call(["sudo", "-n", "true"], quiet=True) == 0:
        return ["sudo", "-n"]
    return None


def _call(command: list[str], *, quiet: bool = False) -> int:
    """The exit code of the package manager, which asks nothing."""
    environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    return subprocess.run(  # noqa: S603 - words of our own, no shell
        command, env=environment, check=False, capture_output=quiet
    ).returncode


@contextlib.contextmanager
def _no_system_broker(prefix: list[str]) -> Iterator[None]:
    """Keep Debian from starting a system-wide broker because the package was installed.

    ``policy-rc.d`` is Debian's way to say so; one that exists already is the administrator's and
    stays.  The unit is disabled afterwards, or the broker would start at the next boot.
    """
    if sys.platform == "darwin":
        yield
        return
    ours = not POLICY.exists()
    if ours:
        refuse = f"printf '#!/bin/sh\\nexit 101\\n' > {POLICY} && chmod 755 {POLICY}"
        _call([*prefix, "sh", "-c", refuse])
    try:
        yield
    finally:
        if ours:
            _call([*prefix, "rm", "-f", str(POLICY)])
        if Path("/run/systemd/system").is_dir():
            _call([*prefix, "systemctl", "disable", "rabbitmq-server"], quiet=True)


def epmd_program() -> str | None:
    """The Erlang port mapper, which lies beside ``erl`` or deep in Erlang's own folder."""
    found = shutil.which("epmd")
    if found:
        return found
    erl = shutil.which("erl")
    if erl is None:
        return None
    root = Path(erl).resolve().parent.parent
    return next((str(path) for path in sorted(root.glob("**/erts-*/bin/epmd"))), None)


@dataclass(frozen=True, slots=True)
class RabbitNode:
    """A node of one installation: how to prepare it, run it and reach it."""

    installation: Installation
    script: Path
    port: int
    distribution_port: int
    epmd_port: int
    number: int = 1
    cluster_size: int = 1

    @property
    def process(self) -> str:
        """What the stack calls it: rabbitmq, rabbitmq-2, rabbitmq-3."""
        return numbered("rabbitmq", self.number)

    @property
    def folder(self) -> Path:
        """Everything the node writes, but its log."""
        return self.installation.path(self.process)

    @property
    def name(self) -> str:
        """A name of its own per folder; ``localhost`` because a machine's name may change."""
        return self._name(self.number)

    def _name(self, number: int) -> str:
        digest = hashlib.sha256(os.fsencode(self.installation.folder)).hexdigest()[:8]
        return f"{numbered(f'rapport_{digest}', number)}@localhost"

    @property
    def definitions_file(self) -> Path:
        """What every node of the installation loads at every start."""
        return self.installation.path("rabbitmq", "definitions.json")

    def prepare(self) -> None:
        """Write everything the node reads at its start, except the definitions."""
        home = self.folder / "home"
        home.mkdir(parents=True, exist_ok=True, mode=0o700)
        cookie = home / ".erlang.cookie"
        if not cookie.exists():
            # Erlang insists on mode 0400 and on letters.
            cookie.write_text(
                hashlib.sha256(self.installation.secret("erlang").encode()).hexdigest()
            )
            cookie.chmod(0o400)
        (self.folder / "enabled_plugins").write_text("[].\n")
        (self.folder / "environment.conf").write_text("")
        (self.folder / "rabbitmq.conf").write_text(
            f"listeners.tcp.local = 127.0.0.1:{self.port}\n"
            # With definitions of our own the broker does not create `guest`.
            f"load_definitions = {self.definitions_file}\n"
            "log.console = true\n"
            "log.console.level = info\n"
            "log.file = false\n"
            "vm_memory_high_watermark.relative = 0.4\n"
            "disk_free_limit.absolute = 200MB\n" + self._cluster_settings()
        )

    def _cluster_settings(self) -> str:
        """As the RabbitMQ operator for Kubernetes sets them, but for how nodes find each other."""
        if self.cluster_size == 1:
            return ""
        nodes = (
            f"cluster_formation.classic_config.nodes.{number} = {self._name(number)}\n"
            for number in range(1, self.cluster_size + 1)
        )
        return (
            "cluster_formation.peer_discovery_backend = classic_config\n"
            + "".join(nodes)
            # Queues are imported by the node that completes the cluster. Earlier they would be
            # made with fewer replicas, and stay so.
            + f"cluster_formation.target_cluster_size_hint = {self.cluster_size}\n"
            "cluster_partition_handling = pause_minority\n"
            "queue_leader_locator = balanced\n"
        )

    def command(self) -> tuple[str, ...]:
        """Run the node in the foreground."""
        return (str(self.script),)

    def environment(self) -> dict[str, str]:
        """The node's environment; RabbitMQ's variables of the machine's own broker stay out."""
        erlang = [
            # Naming the node here and not in RABBITMQ_NODENAME alone keeps RabbitMQ from starting
            # a second virtual machine only to see whether epmd runs (0.5 s).
            f"-sname {self.name}",
            f"-kernel inet_dist_listen_min {self.distribution_port}",
            f"-kernel inet_dist_listen_max {self.distribution_port}",
            "-kernel inet_dist_use_interface {127,0,0,1}",
            "+S 2:2 +SDio 8",
        ]
        kept = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("RABBITMQ_", "ERL_", "NOTIFY_"))
        }
        return kept | {
            "HOME": str(self.folder / "home"),
            "ERL_EPMD_PORT": str(self.epmd_port),
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "RABBITMQ_NODENAME": self.name,
            "RABBITMQ_DIST_PORT": str(self.distribution_port),
            "RABBITMQ_CONF_ENV_FILE": str(self.folder / "environment.conf"),
            "RABBITMQ_CONFIG_FILE": str(self.folder / "rabbitmq.conf"),
            "RABBITMQ_CONFIG_FILES": str(self.folder / "conf.d"),
            "RABBITMQ_ADVANCED_CONFIG_FILE": str(self.folder / "advanced.config"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(self.folder / "enabled_plugins"),
            "RABBITMQ_MNESIA_BASE": str(self.folder / "data"),
            "RABBITMQ_LOG_BASE": str(self.folder / "log"),
            "RABBITMQ_LOGS": "-",
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": " ".join(erlang),
            # Makes the script become the server instead of staying as its parent, so that our
            # SIGTERM reaches the server, which then stops cleanly.
            "RUNNING_UNDER_SYSTEMD": "true",
        }

    def epmd_command(self) -> tuple[str, ...]:
        """Run the node's own port mapper in the foreground; the shared one would outlive us."""
        program = epmd_program()
        if program is None:
            raise BrokerMissing("Erlang's epmd is not to be found; reinstall RabbitMQ.")
        return (program, "-address", "127.0.0.1", "-port", str(self.epmd_port))

    def epmd_environment(self) -> dict[str, str]:
        """The port mapper's environment."""
        return {"PATH": os.environ.get("PATH", os.defpath)}

    def uri(self, user: str) -> str:
        """The vhost as this user; the password is the installation's secret for it."""
        return uri(user, self.installation.secret(f"amqp.{user}"), f"127.0.0.1:{self.port}")


def uri(user: str, password: str, address: str, vhost: str = VHOST, *, scheme: str = "amqp") -> str:
    """An AMQP address of a user."""
    login = f"{quote(user, safe='')}:{quote(password, safe='')}"
    return f"{scheme}://{login}@{address}/{quote(vhost, safe='')}"


def answers(amqp_uri: str) -> bool:
    """Whether this user can open its vhost now, at one of the addresses that ``;`` parts.

    The node listens only after its definitions are loaded, so queues and bindings are there too,
    except in a cluster that is not complete yet.
    """
    parameters = [pika.URLParameters(one) for one in amqp_uri.split(";")]
    for one in parameters:
        one.connection_attempts = 1
        one.socket_timeout = one.stack_timeout = ANSWER_SECONDS
        one.blocked_connection_timeout = ANSWER_SECONDS
    logging.getLogger("pika").setLevel(logging.CRITICAL)
    try:
        pika.BlockingConnection(parameters).close()
    except (AMQPError, AMQPConnectorException, OSError):
        return False
    return True


def rabbit_nodes(installation: Installation, script: Path, size: int) -> tuple[RabbitNode, ...]:
    """The nodes of this installation: one broker, or a cluster of that many."""
    return tuple(
        RabbitNode(
            installation,
            script,
            installation.port(numbered("amqp", number)),
            installation.port(numbered("erlang", number)),
            installation.port("epmd"),
            number,
            size,
        )
        for number in range(1, size + 1)
    )


def rabbit_node(installation: Installation, script: Path) -> RabbitNode:
    """The only node of this installation, or the first of its cluster."""
    return rabbit_nodes(installation, script, 1)[0]


def begun(installation: Installation) -> list[Path]:
    """The folders of the nodes that this installation has had."""
    return sorted(home.parent for home in installation.folder.glob("rabbitmq*/home"))


def numbered(name: str, number: int) -> str:
    """The name of one of several: sales, sales-2, sales-3."""
    return name if number == 1 else f"{name}-{number}"


def import_advice(definitions: Path) -> str:
    """What to do when the broker that AMQP_URI names does not know our users yet."""
    return (
        "The broker in AMQP_URI refuses our users; import the definitions there: "
        f"`rabbitmqctl import_definitions {definitions}`."
    )
