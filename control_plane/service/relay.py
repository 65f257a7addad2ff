"""The outbox relay: publishes committed events to Kafka, each tenant's in revision order, from one process at a time."""

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta

import structlog

from control_plane.domain.requests import RESPONSE_RETENTION
from control_plane.errors import LeadershipLost, NotPublished
from control_plane.ports.publishing import EventLog, Outbox, OutboxSession
from control_plane.service.publishing import Publisher
from shared.runtime.background import Work, supervise
from shared.runtime.backoff import Backoff
from shared.runtime.metrics import Metrics
from shared.runtime.resilience import DependencyUnavailable
from shared.schemas.events import Heartbeat

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class RelayTiming:
    """Intervals of the relay, and how long rows are kept.

    A frozen leader is replaced after its session expires (10 s) and one `follow_seconds`.
    """

    poll_seconds: float = 0.5
    heartbeat_seconds: float = 2.0
    follow_seconds: float = 1.0
    shortest_pause_seconds: float = 0.1
    longest_pause_seconds: float = 2.0
    purge_seconds: float = 60.0
    outbox_retention: timedelta = timedelta(hours=24)
    history_retention: timedelta = timedelta(days=90)


class Relay:
    """Follows until it leads; leads until it is stopped or its session is lost."""

    def __init__(
        self,
        outbox: Outbox,
        events: EventLog,
        *,
        timing: RelayTiming,
        metrics: Metrics,
        while_leading: Mapping[str, Work] | None = None,
    ) -> None:
        """`while_leading`: background work, by name, that one process does: the one whose relay leads."""
        self._outbox = outbox
        self._publisher = Publisher(events, metrics)
        self._timing = timing
        self._while_leading = while_leading or {}
        self._leader = metrics.gauge("tm_outbox_relay_leader")
        self._wake = asyncio.Event()
        self._stopping = False
        self.is_leading = False
        """Whether this process publishes."""
        self._due_heartbeat: Heartbeat | None = None
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
        """Wait for leadership, and signal the leader about this process's commits. False when stopped before leading."""
        while not self._stopping:
            if await session.try_lead():
                return True
            if await self._is_woken_within(self._timing.follow_seconds):
                with suppress(DependencyUnavailable):  # the leader polls, too
                    await self._outbox.signal()
        return False

    async def _lead(self, session: OutboxSession) -> None:
        _log.info("outbox relay leads")
        self._leader.set(1)
        self.is_leading = True
        try:
            async with asyncio.TaskGroup() as tasks:
                background = [tasks.create_task(self._beat(session)), tasks.create_task(self._purge(session))]
                background += [tasks.create_task(supervise(work, name)) for name, work in self._while_leading.items()]
                await self._drain(session)
                for each in background:
                    each.cancel()
        finally:
            self.is_leading = False
            self._leader.set(0)

    async def _beat(self, session: OutboxSession) -> None:
        """Keep the session alive, also while Kafka does not answer, and make a heartbeat due."""
        while True:
            self._due_heartbeat = Heartbeat(as_of=await session.beat())
            self._wake.set()
            await asyncio.sleep(self._timing.heartbeat_seconds)

    async def _purge(self, session: OutboxSession) -> None:
        while True:
            await asyncio.sleep(self._timing.purge_seconds)
            while await self._purge_some(session):
                pass  # each call deletes a bounded number of rows; other tasks use the session in between

    async def _purge_some(self, session: OutboxSession) -> bool:
        purged = [
            await session.purge(self._timing.outbox_retention),
            await session.purge_history(self._timing.history_retention),
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
                self._report_failure(error, backoff.failures)
            if is_last:
                return
            if backoff.failures:
                await asyncio.sleep(pause)
            else:
                await self._is_woken_within(self._timing.poll_seconds)

    def _report_failure(self, failure: NotPublished, attempt: int) -> None:
        self._publisher.count_failure(failure)
        _log.warning(
            "publishing failed; events stay in the outbox", reason=failure.reason, error=str(failure), attempt=attempt
        )

    async def _publish_unsent(self, session: OutboxSession) -> None:
        heartbeat, self._due_heartbeat = self._due_heartbeat, None
        await self._publisher.publish_unsent(session, heartbeat)

    async def _is_woken_within(self, seconds: float) -> bool:
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._wake.wait()
        is_woken = self._wake.is_set()
        self._wake.clear()
        return is_woken

    def _new_backoff(self) -> Backoff:
        shortest, longest = self._timing.shortest_pause_seconds, self._timing.longest_pause_seconds
        return Backoff(longest, first_seconds=2 * shortest, shortest_seconds=shortest)
