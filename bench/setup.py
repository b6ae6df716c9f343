"""What all measurements stand on: a Rapport of the bench's own, seeded once and kept in var/bench.

Each start of the standard one begins with the same rows, copied from behind the seeding, and with
an empty broker; so no figure depends on what an earlier one has written.
"""

import contextlib
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import pika
import psycopg

from bench import crm, load, machine
from bench.load import Hits, Shot
from bench.refusal import BenchFailed
from bench.results import Journal, Result, medians
from crmkit.dsn import dsn
from crmkit.local.installation import Installation
from crmkit.local.lock import AlreadyRunning, InstanceLock
from crmkit.local.rabbitmq import VHOST, uri
from crmkit.local.spawning import end_group, spawn
from crmkit.local.stack import LocalStack, answers_ok
from crmkit.local.supervisor import StartFailed

STANDARD_CUSTOMERS = 20_000
MILLION, QUICK_MILLION = 1_000_000, 200_000
SEED_SECONDS = 3600.0
SETTLE_SECONDS = 180.0
PAUSE_SECONDS = 0.5
_TICK = 0.1


def say(line: str) -> None:
    """A line of progress, at once."""
    print(line, flush=True)


class Rapport:
    """One running stack with so many customers in it."""

    def __init__(self, folder: Path, customers: int, *, pristine: bool) -> None:
        self.customers = customers
        self._folder = folder
        self._pristine = pristine
        installation = Installation(folder)
        self._bench_password = installation.secret("amqp.bench")
        ours = {"RATE_PER_SECOND": "1000000", crm.PASSWORD: self._bench_password}
        kept = {k: v for k, v in os.environ.items() if not k.endswith(("_URL", "_URI", "PORT"))}
        self.stack = LocalStack(
            folder,
            inherited=kept | ours,
            crm=(sys.executable, "-m", "bench.crm"),
        )
        self.installation = self.stack.installation
        self.env: dict[str, str] = {}
        self._token = ("", 0.0)

    # Life

    def start(self) -> None:
        """Return when all of it runs and its data are there; seeds at the first start."""
        self.stop()
        self._begin_anew()
        copied = self._folder / "seeded"
        say(f"  starting Rapport with {self.customers:,} customers …")
        began = time.monotonic()
        self.stack.start(timeout_seconds=240)
        self.env = self.stack.env()
        if not self.installation.has("seed"):
            self._seed()
            self.settle()
            if self._pristine:
                self.stack.stop()
                self._copy(self._data, copied)
                self.stack.start(timeout_seconds=240)
        self.settle()
        say(f"  … ready after {time.monotonic() - began:.1f} s")

    def stop(self) -> None:
        """End all of it."""
        self.stack.stop(drain_seconds=5)

    def _begin_anew(self) -> None:
        """Take away what the last run left; StartFailed when it is the data of a running stack."""
        lock = InstanceLock(self.installation.folder)
        try:
            lock.take()
        except AlreadyRunning as refusal:
            raise StartFailed(str(refusal)) from None
        copied = self._folder / "seeded"
        if self._pristine and copied.exists():
            self._copy(copied, self._data)
        shutil.rmtree(self._folder / "rabbitmq" / "data", ignore_errors=True)
        lock.free()

    @property
    def _data(self) -> Path:
        return self._folder / "postgres" / "data"

    @staticmethod
    def _copy(source: Path, target: Path) -> None:
        """Replace a folder by a copy that keeps owners and modes."""
        shutil.rmtree(target, ignore_errors=True)
        subprocess.run(["cp", "-a", str(source), str(target)], check=True)

    def _seed(self) -> None:
        say(f"  seeding {self.customers:,} customers (once; they are kept) …")
        words = [sys.executable, "-m", "crmkit", "seed", "--customers", str(self.customers)]
        began = time.monotonic()
        process = subprocess.Popen(words, env=self.env, cwd=machine.ROOT)
        try:
            while process.poll() is None:
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(15)
                if process.poll() is None and not sys.stdout.isatty():
                    size = self._size("customers") / 1024**2
                    say(f"  … {time.monotonic() - began:.0f} s, {size:,.0f} MB of customers")
                if time.monotonic() - began > SEED_SECONDS:
                    raise BenchFailed("The seeding took more than an hour.")
        finally:
            if process.poll() is None:
                process.kill()
        if process.returncode:
            raise BenchFailed("The customers could not be seeded.")
        self.installation.reach("seed")

    def _size(self, owner: str) -> int:
        with self.database(owner) as database:
            row = database.execute("select pg_database_size(%s)", (owner,)).fetchone()
        return int(row[0]) if row else 0

    # Ways in

    @contextlib.contextmanager
    def database(self, owner: str) -> Iterator["psycopg.Connection[Any]"]:
        """An owner's database, as the role its tables belong to, every statement on its own."""
        address = dsn(self.env[f"{owner.upper()}_MIGRATION_URL"])
        with psycopg.connect(address, autocommit=True) as connection:
            connection.execute("set statement_timeout = 0")
            yield connection

    def column(self, owner: str, query: str, *values: Any) -> list[str]:
        """The first column of what the query finds, as text."""
        with self.database(owner) as database:
            return [str(row[0]) for row in database.execute(query, values)]

    def broker_uri(self, vhost: str = VHOST) -> str:
        """The broker, as the bench's own user."""
        address = f"127.0.0.1:{self.installation.port('amqp')}"
        return uri(crm.USER, self._bench_password, address, quote(vhost))

    @contextlib.contextmanager
    def broker(self, amqp_uri: str | None = None) -> Iterator[Any]:
        """A channel, as the bench's user unless told otherwise."""
        connection = pika.BlockingConnection(pika.URLParameters(amqp_uri or self.broker_uri()))
        try:
            yield connection.channel()
        finally:
            connection.close()

    def token(self) -> str:
        """A bearer token of the administrator, good for some minutes from now."""
        token, since = self._token
        if not token or time.monotonic() - since > 240:
            run = self.stack.addresses()
            answer = httpx.post(
                f"{run['base_url']}/v1/sessions",
                json={"email": run["email"], "password": run["password"]},
                timeout=15,
            )
            if not answer.is_success:
                raise BenchFailed(f"Nobody can log in: {answer.status_code} {answer.text}")
            token = answer.json()["access_token"]
            self._token = (token, time.monotonic())
        return token

    # Quiet

    def settle(self) -> float:
        """Wait until every event is sent and handled, then empty the ERP's queue; the seconds.

        BenchFailed when that takes more than three minutes.
        """
        began = time.monotonic()
        owners = self.stack.owners
        with self.broker() as channel:
            while waiting := self._waiting(channel, owners):
                if time.monotonic() - began > SETTLE_SECONDS:
                    raise BenchFailed(f"Events still wait: {waiting}.")
                time.sleep(_TICK)
            channel.queue_purge("erp.outbound")
        return time.monotonic() - began

    def _waiting(self, channel: Any, owners: tuple[str, ...]) -> dict[str, int]:
        """How many events wait where; {} when none does."""
        found: dict[str, int] = {}
        for owner in owners:
            (count,) = self.column(owner, "select count(*) from outbox where published_at is null")
            found[f"outbox of {owner}"] = int(count)
        for queue in self._event_queues():
            declared = channel.queue_declare(queue, passive=True)
            found[queue] = declared.method.message_count
        return {name: count for name, count in found.items() if count}

    def _event_queues(self) -> list[str]:
        text = (self._folder / "rabbitmq" / "definitions.json").read_text()
        names = [queue["name"] for queue in json.loads(text)["queues"]]
        return [name for name in names if name.startswith("evt-")]

    # CPU

    def groups(self, owner: str = "") -> dict[str, list[int]]:
        """Whose CPU time is told apart: process ids of the roots, by name.

        With an owner its service stands apart from the others, which only handle its events.
        """
        found: dict[str, list[int]] = {"gateway": []}
        if owner:
            found["service"] = []
        for name in self.stack.names():
            pid = self.stack.process(name).pid
            group = self._group(name.split("-")[0], owner)
            if pid and group:
                found.setdefault(group, []).append(pid)
        return found

    def _group(self, process: str, owner: str) -> str:
        if process in self.stack.services:
            if not owner:
                return "services"
            return "service" if process == owner else "other services"
        known = {"gateway": "gateway", "relay": "relay", "epmd": ""}
        return (known | {"rabbitmq": "RabbitMQ", "postgres": "PostgreSQL"}).get(process, "mail")

    def groups_cpu(self, *names: str) -> dict[str, float]:
        """The CPU seconds that these groups have used so far."""
        alive = self.groups()
        return machine.cpu_seconds({name: alive[name] for name in names})

    def _pause(self, token: str) -> None:
        """Let end what the load before has left behind when it hung up in the middle of requests.

        The gateway still counts them, and with those of the next load they may be too many.
        """
        time.sleep(PAUSE_SECONDS)
        headers = {"Authorization": f"Bearer {token}"}
        httpx.get(f"{self.stack.base_url}/v1/customers?limit=1", headers=headers, timeout=15)

    def fire(
        self, shot: Shot, *, connections: int, seconds: float, owner: str
    ) -> tuple[Hits, dict[str, float]]:
        """Send the shot at the gateway; what came back, and the CPU milliseconds of one request.

        The owner is the service that answers.
        """
        groups, token = self.groups(owner), self.token()
        self._pause(token)
        with used(groups) as cpu:
            hits = load.fire(
                self.stack.base_url, token, shot, connections=connections, seconds=seconds
            )
        return hits, {name: 1000 * spent / hits.requests for name, spent in cpu.items()}


