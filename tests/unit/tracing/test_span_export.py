"""Export of spans: a collector that is away, frozen or slow costs no request anything, and what is lost is counted."""

import http.server
import socket
import threading
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial

import pytest
import structlog
from opentelemetry.sdk.trace import TracerProvider

from shared.runtime.metrics import Metrics
from shared.runtime.service import Service
from shared.runtime.tracing.drop_count import DropCount
from shared.runtime.tracing.export import BoundedProcessor, otlp_exporter
from shared.runtime.tracing.otel_settings import OtelSettings
from tests.support.otlp_receiver import OtlpReceiver, otlp_receiver
from tests.support.waiting import eventually

SOON = 0.05


class Export:
    """A process's export to this URL, with small limits."""

    def __init__(self, url: str, *, timeout_seconds: float = 5.0, max_queue_spans: int = 100) -> None:
        metrics = Metrics(Service.DATA_PLANE)
        self._counter = metrics.counter("tm_spans_dropped_total")
        drops = DropCount()
        settings = OtelSettings(
            endpoint=url,
            timeout_seconds=timeout_seconds,
            schedule_delay_seconds=SOON,
            max_queue_spans=max_queue_spans,
            max_batch_spans=10,
        )
        self.processor = BoundedProcessor(otlp_exporter(f"{url}/v1/traces", timeout_seconds, drops), settings, drops)
        provider = TracerProvider(shutdown_on_exit=False)
        provider.add_span_processor(self.processor)
        self._tracer = provider.get_tracer("test")
        drops.count_in(self._counter.inc)

    def end_spans(self, number: int) -> float:
        """Begin and end so many spans. Returns the seconds that it took."""
        started = time.perf_counter()
        for _ in range(number):
            self._tracer.start_span("work").end()
        return time.perf_counter() - started

    def dropped(self) -> float:
        """The value of `tm_spans_dropped_total`."""
        (sample, *_) = next(iter(self._counter.collect())).samples
        return sample.value


@contextmanager
def frozen_collector() -> Iterator[str]:
    """The URL of a server that accepts connections and never answers."""
    with socket.create_server(("127.0.0.1", 0), backlog=100) as listening:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"


@pytest.fixture(autouse=True)
async def _all_exports_end() -> AsyncIterator[None]:
    """No export of one test writes to the log of the next."""
    yield

    async def none_runs() -> bool:
        return not any(each.name.startswith("OtelBatch") for each in threading.enumerate())

    await eventually(none_runs)


@dataclass
class Collector:
    """A server that answers every request with `status`, and repeats the request's credentials."""

    url: str
    status: int


@contextmanager
def answering(status: int) -> Iterator[Collector]:
    """A collector that answers with this status until it is changed."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(collector.status, self.headers["authorization"])
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Write nothing."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        collector = Collector(f"http://127.0.0.1:{server.server_port}", status)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield collector
        server.shutdown()
        thread.join()


async def test_spans_reach_the_collector_and_none_is_dropped() -> None:
    with otlp_receiver() as receiver:
        export = Export(receiver.url)
        export.end_spans(95)
        await eventually(partial(has_spans, receiver, 95))
        assert export.dropped() == 0
        export.processor.close(1)


async def test_last_spans_are_exported_at_the_end() -> None:
    with otlp_receiver() as receiver:
        export = Export(receiver.url)
        export.end_spans(5)
        export.processor.close(5)
        assert len(receiver.spans) == 5
        assert export.dropped() == 0


async def test_collector_that_is_away_costs_no_span_its_time_and_every_span_is_counted_as_dropped() -> None:
    export = Export("http://127.0.0.1:1", timeout_seconds=0.2)
    assert export.end_spans(1_000) < 1
    await eventually(partial(has_dropped, export, 1_000))
    export.processor.close(1)


async def test_frozen_collector_costs_no_span_its_time_and_the_end_of_the_process_is_not_delayed() -> None:
    with frozen_collector() as url:
        export = Export(url, timeout_seconds=60)
        export.end_spans(10)
        await eventually(partial(is_exporting, export))
        assert export.end_spans(1_000) < 1
        assert export.dropped() == 900
        started = time.perf_counter()
        export.processor.close(0.3)
        assert time.perf_counter() - started < 1
        assert export.dropped() == 1_000


@pytest.mark.parametrize("status", [400, 401, 503])
async def test_failure_is_logged_once_with_its_cause_and_without_credentials(
    status: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", "authorization=Bearer%20hidden,broken hidden")
    with answering(status) as collector, structlog.testing.capture_logs() as logs:
        export = Export(collector.url, timeout_seconds=0.2)
        for failed in (1, 2):
            export.end_spans(1)
            await eventually(partial(has_dropped, export, failed))
        export.processor.close(1)
    (line,) = logs
    assert (line["why"], line["collector"]) == (f"status {status}", "127.0.0.1")
    assert "hidden" not in str(line)


async def test_return_of_the_collector_is_logged_once() -> None:
    with answering(500) as collector, structlog.testing.capture_logs() as logs:
        export = Export(collector.url)
        export.end_spans(1)
        await eventually(partial(has_dropped, export, 1))
        collector.status = 200
        for _ in range(2):
            export.end_spans(1)
            await eventually(partial(is_exporting, export))
        export.processor.close(1)
    assert [each["event"].split(";")[0] for each in logs] == ["spans are not exported", "spans are exported again"]
    assert export.dropped() == 1


async def test_proxy_in_the_environment_is_not_used_for_this_host(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    with otlp_receiver() as receiver:
        export = Export(receiver.url)
        export.end_spans(1)
        await eventually(partial(has_spans, receiver, 1))
        export.processor.close(1)


async def has_spans(receiver: OtlpReceiver, number: int) -> bool:
    return len(receiver.spans) == number


async def has_dropped(export: Export, number: int) -> bool:
    # A span that the exporter takes while another one comes may be counted, too.
    return number <= export.dropped() <= number + 5


async def is_exporting(export: Export) -> bool:
    """Whether all spans so far have left the queue."""
    return len(export.processor._batch_processor._queue) == 0  # noqa: SLF001 - nothing else shows it
