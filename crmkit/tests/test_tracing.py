"""Spans: their parents, what they say, and that bringing them away stops nobody."""

import subprocess
import sys
import time
from collections.abc import Iterator, Sequence

import pytest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

from crmkit import tracing
from crmkit.context import Context
from crmkit.errors import NotFound
from crmkit.settings import Settings

PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


class Kept(SpanExporter):
    def __init__(self) -> None:
        self.spans: list[ReadableSpan] = []

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        self.spans += spans
        return SpanExportResult.SUCCESS


@pytest.fixture
def kept() -> Iterator[Kept]:
    exporter = Kept()
    tracing.trace_to("test", exporter)
    yield exporter
    tracing.shut_down()


def ended(kept: Kept) -> list[ReadableSpan]:
    tracing.shut_down()
    return kept.spans


class TestOff:
    def test_leaves_a_context_as_it_is(self) -> None:
        context = Context(traceparent=PARENT)
        with tracing.span("server", "x", context) as inner:
            assert inner is context

    def test_imports_nothing(self) -> None:
        code = (
            "import sys; from crmkit import tracing; from crmkit.settings import Settings;"
            " tracing.set_up('x', Settings({}));"
            " assert not [m for m in sys.modules if m.startswith(('opentelemetry', 'google'))]"
        )
        subprocess.run([sys.executable, "-c", code], check=True)


class TestSpan:
    def test_belongs_to_the_trace_of_its_context(self, kept: Kept) -> None:
        first = tracing.span("client", "outer", Context(traceparent=PARENT))
        with first as context, tracing.span("server", "inner", context):
            pass
        inner, outer = ended(kept)
        assert f"{outer.context.trace_id:032x}" == PARENT.split("-")[1]
        assert f"{outer.parent.span_id:016x}" == PARENT.split("-")[2]
        assert inner.parent.span_id == outer.context.span_id
        assert inner.context.trace_id == outer.context.trace_id

    @pytest.mark.parametrize("traceparent", [None, "", "nonsense", "00-" + "0" * 32 + "-1-01"])
    def test_begins_a_trace_when_there_is_none(self, kept: Kept, traceparent: str | None) -> None:
        with tracing.span("server", "x", Context(traceparent=traceparent)) as context:
            assert context.traceparent != traceparent
        (span,) = ended(kept)
        assert span.parent is None

    def test_is_not_kept_when_the_caller_was_not_sampled(self, kept: Kept) -> None:
        with tracing.span("server", "x", Context(traceparent=PARENT[:-2] + "00")) as context:
            assert str(context.traceparent).endswith("-00")
        assert ended(kept) == []

    def test_tells_a_fault_from_a_refusal_and_neither_in_words(self, kept: Kept) -> None:
        for error in (NotFound("gone", "김하늘 is gone."), KeyError("김하늘")):
            with pytest.raises(type(error)), tracing.span("server", "x", Context()):
                raise error
        refusal, bug = ended(kept)
        assert (refusal.status.is_ok, bug.status.is_ok) == (True, False)
        assert refusal.attributes["rapport.outcome"] == "notfound"
        assert "김하늘" not in refusal.to_json() + bug.to_json()

    def test_says_which_process_it_was_in(self, kept: Kept) -> None:
        with tracing.span("server", "x", Context()):
            pass
        (span,) = ended(kept)
        assert span.resource.attributes["service.name"] == "test"


def test_a_collector_that_nobody_answers_at_costs_a_few_seconds_at_the_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(tracing, "EXPORT_SECONDS", 0.3)
    tracing.set_up("x", Settings({tracing.ENDPOINT: "http://127.0.0.1:9"}))
    with tracing.span("server", "x", Context()):
        pass
    began = time.monotonic()
    tracing.shut_down()
    assert time.monotonic() - began < 10
    assert not tracing.on()


UNDER_EVENTLET = """
import eventlet
import eventlet.tpool
eventlet.monkey_patch()
from eventlet import patcher
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult
from crmkit import tracing
from crmkit.context import Context

Event = patcher.original("threading").Event
exporting, another_ran, seen, sent = Event(), Event(), [], []

class Blocking(SpanExporter):
    def export(self, spans):
        exporting.set()
        seen.append(another_ran.wait({seconds}))
        sent.extend(spans)
        return SpanExportResult.SUCCESS

tracing.trace_to("x", Blocking(), apart={apart})
for number in range(600):
    with tracing.span("server", "x", Context()):
        pass
while not seen:
    eventlet.sleep(0.01)
    if exporting.is_set():
        another_ran.set()
tracing.shut_down()
assert len(sent) == 600, len(sent)
print(seen[0])
"""


def another_ran_meanwhile(apart: str, seconds: float) -> bool:
    """Whether a green thread ran while spans were sent, which took until one did or so long."""
    code = UNDER_EVENTLET.replace("{apart}", apart).replace("{seconds}", str(seconds))
    command = [sys.executable, "-W", "ignore", "-c", code]
    told = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout
    return {"True\n": True, "False\n": False}[told]


def test_sending_stops_no_green_thread() -> None:
    assert another_ran_meanwhile("eventlet.tpool.execute", seconds=60)
    # And this is what it is there for.
    assert not another_ran_meanwhile("None", seconds=1)
