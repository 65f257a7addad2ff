"""A running relay over fakes."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from control_plane.service.relay import Relay, RelayTiming
from shared.runtime.background import supervise
from shared.runtime.metrics import Metrics
from shared.runtime.service import Service
from tests.fakes.control_plane_event_log import FakeEventLog
from tests.fakes.control_plane_outbox import FakeOutbox

QUICK = RelayTiming(
    poll_seconds=0.01,
    heartbeat_seconds=0.02,
    follow_seconds=0.01,
    shortest_pause_seconds=0.001,
    longest_pause_seconds=0.01,
)
"""Intervals and pauses of a few milliseconds."""


@asynccontextmanager
async def running_relay(
    outbox: FakeOutbox, events: FakeEventLog, timing: RelayTiming = QUICK, metrics: Metrics | None = None
) -> AsyncIterator[Relay]:
    """Runs a relay while the block runs."""
    relay = Relay(outbox, events, timing=timing, metrics=metrics or Metrics(Service.CONTROL_PLANE))
    stopping = asyncio.Event()
    running = asyncio.create_task(supervise(relay.run, "relay", backoff=relay.backoff, stopping=stopping))
    try:
        yield relay
    finally:
        stopping.set()
        relay.stop()
        async with asyncio.timeout(5):
            await running
