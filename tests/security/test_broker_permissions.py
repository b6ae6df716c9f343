"""What each user of the broker may do, tried out on the running one (S28): all else is refused.

Who may what is written down here anew, in the words of the architecture and not of the patterns
that crmkit.topology makes, and held against every exchange and queue there is.
"""

import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import pika
import pytest
from pika.adapters.blocking_connection import BlockingChannel
from pika.exceptions import AMQPConnectionError, ChannelClosedByBroker

from crmkit import catalog, codec, topology
from crmkit.local.stack import LocalStack
from crmkit.testing import eventually
from gateway.api import rows
from tests.talking import Api, Json

DEFINED = topology.definitions(dict.fromkeys(topology.users(), "x"))
QUEUES = sorted(one["name"] for one in DEFINED["queues"])
EXCHANGES = sorted(one["name"] for one in DEFINED["exchanges"])
BUILT_IN = ["amq.direct", "amq.fanout", "amq.headers", "amq.match", "amq.topic"]
COMMANDS = sorted({f"{row.command.owner}.{row.command.name}" for row in rows()})
ON_THE_BUS = [one for one in COMMANDS if one.split(".")[0] in catalog.services()]
REFUSED, FORGED = 403, 406


@dataclass
class User:
    """One user of the broker, and what the architecture gives them."""

    name: str
    writes: set[str] = field(default_factory=set)
    """Exchanges; the empty name is the default exchange."""
    reads: set[str] = field(default_factory=set)
    commands: list[str] = field(default_factory=list)


def _service(name: str) -> User:
    mine = {q for q in QUEUES if q == f"rpc-{name}" or q.split("--")[-1].startswith(f"{name}.")}
    # The default exchange is the way of replies; what else comes that way is held against its
    # sender by whoever reads it (TestTheDefaultExchange).
    return User(name, {f"{name}.events", ""}, mine)


USERS = {
    **{name: _service(name) for name in catalog.services()},
    "gateway": User(
        "gateway",
        {"gateway.events"},
        {"crm.feed", "crm.parking", "crm.unrouted"},
        ON_THE_BUS,
    ),
    "erp": User("erp", set(), {"erp.outbound", "crm.feed"}),
}


class Session:
    """A connection as one user; a refusal ends only the channel of the attempt."""

    def __init__(self, uri: str, user: str) -> None:
        self.user = user
        self.connection = pika.BlockingConnection(pika.URLParameters(uri))

    def attempt(self, work: Callable[[BlockingChannel], object]) -> int:
        """0 when the broker let it happen, else the code of the refusal."""
        channel = self.connection.channel()
        channel.confirm_delivery()
        try:
            work(channel)
        except ChannelClosedByBroker as refusal:
            return int(refusal.reply_code)
        except pika.exceptions.UnroutableError:
            pass
        if channel.is_open:
            channel.close()
        return 0

    def publish(self, exchange: str, key: str, body: bytes = b"{}", **properties: object) -> int:
        values = {"user_id": self.user, "content_type": "application/json"} | properties
        sent = pika.BasicProperties(**values)  # type: ignore[arg-type]
        return self.attempt(lambda channel: channel.basic_publish(exchange, key, body, sent))

    def read(self, queue: str) -> int:
        """Take a message, if there is one, and give it back."""

        def work(channel: BlockingChannel) -> None:
            if queue == topology.FEED:
                channel.basic_qos(prefetch_count=1)
                channel.basic_consume(queue, lambda *_: None)
                return
            method, _, _ = channel.basic_get(queue)
            if method is not None:
                channel.basic_nack(method.delivery_tag, requeue=True)

        return self.attempt(work)


@pytest.fixture(scope="module", params=USERS)
def session(request: pytest.FixtureRequest, stack: LocalStack) -> Iterator[Session]:
    uri = stack.env()[f"{request.param.upper()}_AMQP_URI"]
    session = Session(uri, request.param)
    yield session
    session.connection.close()


