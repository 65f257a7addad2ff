"""Measures the outbox's backlog, and thereby the database's availability."""

from control_plane.ports.publishing import Outbox
from shared.runtime.health import Health
from shared.runtime.metrics import Metrics
from shared.runtime.resilience import DependencyUnavailable

SAMPLE_SECONDS = 5.0
"""Pause between two samples."""


class OutboxMonitor:
    """Samples the backlog: its metrics, its note in the readiness response, and whether PostgreSQL answers.

    A process that is not ready gets no requests, so that no other call would find out that PostgreSQL is back.
    """

    def __init__(self, outbox: Outbox, *, health: Health, metrics: Metrics) -> None:
        self._outbox = outbox
        self._notes = health.notes
        self._unsent = metrics.gauge("tm_outbox_unsent")
        self._quarantined = metrics.gauge("tm_outbox_quarantined_records")
        self._oldest = metrics.gauge("tm_outbox_oldest_unsent_seconds")

    async def sample(self) -> None:
        """Measure the backlog. Raises DependencyUnavailable."""
        try:
            backlog = await self._outbox.backlog()
        except DependencyUnavailable as error:
            self._notes["outbox"] = f"unknown: {error.dependency} is not answering"
            raise
        self._unsent.set(backlog.unsent)
        self._oldest.set(backlog.oldest_seconds)
        self._quarantined.set(backlog.quarantined)
        self._notes["outbox"] = (
            f"{backlog.unsent} events not in Kafka yet, the oldest for {backlog.oldest_seconds:.1f} s; "
            f"{backlog.quarantined} in quarantine"
        )
