"""Sends spans to a collector by OTLP over HTTP, in a thread of its own. A request never waits for it."""

import ipaddress
from collections.abc import Callable, Sequence
from typing import Any
from urllib.parse import urlsplit

import requests
import structlog
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult

from shared.runtime.tracing.drop_count import DropCount
from shared.runtime.tracing.otel_settings import OtelSettings

_log = structlog.get_logger(__name__)


class BoundedProcessor(BatchSpanProcessor):
    """The SDK's batches, which drops the oldest span when its queue is full, with the drops counted."""

    def __init__(self, exporter: SpanExporter, settings: OtelSettings, drops: DropCount) -> None:
        super().__init__(
            exporter,
            max_queue_size=settings.max_queue_spans,
            schedule_delay_millis=1000 * settings.schedule_delay_seconds,
            max_export_batch_size=settings.max_batch_spans,
        )
        self._max_queue_spans = settings.max_queue_spans
        self._drops = drops

    def on_end(self, span: ReadableSpan) -> None:
        """Queue the span, if it is sampled."""
        # The SDK counts drops in metrics of its own only, which it exports by OTLP.
        if len(self._batch_processor._queue) >= self._max_queue_spans:  # noqa: SLF001
            self._drops.add(1)
        super().on_end(span)

    def close(self, within_seconds: float) -> None:
        """Export what is queued, for at most this long; blocks. What is left then counts as dropped."""
        self._batch_processor.shutdown(timeout_millis=round(1000 * within_seconds))
        self._drops.add(len(self._batch_processor._queue))  # noqa: SLF001


class ReportingExporter(SpanExporter):
    """Exports through another exporter, counts the spans that it loses, and logs when that begins and ends."""

    def __init__(self, exporter: SpanExporter, outcome: Callable[[], str], collector: str, drops: DropCount) -> None:
        """`outcome`: of the last attempt, in words. `collector`: its address for the log, without credentials."""
        self._exporter = exporter
        self._outcome = outcome
        self._collector = collector
        self._drops = drops
        self._failing = False

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Export one batch; never raises."""
        try:
            result = self._exporter.export(spans)
        except Exception as error:  # noqa: BLE001 - an exporter's mistake must not end the thread
            self._note_failure(len(spans), type(error).__name__)
            return SpanExportResult.FAILURE
        if result is SpanExportResult.SUCCESS:
            self._note_success()
        else:
            self._note_failure(len(spans), self._outcome())
        return result

    def shutdown(self) -> None:
        """Give up the attempt in progress."""
        self._exporter.shutdown()

    def _note_failure(self, spans: int, why: str) -> None:
        self._drops.add(spans)
        if not self._failing:
            _log.warning("spans are not exported; requests are served as usual", collector=self._collector, why=why)
        self._failing = True

    def _note_success(self) -> None:
        if self._failing:
            _log.info("spans are exported again", collector=self._collector)
        self._failing = False


class _Session(requests.Session):
    """Remembers how the last request ended, without its headers: the exporter only says whether it succeeded."""

    outcome = "not tried yet"

    def request(self, *args: Any, **kwargs: Any) -> requests.Response:
        """As `requests.Session.request`."""
        try:
            response = super().request(*args, **kwargs)
        except Exception as error:
            self.outcome = type(error).__name__
            raise
        self.outcome = f"status {response.status_code}"
        return response


def otlp_exporter(endpoint: str, timeout_seconds: float, drops: DropCount) -> ReportingExporter:
    """The exporter to this URL. It uses a proxy from the environment, except to reach this host."""
    session = _Session()
    host = urlsplit(endpoint).hostname or ""
    session.trust_env = not _is_loopback(host)
    exporter = OTLPSpanExporter(endpoint, timeout=timeout_seconds, session=session)
    return ReportingExporter(exporter, lambda: session.outcome, host, drops)


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")
