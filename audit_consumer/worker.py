"""The background half: keeps the trail's indexes, takes records into it, and watches how far behind it is."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import structlog

from audit_consumer.errors import AssignmentLost
from audit_consumer.ports import AuditStore, RecordSource
from audit_consumer.service.ingestion import Ingestion
from shared.runtime.backoff import Backoff
from shared.runtime.health import Health
from shared.runtime.kafka.clients import STALLED_AFTER_SECONDS
from shared.runtime.resilience import DependencyUnavailable

STORE_SECONDS = 1.0
OBSERVE_SECONDS = 2.0
INDEXES = "indexes"
"""The name under which readiness tells whether the trail's indexes are there."""

_log = structlog.get_logger(__name__)
Step = Callable[[], Awaitable[None]]


class AuditWorker:
    """Runs three steps over and over. A step that fails is tried again after a pause; none ever gives up."""

    def __init__(
        self, *, source: RecordSource, ingestion: Ingestion, store: AuditStore, health: Health, longest_pause: float
    ) -> None:
        """`health` has a dependency "indexes"; `longest_pause` in seconds between two tries of a batch."""
        self._source = source
        self._ingestion = ingestion
        self._store = store
        self._health = health
        self._longest_pause = longest_pause
        self._stopping = asyncio.Event()

    @asynccontextmanager
    async def running(self, grace: float) -> AsyncIterator[None]:
        """Work during the body. Then the batch at hand has `grace` seconds to be stored and committed."""
        task = asyncio.create_task(self._run())
        try:
            yield
        finally:
            self._stopping.set()
            _, late = await asyncio.wait({task}, timeout=grace)
            if late:
                _log.warning("left a batch unfinished; its offsets did not move, so it comes again", grace=grace)
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task

    async def _run(self) -> None:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._repeat(self._keep_store, "audit trail", STORE_SECONDS))
            tasks.create_task(self._repeat(self._observe, "consumer lag", OBSERVE_SECONDS))
            tasks.create_task(self._repeat(self._ingest, "ingestion", 0.0))

    async def _repeat(self, step: Step, part: str, every: float) -> None:
        backoff = Backoff(self._longest_pause)
        failing = False
        while not self._stopping.is_set():
            succeeded = await _attempt(step, part, is_news=not failing)
            if succeeded:
                backoff.reset()
                if failing:
                    _log.info("works again", part=part)
            failing = not succeeded
            await self._rest(max(every, backoff.pause()) if failing else every)

    async def _rest(self, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._stopping.wait()

    async def _ingest(self) -> None:
        batch = await self._source.take()
        if not batch.records:
            return
        try:
            await self._ingestion.ingest(batch.records)
            await self._source.commit(batch)
        except AssignmentLost as lost:
            _log.info("dropped a batch that went to another member of the group", why=str(lost))
        except BaseException:
            # Nothing is kept in hand: the same records come again, and between two tries the consumer is polled, so
            # that it stays a member of its group however long the outage lasts.
            self._source.rewind(batch)
            raise

    async def _observe(self) -> None:
        stalled = await self._source.observe()
        if stalled > STALLED_AFTER_SECONDS:
            self._health.notes["ingestion"] = f"no progress for {stalled:.0f} s although records are waiting"
        else:
            self._health.notes.pop("ingestion", None)

    async def _keep_store(self) -> None:
        indexes = self._health.dependencies[INDEXES]
        if indexes.up:
            await self._store.ping()
            return
        await self._store.prepare()
        indexes.mark_up()
        _log.info("the audit trail and its indexes are there")


async def _attempt(step: Step, part: str, *, is_news: bool) -> bool:
    try:
        await step()
    except DependencyUnavailable as error:
        # Once per outage: the metrics and /health/ready tell how it goes on.
        if is_news:
            _log.warning("waits for a dependency", part=part, dependency=error.dependency, why=error.why)
        return False
    except Exception:  # noqa: BLE001 - a fault in one batch must not end the ingestion of all that follow
        _log.exception("failed unexpectedly and will be tried again", part=part)
        return False
    return True
