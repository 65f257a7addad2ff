"""Turns tracing on for this process, and flushes it at the end."""

import asyncio
import os
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Protocol

import structlog
from opentelemetry import trace
from opentelemetry.sdk.resources import (
    PROCESS_PID,
    SERVICE_INSTANCE_ID,
    SERVICE_NAME,
    SERVICE_VERSION,
    OTELResourceDetector,
    Resource,
)
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.util.types import AttributeValue

from shared.runtime.metrics import Metrics
from shared.runtime.tracing.drop_count import DropCount
from shared.runtime.tracing.otel_settings import OtelSettings, read_otel_settings
from shared.runtime.tracing.sampling import Sampler
from shared.runtime.version import VERSION

CLOSE_SECONDS = 2.0
"""Longest time for the last spans at the end of the process; a collector that does not answer delays the end no longer."""

_log = structlog.get_logger(__name__)


class _Processor(Protocol):
    def close(self, within_seconds: float) -> None: ...


class _Installed:
    """What `configure` installed in this process; nothing until then, and when spans are not exported."""

    processor: _Processor | None = None
    drops = DropCount()


def configure(*, service: str, instance: str, settings: OtelSettings | None = None) -> OtelSettings:
    """Record spans and export them as the settings say (None: the environment); call it once in a process.

    Without an endpoint, nothing is recorded. The trace of a caller still continues in events and log lines.
    """
    settings = settings or read_otel_settings()
    for mistake in settings.mistakes:
        _log.warning("a variable of OpenTelemetry is wrong", mistake=mistake)
    if settings.endpoint is None or not settings.exports:
        return settings
    # Imported only where spans are exported: the exporter and its libraries take 9 MB and a tenth of a second.
    from shared.runtime.tracing.export import BoundedProcessor, otlp_exporter

    drops = _Installed.drops
    exporter = otlp_exporter(settings.endpoint, settings.timeout_seconds, drops)
    processor = BoundedProcessor(exporter, settings, drops)
    _Installed.processor = processor
    # `exporting` closes it: at the exit of the interpreter, the SDK would wait up to 30 s.
    provider = TracerProvider(sampler=Sampler(settings), resource=_resource(service, instance), shutdown_on_exit=False)
    provider.add_span_processor(processor)
    trace.set_tracer_provider(provider)
    _log.info("export of spans is on", sampler=provider.sampler.get_description())
    return settings


@asynccontextmanager
async def exporting(metrics: Metrics) -> AsyncIterator[None]:
    """Count dropped spans in these metrics; at the end, export the last spans within CLOSE_SECONDS."""
    _Installed.drops.count_in(metrics.counter("tm_spans_dropped_total").inc)
    try:
        yield
    finally:
        processor, _Installed.processor = _Installed.processor, None
        if processor is not None:
            await _in_thread(processor)


async def _in_thread(processor: _Processor) -> None:
    """Close the processor. Not in asyncio's own threads, for which the end of the event loop would wait."""
    loop, closed = asyncio.get_running_loop(), asyncio.Event()

    def close() -> None:
        processor.close(CLOSE_SECONDS)
        with suppress(RuntimeError):  # the event loop has given up and is closed
            loop.call_soon_threadsafe(closed.set)

    threading.Thread(target=close, name="last spans", daemon=True).start()
    try:
        async with asyncio.timeout(CLOSE_SECONDS + 0.5):
            await closed.wait()
    except TimeoutError:
        _log.warning("the last spans were not exported in time")


def _resource(service: str, instance: str) -> Resource:
    """Ours, unless OTEL_SERVICE_NAME or OTEL_RESOURCE_ATTRIBUTES say otherwise."""
    ours: dict[str, AttributeValue] = {
        SERVICE_NAME: service,
        SERVICE_VERSION: VERSION,
        SERVICE_INSTANCE_ID: instance,
        PROCESS_PID: os.getpid(),  # the worker processes of an instance share its name
    }
    return Resource.create({**ours, **OTELResourceDetector().detect().attributes})
