"""One request as a collector of OpenTelemetry sees it: through every process it reaches."""

import os
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from crmkit.local.stack import LocalStack
from crmkit.testing import eventually
from crmkit.tracing import ENDPOINT
from tests.talking import Api

pytestmark = pytest.mark.server


@dataclass(frozen=True)
class Seen:
    """A span that arrived."""

    process: str
    name: str
    trace: str
    id: str
    parent: str
    attributes: dict[str, str]


@dataclass
class Collector:
    """An OTLP receiver over HTTP."""

    spans: list[Seen] = field(default_factory=list)
    url: str = ""

    def take(self, body: bytes) -> None:
        request = ExportTraceServiceRequest()
        request.ParseFromString(body)
        for resource in request.resource_spans:
            about = {a.key: a.value.string_value for a in resource.resource.attributes}
            for scope in resource.scope_spans:
                for span in scope.spans:
                    self.spans.append(
                        Seen(
                            about["service.name"],
                            span.name,
                            span.trace_id.hex(),
                            span.span_id.hex(),
                            span.parent_span_id.hex(),
                            {a.key: a.value.string_value for a in span.attributes},
                        )
                    )

    def one(self, trace: str, process: str, name: str) -> Seen:
        """The only span of that name in the trace, waiting for it."""

        def probe() -> list[Seen]:
            wanted = (trace, process, name)
            return [s for s in self.spans if (s.trace, s.process, s.name) == wanted]

        (found,) = eventually(probe)
        return found


@pytest.fixture(scope="module")
def collector() -> Iterator[Collector]:
    collector = Collector()

    class Page(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            collector.take(self.rfile.read(int(self.headers["content-length"])))
            self.send_response(200)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Nothing to say."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Page)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    collector.url = f"http://127.0.0.1:{server.server_port}"
    yield collector
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="module")
def traced(collector: Collector, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalStack]:
    """A whole Rapport that tells the collector."""
    told = {ENDPOINT: collector.url, "OTEL_BSP_SCHEDULE_DELAY": "100"}
    stack = LocalStack(
        tmp_path_factory.mktemp("traced"), seed_customers=20, inherited=os.environ | told
    )
    stack.start()
    yield stack
    stack.stop()


@pytest.fixture(scope="module")
def api(traced: LocalStack) -> Iterator[Api]:
    with Api(traced.base_url) as api:
        run = traced.addresses()
        api.log_in(run["email"], run["password"])
        yield api


TRACE, CALLER = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"


def test_a_trace_leads_from_the_request_to_what_its_event_did(
    api: Api, collector: Collector
) -> None:
    customer = api.new_customer()
    fields = {
        "customer_id": customer["id"],
        "title": "Traced",
        "amount": {"amount": "1.00", "currency": "USD"},
    }
    api.create("/v1/opportunities", **fields)  # Until sales has heard of the customer.
    sent = api.answer("POST", "/v1/opportunities", fields, traceparent=f"00-{TRACE}-{CALLER}-01")
    assert sent.is_success, sent.text
    event = "crm.sales.opportunity.created.v1"
    request = collector.one(TRACE, "gateway", "POST /v1/opportunities")
    call = collector.one(TRACE, "gateway", "sales.create_opportunity")
    command = collector.one(TRACE, "sales", "create_opportunity")
    publish = collector.one(TRACE, "relay", f"publish {event}")
    handler = collector.one(TRACE, "customers", "customers.on_opportunity_created")
    spans = [request, call, command, publish, handler]
    assert [span.parent for span in spans] == [CALLER, *(span.id for span in spans[:-1])]
    assert handler.attributes["rapport.event_id"] == publish.attributes["rapport.event_id"]


def test_a_refusal_is_in_its_trace(api: Api, collector: Collector) -> None:
    trace = TRACE[::-1]
    sent = api.get(
        "/v1/customers/0199c1f2-7c1e-7d1a-9d0e-6f0f8f7b2a11",
        headers={"traceparent": f"00-{trace}-{CALLER}-01"},
    )
    assert sent.status_code == 404
    command = collector.one(trace, "customers", "get_customer")
    assert command.attributes["rapport.outcome"] == "notfound"


def test_says_nothing_about_people(api: Api, collector: Collector) -> None:
    trace = "".join(sorted(TRACE))
    body = {
        "kind": "person",
        "name": {"family": "김", "given": "추적"},
        "language": "ko",
        "country": "KR",
        "contact_points": [{"kind": "email", "value": "traced@customers.example"}],
    }
    sent = api.answer("POST", "/v1/customers", body, traceparent=f"00-{trace}-{CALLER}-01")
    assert sent.is_success, sent.text
    collector.one(trace, "gateway", "POST /v1/customers")
    collector.one(trace, "customers", "register_customer")
    collector.one(trace, "marketing", "marketing.on_customer_registered")
    collector_has = repr(collector.spans)
    assert "추적" not in collector_has
    assert "@" not in collector_has
