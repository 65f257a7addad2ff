"""Keeps an eye on the outbox, and by that on the database behind it."""

import asyncio

import structlog

from control_plane.ports import Outbox
from shared.runtime.health import Health
from shared.runtime.metrics import Metrics
from shared.runtime.resilience import DependencyUnavailable

_log = structlog.get_logger(__name__)


class OutboxMonitor:
    """Samples the backlog: its metrics, its line in the readiness answer, and whether PostgreSQL answers at all.

    A process that is not ready gets no requests, so that nothing else would notice that PostgreSQL is back.
    """

    def __init__(
        self, outbox: Outbox, *, health: Health, metrics: Metrics, every: float = 5.0, while_down: float = 1.0
    ) -> None:
        """`every`, `while_down`: seconds between samples, when the last one succeeded and when it did not."""
        self._outbox = outbox
        self._notes = health.notes
        self._unsent = metrics.gauge("tm_outbox_unsent")
        self._oldest = metrics.gauge("tm_outbox_oldest_unsent_seconds")
        self._every = every
        self._while_down = while_down

    async def run(self) -> None:
        """Sample until cancelled."""
        while True:
            pause = self._every if await self._sample() else self._while_down
            await asyncio.sleep(pause)

    async def _sample(self) -> bool:
        try:
            backlog = await self._outbox.backlog()
        except DependencyUnavailable as error:
            self._notes["outbox"] = f"unknown: {error}"
            return False
        except Exception:  # noqa: BLE001 - logged whole
            _log.exception("unexpected error while sampling the outbox")
            return False
        self._unsent.set(backlog.unsent)
        self._oldest.set(backlog.oldest_seconds)
        self._notes["outbox"] = (
            f"{backlog.unsent} events not in Kafka yet, the oldest for {backlog.oldest_seconds:.1f} s"
        )
        return True
