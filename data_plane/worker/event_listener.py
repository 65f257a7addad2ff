"""Applies the events of the stream to the caches."""

import asyncio
from collections.abc import MutableMapping

import structlog

from data_plane.domain.event_batch import EventBatch
from data_plane.errors import StreamInterrupted
from data_plane.ports import EventStream
from data_plane.service.events.applier import EventApplier
from shared.runtime.backoff import Backoff
from shared.runtime.health import DependencyHealth
from shared.runtime.tracing.messaging import batch_span
from shared.schemas.topics import ROUTE_EVENTS

RECONNECT_SECONDS = 5.0
"""Longest pause before the next subscription."""

_log = structlog.get_logger(__name__)
_NOTE = "kafka"


class EventListener:
    """Applies every event. After an interruption, all entries are marked suspect unless the stream resumes without a gap."""

    def __init__(
        self, stream: EventStream, applier: EventApplier, *, health: DependencyHealth, notes: MutableMapping[str, str]
    ) -> None:
        self._stream = stream
        self._applier = applier
        self._health = health
        self._notes = notes
        self._interrupted = False
        self.backoff = Backoff(RECONNECT_SECONDS)
        self.is_subscribed = asyncio.Event()
        """Set by the first subscription: every event from then on is applied, or known to be missed."""

    async def run(self) -> None:
        """Apply events until the stream is interrupted; to be run again, after a pause of `backoff`.

        Raises StreamInterrupted.
        """
        try:
            await self._listen()
        except StreamInterrupted as interrupted:
            self._note_interruption(str(interrupted))
            raise
        except Exception:
            self._note_interruption("applying events failed; the log says why")
            raise

    async def wait_caught_up(self, within_seconds: float) -> bool:
        """Wait until all events are applied that the topic held at the time of subscription. Returns whether they are."""
        try:
            async with asyncio.timeout(within_seconds):
                await self.is_subscribed.wait()
                await self._stream.caught_up()
        except TimeoutError:
            if not self.is_subscribed.is_set():
                self._notes[_NOTE] = "no subscription to route events yet; answers are at most one TTL old"
            _log.warning(
                "events not caught up in time", is_subscribed=self.is_subscribed.is_set(), within_seconds=within_seconds
            )
            return False
        return True

    async def _listen(self) -> None:
        async with self._stream.subscribe() as subscription:
            self._note_subscribed()
            while True:
                batch = await subscription.poll()
                if batch.changes or batch.withheld:
                    await self._apply(batch)
                subscription.mark_applied(batch)

    async def _apply(self, batch: EventBatch) -> None:
        message_count = len(batch.changes) + len(batch.withheld)
        with batch_span("process", ROUTE_EVENTS.name, batch.traced, message_count):
            if batch.changes:
                await self._applier.apply(batch.changes)
            if batch.withheld:
                self._applier.apply_withheld(batch.withheld)

    def _note_subscribed(self) -> None:
        if self._interrupted:
            self._applier.mark_all_suspect()
        self._interrupted = False
        self.backoff.reset()
        self._health.mark_up()
        self._notes.pop(_NOTE, None)
        self.is_subscribed.set()
        _log.info("subscribed to route events")

    def _note_interruption(self, why: str) -> None:
        self._interrupted = True
        self._health.mark_down(why)
        self._notes[_NOTE] = "no subscription to route events; answers are at most one TTL old"
