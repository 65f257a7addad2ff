"""A resolver whose collector accepts connections and never answers."""

import signal
import socket
import time
from pathlib import Path

from shared.runtime.tracing.setup import CLOSE_SECONDS
from tests.support.service_process import ServiceProcess, resolver_process
from tests.support.waiting import eventually

PATH = "/api/v1/resolve/team-a/payments/prod/v1"


async def test_lost_spans_are_counted_and_the_end_of_the_process_is_delayed_by_two_seconds_at_most(
    tmp_path: Path,
) -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=100) as frozen:
        tracing = {
            "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{frozen.getsockname()[1]}",
            "OTEL_EXPORTER_OTLP_TIMEOUT": "60000",
            "OTEL_TRACES_SAMPLER": "always_on",
            "OTEL_BSP_MAX_QUEUE_SIZE": "20",
            "OTEL_BSP_SCHEDULE_DELAY": "50",
        }
        async with resolver_process(tmp_path, **tracing) as resolver:
            for _ in range(50):
                assert await resolver.status(PATH) == 503  # it has no source
            await eventually(lambda: has_dropped(resolver))
            assert await resolver.status("/health/ready") == 200
            resolver.signal_group(signal.SIGTERM)
            started = time.monotonic()
            assert await resolver.exit_code() == 0
            assert time.monotonic() - started < CLOSE_SECONDS + 3
        log = resolver.log.read_text()
        assert "export of spans is on" in log
        assert "opentelemetry" not in log  # its own lines would repeat with every batch


async def has_dropped(resolver: ServiceProcess) -> bool:
    return await resolver.metric("tm_spans_dropped_total") >= 5
