"""The outbox relay: committed events into Kafka, each tenant's in revision order, by one process at a time."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta

import structlog

from control_plane.domain.outbox import Acknowledged, OutboxRecord
from control_plane.domain.requests import RESPONSE_RETENTION
from control_plane.errors import LeadershipLost, NotPublished
from control_plane.ports.publishing import EventLog, Outbox, OutboxSession
from control_plane.service.publish_counts import PublishCounts
from shared.runtime.backoff import Backoff
from shared.runtime.metrics import Metrics
from shared.runtime.resilience import DependencyUnavailable
from shared.schemas.events import Heartbeat

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class RelayTiming:
    """In seconds, apart from what is kept. A frozen leader is replaced after its session's 10 s and one `follow`."""

    poll: float = 0.5
    heartbeat: float = 2.0
    follow: float = 1.0
    shortest_pause: float = 0.1
    longest_pause: float = 2.0
    purge: float = 60.0
    retention: timedelta = timedelta(hours=24)
    history: timedelta = timedelta(days=90)


class Relay:
    """Follows until it leads; leads until it is stopped or its session is lost."""

    def __init__(self, outbox: Outbox, events: EventLog, *, timing: RelayTiming, metrics: Metrics) -> None:
        self._outbox = outbox
        self._events = events
        self._timing = timing
        self._leader = metrics.gauge("tm_outbox_relay_leader")
        self._counts = PublishCounts(metrics)
        self._wake = asyncio.Event()
        self._stopping = False
        self._due: Heartbeat | None = None
        self.backoff = self._new_backoff()
        """The pauses between two sessions."""

    def wake(self) -> None:
        """Publish now: this process committed an event."""
        self._wake.set()

    def stop(self) -> None:
        """Let `run` return after one more read of the outbox."""
        self._stopping = True
        self._wake.set()

    async def run(self) -> None:
        """Relay in one outbox session, until stopped. To be run again when the session is lost, after a pause of `backoff`.

        Raises LeadershipLost.
        """
        try:
            await self._relay()
        except BaseExceptionGroup as errors:
            lost, others = errors.split(LeadershipLost)
            if lost is None or others is not None:
                raise
            raise LeadershipLost(str(lost.exceptions[0])) from errors

    async def _relay(self) -> None:
        async with self._outbox.session(self._wake.set) as session:
            self.backoff.reset()
            if await self._follow(session):
                await self._lead(session)

    async def _follow(self, session: OutboxSession) -> bool:
        """Wait to lead, and pass on to the leader what is committed here. False when stopped before."""
        while not self._stopping:
            if await session.try_lead():
                return True
            if await self._is_woken_within(self._timing.follow):
                with suppress(DependencyUnavailable):  # the leader polls, too
                    await self._outbox.signal()
        return False

    async def _lead(self, session: OutboxSession) -> None:
        _log.info("outbox relay leads")
        self._leader.set(1)
        try:
            async with asyncio.TaskGroup() as tasks:
                beside = [tasks.create_task(self._beat(session)), tasks.create_task(self._purge(session))]
                await self._drain(session)
                for each in beside:
                    each.cancel()
        finally:
            self._leader.set(0)

    async def _beat(self, session: OutboxSession) -> None:
        """Keep the session alive while Kafka does not answer, and have a heartbeat written when it does."""
        while True:
            self._due = Heartbeat(as_of=await session.beat())
            self._wake.set()
            await asyncio.sleep(self._timing.heartbeat)

    async def _purge(self, session: OutboxSession) -> None:
        while True:
            await asyncio.sleep(self._timing.purge)
            while await self._purge_some(session):
                pass  # a bounded number at a time, with turns for the others in between

    async def _purge_some(self, session: OutboxSession) -> bool:
        purged = [
            await session.purge(self._timing.retention),
            await session.purge_history(self._timing.history),
            await session.purge_recorded_responses(RESPONSE_RETENTION),
        ]
        return any(purged)

    async def _drain(self, session: OutboxSession) -> None:
        backoff = self._new_backoff()
        while True:
            is_last = self._stopping
            try:
                await self._publish_unsent(session)
                backoff.reset()
            except NotPublished as error:
                pause = backoff.pause()
                self._note(error, backoff.failures)
            if is_last:
                return
            if backoff.failures:
                await asyncio.sleep(pause)
            else:
                await self._is_woken_within(self._timing.poll)

    def _note(self, failure: NotPublished, attempt: int) -> None:
        self._counts.count_failure(failure)
        # What Kafka will never take waits for somebody to act: its limits must admit every legal change set.
        log = _log.error if failure.reason == "rejected" else _log.warning
        log("events wait in the outbox", reason=failure.reason, why=str(failure), attempt=attempt)

    async def _publish_unsent(self, session: OutboxSession) -> None:
        """Publish all there is, then the heartbeat that was due before: it promises that they stand before it."""
        heartbeat, self._due = self._due, None
        complete = False
        while not complete:
            unsent = await session.unsent()
            if unsent.records:
                await self._publish(session, unsent.records)
            complete = unsent.complete
        if heartbeat is not None:
            await self._events.heartbeat(heartbeat)

    async def _publish(self, session: OutboxSession, records: Sequence[OutboxRecord]) -> None:
        acknowledged: list[Acknowledged] = []
        failure: NotPublished | None = None
        try:
            await self._events.publish(records, acknowledged.append)
        except NotPublished as error:
            failure = error
        if acknowledged:
            delays = await session.mark_sent(acknowledged)
            self._counts.count_published(acknowledged, delays)
        if failure is not None:
            raise failure

    async def _is_woken_within(self, seconds: float) -> bool:
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._wake.wait()
        is_woken = self._wake.is_set()
        self._wake.clear()
        return is_woken

    def _new_backoff(self) -> Backoff:
        shortest, longest = self._timing.shortest_pause, self._timing.longest_pause
        return Backoff(longest, first_seconds=2 * shortest, shortest_seconds=shortest)