def outcomes(session: Session, tried: dict[str, int], allowed: set[str]) -> None:
    """Fail when anything but what is allowed went through, or what is allowed did not."""
    assert tried
    wrong = {
        what: code for what, code in tried.items() if code != (0 if what in allowed else REFUSED)
    }
    assert wrong == {}, f"{session.user}: not as the architecture says"


class TestPublishing:
    def test_is_for_ones_own_events(self, session: Session) -> None:
        user = USERS[session.user]
        # Where topics count, the keys are the matter of the next test.
        plain = [one for one in EXCHANGES if one != topology.RPC_EXCHANGE]
        tried = {
            exchange: session.publish(exchange, "customer.registered.v1", b"no event")
            for exchange in [*plain, *BUILT_IN]
        }
        tried[""] = session.publish("", f"nobody-{uuid.uuid4()}")
        outcomes(session, tried, user.writes)

    def test_of_commands_is_for_who_may_call_them(self, session: Session) -> None:
        tried = {
            command: session.publish(topology.RPC_EXCHANGE, command, b"no command")
            for command in ON_THE_BUS
        }
        outcomes(session, tried, set(USERS[session.user].commands))

    @pytest.mark.parametrize("key", ["#", "*.*", "customers", "customers.a.b", "hr.pay", "a.b", ""])
    def test_under_other_keys_is_for_nobody(self, session: Session, key: str) -> None:
        assert session.publish(topology.RPC_EXCHANGE, key) == REFUSED

    def test_in_anothers_name_is_for_nobody(self, session: Session) -> None:
        user = USERS[session.user]
        others = [name for name in USERS if name != user.name]
        exchange = next(iter(sorted(user.writes)), topology.RPC_EXCHANGE)
        codes = {name: session.publish(exchange, "x.y.v1", user_id=name) for name in others}
        assert set(codes.values()) == {FORGED if user.writes else REFUSED}, codes


class TestReading:
    def test_is_for_ones_own_queues(self, session: Session) -> None:
        tried = {queue: session.read(queue) for queue in QUEUES}
        outcomes(session, tried, USERS[session.user].reads)

    def test_others_queues_empty_is_for_nobody(self, session: Session) -> None:
        foreign = [one for one in QUEUES if one not in USERS[session.user].reads]
        tried = {
            queue: session.attempt(lambda channel, name=queue: channel.queue_purge(name))
            for queue in foreign
        }
        outcomes(session, tried, set())

    @pytest.mark.parametrize("key", ["#", "customers.*", "*.*"])
    def test_along_is_for_nobody(self, session: Session, key: str) -> None:
        """No queue, one's own included, can be bound to see what others say to each other."""
        user = USERS[session.user]
        queue = next(iter(sorted(user.reads)))
        tried = {
            exchange: session.attempt(
                lambda channel, name=exchange: channel.queue_bind(queue, name, key)
            )
            for exchange in [*EXCHANGES, *BUILT_IN]
        }
        outcomes(session, tried, set())

    def test_cannot_be_taken_from_others(self, session: Session) -> None:
        tried = {
            f"{one['source']} {one['destination']} {one['routing_key']}": session.attempt(
                lambda channel, one=one: channel.queue_unbind(
                    one["destination"], one["source"], one["routing_key"]
                )
            )
            for one in DEFINED["bindings"]
        }
        outcomes(session, tried, set())


class TestBuilding:
    """Everything is there before the first process; none may make, change or remove anything."""

    def test_or_tearing_down_queues_is_for_nobody(self, session: Session) -> None:
        tried = {}
        for queue in QUEUES:
            tried[f"delete {queue}"] = session.attempt(
                lambda channel, name=queue: channel.queue_delete(name)
            )
        for name in ("", "mine", f"rpc-{session.user}-2", "amq.gen-x"):
            tried[f"declare {name}"] = session.attempt(
                lambda channel, name=name: channel.queue_declare(name, exclusive=True)
            )
        outcomes(session, tried, set())

    def test_or_tearing_down_exchanges_is_for_nobody(self, session: Session) -> None:
        tried = {}
        for exchange in [*EXCHANGES, *BUILT_IN]:
            tried[f"delete {exchange}"] = session.attempt(
                lambda channel, name=exchange: channel.exchange_delete(name)
            )
        tried["declare"] = session.attempt(
            lambda channel: channel.exchange_declare(f"{session.user}.more", "topic")
        )
        tried["bind"] = session.attempt(
            lambda channel: channel.exchange_bind(
                topology.UNROUTED, topology.RPC_EXCHANGE, routing_key="#"
            )
        )
        outcomes(session, tried, set())