@contextlib.contextmanager
def used(groups: dict[str, list[int]]) -> Iterator[dict[str, float]]:
    """CPU seconds that each group used inside; filled in at the end."""
    spent: dict[str, float] = {}
    before = machine.cpu_seconds(groups)
    yield spent
    after = machine.cpu_seconds(groups)
    spent.update({name: after[name] - before[name] for name in groups})


class Helper:
    """A process of the bench's own: a toy service or a reference."""

    def __init__(self, name: str, words: list[str], environment: dict[str, str], log: Path) -> None:
        self.name = name
        # A session of its own, ended with this thread even when this process is killed.
        self._process = spawn(
            words, environment=environment, log=log / f"{name}.log", folder=machine.ROOT
        )
        self._log = log / f"{name}.log"

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    def wait_until(self, ready: Callable[[], bool], seconds: float = 30) -> None:
        """Return when it is ready; BenchFailed when it ends before or never is."""
        deadline = time.monotonic() + seconds
        while not ready():
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise BenchFailed(f"{self.name} did not start; see {self._log}.")
            time.sleep(_TICK)

    def stop(self) -> None:
        """End it."""
        self._process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(10)
        end_group(self._process)
        self._process.wait(5)


@dataclass
class Lab:
    """What a figure's module gets to work with."""

    journal: Journal
    quick: bool = False
    seconds: float = 0.0
    folder: Path = machine.ROOT / "var" / "bench"
    rounds: int = 3
    missing: dict[str, list[str]] = field(default_factory=dict)
    _stacks: dict[int, Rapport] = field(default_factory=dict)

    def standard(self) -> Rapport:
        """The running stack with 20,000 customers, the same rows whenever it is started."""
        return self._stack(STANDARD_CUSTOMERS, pristine=True)

    def large(self) -> Rapport:
        """The running stack with a million customers, or 200,000 when it has to be quick."""
        return self._stack(QUICK_MILLION if self.quick else MILLION, pristine=False)

    def _stack(self, customers: int, *, pristine: bool) -> Rapport:
        if customers not in self._stacks:
            folder = self.folder / f"stack-{customers}"
            try:
                self._stacks[customers] = stack = Rapport(folder, customers, pristine=pristine)
                stack.start()
            except StartFailed as failure:
                raise BenchFailed(str(failure)) from failure
        return self._stacks[customers]

    def close(self) -> None:
        """End all stacks."""
        while self._stacks:
            self._stacks.popitem()[1].stop()

    def span(self, standard: float, quick: float = 2.0) -> float:
        """How long one run of a load lasts, in seconds."""
        return self.seconds or (quick if self.quick else standard)

    def miss(self, figure: str, why: str) -> None:
        """Note that a part of a figure could not be measured, and why."""
        self.missing.setdefault(figure, []).append(why)
        say(f"  ! {why}")

    def record(self, result: Result) -> None:
        """Keep a result and show it."""
        self.journal.add(result, quick=self.quick)
        met = {True: "  (met)", False: f"  (target {result.target})", None: ""}[result.met]
        say(f"  = {result.name}: {result.value:,.2f} {result.unit}{met}")

    def step(self, what: str, number: int, seen: str) -> None:
        """Show one run of a measurement."""
        say(f"    {what}, run {number} of {self.rounds}: {seen}")


def toy(stack: Rapport, module: str, number: int = 1) -> Helper:
    """A running process of a toy service of the bench's, in the bench's own virtual host."""
    port = stack.installation.port(f"health.{module}-{number}")
    environment = stack.env | {
        "TOY_AMQP_URI": stack.broker_uri(crm.VHOST),
        "TOY_DATABASE_URL": stack.env["CUSTOMERS_DATABASE_URL"],
        "HEALTH_PORT": str(port),
    }
    words = [sys.executable, "-m", f"bench.{module}"]
    helper = Helper(f"{module}-{number}", words, environment, stack.installation.path("log"))
    helper.wait_until(lambda: answers_ok(port, "/ready"))
    return helper


def overall(rows: list[dict[str, float]]) -> dict[str, float]:
    """The median of each user's CPU time, without those that used next to none."""
    return {name: value for name, value in medians(rows).items() if value >= 0.005}
