"""The spans that this test process records, kept in memory instead of exported."""

from collections.abc import Iterator

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from shared.runtime.tracing.otel_settings import OtelSettings
from shared.runtime.tracing.sampling import Sampler

TRACE_ID = "0af7651916cd43dd8448eb211c80319c"
SAMPLED = f"00-{TRACE_ID}-b7ad6b7169203331-01"
NOT_SAMPLED = f"00-{TRACE_ID}-b7ad6b7169203331-00"


class RecordedSpans:
    """Finished spans. A trace that begins in this process is not sampled, unless the code chooses it."""

    def __init__(self) -> None:
        self._exporter = InMemorySpanExporter()
        provider = TracerProvider(sampler=Sampler(OtelSettings(endpoint="http://memory", ratio=0)))
        provider.add_span_processor(SimpleSpanProcessor(self._exporter))
        trace.set_tracer_provider(provider)

    def all(self) -> tuple[ReadableSpan, ...]:
        """In the order in which they ended."""
        return self._exporter.get_finished_spans()

    def one(self, name: str) -> ReadableSpan:
        """The only span of this name."""
        (found,) = [each for each in self.all() if each.name == name]
        return found

    def clear(self) -> None:
        """Forget all of them."""
        self._exporter.clear()


_installed: list[RecordedSpans] = []


@pytest.fixture
def spans() -> Iterator[RecordedSpans]:
    """No spans yet. A process can install one provider, so all tests share it."""
    if not _installed:
        _installed.append(RecordedSpans())
    _installed[0].clear()
    yield _installed[0]
    _installed[0].clear()


def trace_id_of(span: ReadableSpan) -> str:
    """As the `traceparent` writes it."""
    assert span.context is not None
    return f"{span.context.trace_id:032x}"