class TestEntering:
    def test_another_virtual_host_is_for_nobody(self, session: Session, stack: LocalStack) -> None:
        parameters = pika.URLParameters(stack.env()[f"{session.user.upper()}_AMQP_URI"])
        parameters.virtual_host = "/"
        with pytest.raises(AMQPConnectionError):
            pika.BlockingConnection(parameters)

    def test_without_an_account_of_ours_is_for_nobody(self, stack: LocalStack) -> None:
        parameters = pika.URLParameters(stack.env()["GATEWAY_AMQP_URI"])
        for name in ("guest", "admin", "gateway"):
            parameters.credentials = pika.PlainCredentials(name, "guest")
            with pytest.raises(AMQPConnectionError):
                pika.BlockingConnection(parameters)

    def test_everybody_who_may_enter_is_tried_here(self) -> None:
        assert set(USERS) == set(topology.users())


class TestTheDefaultExchange:
    """Services need it for their replies, and it leads to every queue: readers must look.

    The broker vouches for the sender's name (``TestPublishing``), so what is smuggled this way is
    known for what it is.
    """

    @pytest.fixture
    def smuggler(self, stack: LocalStack) -> Iterator[Session]:
        session = Session(stack.env()["MARKETING_AMQP_URI"], "marketing")
        yield session
        session.connection.close()

    @pytest.fixture
    def gateway(self, stack: LocalStack) -> Iterator[Session]:
        session = Session(stack.env()["GATEWAY_AMQP_URI"], "gateway")
        yield session
        session.connection.close()

    def test_carries_no_command(self, smuggler: Session, gateway: Session, api: Api) -> None:
        """The name of a command is the routing key, which is the queue's here."""
        customer = api.new_customer(city="Seoul")
        actor = {"id": None, "kind": "staff", "scope": "all", "team_path": "/"}
        headers = {"nameko.actor": codec.dumps(actor).decode()}
        asking = {"headers": headers, "reply_to": str(uuid.uuid4())}

        def city(name: str) -> bytes:
            changes = {"customer_id": customer["id"], "city": name, "if_match": 1}
            return codec.dumps({"args": [], "kwargs": changes})

        assert smuggler.publish("", "rpc-customers", city("Busan"), **asking) == 0
        # The queue is worked off in order: after this the smuggled one has been looked at.
        api.new_customer()
        path = f"/v1/customers/{customer['id']}"
        assert api.read(path)["city"] == "Seoul"
        key = "customers.update_customer"
        gateway.publish(topology.RPC_EXCHANGE, key, city("Daegu"), **asking)
        api.until(path, lambda record: record["city"] == "Daegu")

    def test_carries_no_event_into_the_feed(self, smuggler: Session, api: Api) -> None:
        forged = self.forged()
        assert smuggler.publish("", topology.FEED, codec.dumps(forged)) == 0
        marker = api.new_customer()

        def subjects() -> list[str]:
            return [one["subject"] for one in everything(api)]

        eventually(lambda: f"customer/{marker['id']}" in subjects(), seconds=90, pause=0.5)
        assert forged["subject"] not in subjects()

    @staticmethod
    def forged() -> dict[str, object]:
        identity = str(uuid.uuid4())
        return {
            "specversion": "1.0",
            "id": identity,
            "source": "/crm/sales",
            "type": "crm.sales.order.submitted.v1",
            "subject": f"order/{identity}",
            "time": "2026-11-22T00:00:00Z",
            "aggregateversion": 1,
            "data": {"order_id": identity},
        }


def everything(api: Api) -> Iterator[Json]:
    """The whole feed."""
    after: dict[str, str] = {}
    while items := (page := api.read("/v1/events", limit="500", **after))["items"]:
        yield from items
        after = {"after": page["page"]["next"]}
