import asyncio
import json
import socket
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pika
import pytest
from kombu import Connection

from crmkit import bus
from crmkit.local import rabbitmq
from crmkit.local.installation import Installation, listens
from crmkit.local.rabbitmq import RabbitNode
from crmkit.local.tests import fake_crm
from crmkit.local.tests.probes import alive, eventually, processes_of


class TestUri:
    def test_quotes_what_would_break_it(self) -> None:
        made = rabbitmq.uri("a/b", "p@:", "127.0.0.1:1", "crm")
        assert made == "amqp://a%2Fb:p%40%3A@127.0.0.1:1/crm"


class TestAnswers:
    def test_a_frozen_broker_does_not(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """The kernel takes its connections; nobody greets."""
        monkeypatch.setattr(rabbitmq, "ANSWER_SECONDS", 0.3)
        with socket.create_server(("127.0.0.1", 0)) as frozen:
            port = frozen.getsockname()[1]
            began = time.monotonic()
            assert not rabbitmq.answers(f"amqp://sales:secret@127.0.0.1:{port}/crm")
            assert time.monotonic() - began < 5


class TestCluster:
    def test_has_nodes_that_share_but_a_cookie_a_port_mapper_and_definitions(
        self, installation: Installation
    ) -> None:
        nodes = rabbitmq.rabbit_nodes(installation, Path("/bin/true"), 3)
        for node in nodes:
            node.prepare()
        assert [node.process for node in nodes] == ["rabbitmq", "rabbitmq-2", "rabbitmq-3"]
        assert rabbitmq.begun(installation) == [node.folder for node in nodes]
        ports = {port for node in nodes for port in (node.port, node.distribution_port)}
        assert (len(ports), len({node.epmd_port for node in nodes})) == (6, 1)
        cookies = {(node.folder / "home" / ".erlang.cookie").read_text() for node in nodes}
        assert len(cookies) == len({node.definitions_file for node in nodes}) == 1
        for node in nodes:
            settings = (node.folder / "rabbitmq.conf").read_text()
            assert all(f" = {other.name}\n" in settings for other in nodes)

    def test_a_single_node_looks_for_no_other(self, installation: Installation) -> None:
        (node,) = rabbitmq.rabbit_nodes(installation, Path("/bin/true"), 1)
        node.prepare()
        assert "cluster" not in (node.folder / "rabbitmq.conf").read_text()


@pytest.mark.server
class TestNode:
    @pytest.fixture
    def node(
        self, installation: Installation, run: Callable[..., subprocess.Popen[bytes]]
    ) -> RabbitNode:
        script = rabbitmq.server_script()
        assert script is not None, "rabbitmq-server is not installed"
        node = rabbitmq.rabbit_node(installation, script)
        node.prepare()
        uris = {user: node.uri(user) for user in ("sales", "erp")}
        node.definitions_file.write_text(json.dumps(fake_crm.definitions(uris)))
        run(node.epmd_command(), node.epmd_environment())
        eventually(lambda: listens(node.epmd_port))
        self.process = run(node.command(), node.environment())
        eventually(lambda: listens(node.port) and rabbitmq.answers(node.uri("sales")), 180)
        return node

    def test_has_its_definitions_no_guest_and_ends_without_orphans(self, node: RabbitNode) -> None:
        with pika.BlockingConnection(pika.URLParameters(node.uri("sales"))) as connection:
            channel = connection.channel()
            assert channel.queue_declare("crm.feed", passive=True).method.queue == "crm.feed"
        assert not rabbitmq.answers(f"amqp://guest:guest@127.0.0.1:{node.port}/crm")
        assert not rabbitmq.answers(node.uri("customers"))
        self.process.terminate()
        assert self.process.wait(60) == 0
        assert not listens(node.port)
        eventually(lambda: processes_of(node.folder) == [])
        assert not alive(self.process.pid)

    def test_is_found_behind_nodes_that_are_gone(self, node: RabbitNode) -> None:
        dead = node.uri("sales").replace(f":{node.port}/", f":{node.installation.port('none')}/")
        nameless = node.uri("sales").replace("127.0.0.1", "gone.invalid")
        uri = ";".join([dead, nameless, node.uri("sales")])

        async def connected() -> str:
            link, gone = await bus.connect(uri), asyncio.Event()
            link._connection.add_on_close_callback(lambda *_: gone.set())
            link.close()
            await asyncio.wait_for(gone.wait(), 30)
            return link.broker

        assert asyncio.run(connected()) == f"127.0.0.1:{node.port}"
        assert rabbitmq.answers(";".join([dead, node.uri("sales")]))
        with Connection(uri) as connection:
            connection.ensure_connection(max_retries=3)
            assert connection.port == node.port
