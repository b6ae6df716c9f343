import json
import subprocess
from collections.abc import Callable

import pika
import pytest

from crmkit.local import rabbitmq
from crmkit.local.installation import Installation, listens
from crmkit.local.rabbitmq import RabbitNode
from crmkit.local.tests import fake_crm
from crmkit.local.tests.probes import alive, eventually, processes_of


class TestUri:
    def test_quotes_what_would_break_it(self) -> None:
        made = rabbitmq.uri("a/b", "p@:", "127.0.0.1:1", "crm")
        assert made == "amqp://a%2Fb:p%40%3A@127.0.0.1:1/crm"


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
        eventually(lambda: listens(node.port) and rabbitmq.answers(node.uri("sales")), 40)
        return node

    def test_has_its_definitions_no_guest_and_ends_without_orphans(self, node: RabbitNode) -> None:
        with pika.BlockingConnection(pika.URLParameters(node.uri("sales"))) as connection:
            channel = connection.channel()
            assert channel.queue_declare("crm.feed", passive=True).method.queue == "crm.feed"
        assert not rabbitmq.answers(f"amqp://guest:guest@127.0.0.1:{node.port}/crm")
        assert not rabbitmq.answers(node.uri("customers"))
        self.process.terminate()
        assert self.process.wait(20) == 0
        assert not listens(node.port)
        eventually(lambda: processes_of(node.folder) == [], 5)
        assert not alive(self.process.pid)
