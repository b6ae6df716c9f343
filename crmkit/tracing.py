"""Traces for OpenTelemetry: where the time of a request went, and of all that it caused.

Off unless OTEL_EXPORTER_OTLP_ENDPOINT is set; nothing of OpenTelemetry is even imported then. A
span's parent comes from the ``traceparent`` of the context that travels beside every message, and
the work inside the span gets a context that names the span. Spans hold names, ids and outcomes,
never what was said or to whom.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from crmkit import metrics
from crmkit.context import Context
from crmkit.settings import Settings

if TYPE_CHECKING:
    from opentelemetry import trace
    from opentelemetry.sdk.trace import ReadableSpan, TracerProvider

ENDPOINT = "OTEL_EXPORTER_OTLP_ENDPOINT"
EXPORT_SECONDS = 3.0
_TRACEPARENT = re.compile(r"00-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})")
_NOT_CHOSEN = "-00"
_FAULTS = frozenset(("bug", "unavailable"))

Apart = Callable[..., Any]
_provider: "TracerProvider | None" = None
_tracer: "trace.Tracer | None" = None


def set_up(process: str, settings: Settings, *, apart: Apart | None = None) -> None:
    """Have this process trace if its settings name a collector; other OTEL_* variables apply, too.

    ``apart(function, …)`` calls a function where it stops nobody. Under eventlet it must be given:
    to write and send a batch takes tens of milliseconds, in which nothing else would run.
    """
    if not settings.text(ENDPOINT):
        return
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

    trace_to(process, OTLPSpanExporter(timeout=EXPORT_SECONDS), apart=apart)


def trace_to(process: str, exporter: Any, *, apart: Apart | None = None) -> None:
    """Have spans brought to an exporter, in batches and from a thread of their own."""
    global _provider, _tracer
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    names = {"service.namespace": "rapport", "service.name": process}
    _provider = TracerProvider(resource=Resource.create(names))
    if apart is not None:
        exporter = _Apart(exporter, apart)
    _provider.add_span_processor(BatchSpanProcessor(exporter))
    _tracer = _provider.get_tracer("rapport")


def shut_down() -> None:
    """Bring away what has not been sent yet and trace no more."""
    global _provider, _tracer
    if _provider is not None:
        _provider.shutdown()
    _provider = _tracer = None


class _Apart:
    """An exporter whose work is done elsewhere."""

    def __init__(self, exporter: Any, apart: Apart) -> None:
        self._exporter, self._apart = exporter, apart

    def export(self, spans: "Sequence[ReadableSpan]") -> Any:
        return self._apart(self._exporter.export, spans)

    def shutdown(self) -> None:
        self._exporter.shutdown()

    def force_flush(self, timeout_millis: int = 30000) -> bool:
        return bool(self._exporter.force_flush(timeout_millis))


class Span:
    """Some work while it is done."""

    __slots__ = ("_span",)

    def __init__(self, span: "trace.Span | None") -> None:
        self._span = span

    @property
    def traceparent(self) -> str | None:
        """How the work that this span causes names it (W3C Trace Context)."""
        if self._span is None:
            return None
        own = self._span.get_span_context()
        return f"00-{own.trace_id:032x}-{own.span_id:016x}-{own.trace_flags:02x}"

    def end(self, outcome: str = "ok", *, name: str | None = None, **attributes: Any) -> None:
        """The work is done. ``outcome`` is as ``metrics.outcome`` has it."""
        if self._span is None:
            return
        if name is not None:
            self._span.update_name(name)
        if outcome in _FAULTS:
            from opentelemetry.trace import StatusCode

            self._span.set_status(StatusCode.ERROR)
        for key, value in attributes.items():
            self._span.set_attribute(f"rapport.{key}", value)
        self._span.set_attribute("rapport.outcome", outcome)
        self._span.end()


_NOTHING = Span(None)


def on() -> bool:
    """Whether this process traces."""
    return _tracer is not None


def begin(kind: str, name: str, traceparent: str | None, **attributes: Any) -> Span:
    """A span that begins now, or one that does nothing when nothing is traced.

    ``kind`` is server, client, producer or consumer. Without a parent that can be read it begins a
    trace. One that was not chosen by a sampler holds for all that follows: asking the sampler again
    costs half as much as a span.
    """
    if _tracer is None or (traceparent or "").endswith(_NOT_CHOSEN):
        return _NOTHING
    from opentelemetry.trace import SpanKind

    shown = {f"rapport.{key}": value for key, value in attributes.items()}
    return Span(
        _tracer.start_span(name, _parent(traceparent), SpanKind[kind.upper()], attributes=shown)
    )


def _parent(traceparent: str | None) -> Any:
    from opentelemetry import context, trace

    found = _TRACEPARENT.fullmatch(traceparent or "")
    # Never what happens to be current: one green thread may serve many.
    nothing = context.Context()
    if found is None:
        return nothing
    trace_id, span_id, flags = (int(part, 16) for part in found.groups())
    parent = trace.SpanContext(trace_id, span_id, True, trace.TraceFlags(flags))
    return trace.set_span_in_context(trace.NonRecordingSpan(parent), nothing)


def under(span: Span, context: Context) -> Context:
    """The context in which a span's work is done."""
    return context if span is _NOTHING else replace(context, traceparent=span.traceparent)


def span(
    kind: str, name: str, context: Context, **attributes: Any
) -> AbstractContextManager[Context]:
    """A span around a block, which gets the context to work in."""
    if _tracer is None or (context.traceparent or "").endswith(_NOT_CHOSEN):
        return nullcontext(context)
    return _around(kind, name, context, attributes)


@contextmanager
def _around(
    kind: str, name: str, context: Context, attributes: dict[str, Any]
) -> Iterator[Context]:
    one = begin(kind, name, context.traceparent, **attributes)
    try:
        yield under(one, context)
    except BaseException as error:
        one.end(metrics.outcome(error))
        raise
    one.end()
