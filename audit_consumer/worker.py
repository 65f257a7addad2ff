"""Background work of the audit consumer: ingest records, prepare the trail's indexes, and measure consumer lag."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import structlog

from audit_consumer.domain.records import Batch
from audit_consumer.errors import AssignmentLost
from audit_consumer.ports import AuditStore, RecordSource
from audit_consumer.service.ingestion import Ingestion
from shared.runtime.background import in_background
from shared.runtime.backoff import Backoff
from shared.runtime.health import Health
from shared.runtime.kafka.lag_watchdog import STALLED_AFTER_SECONDS
from shared.runtime.tracing.messaging import batch_span
from shared.schemas.topics import ROUTE_EVENTS

STORE_CHECK_SECONDS = 1.0
LAG_CHECK_SECONDS = 2.0
INDEXES = "indexes"
"""Name of the readiness check for the trail's indexes."""

_log = structlog.get_logger(__name__)


class AuditWorker:
    """Runs three steps repeatedly. A step that fails is tried again after a pause, without limit."""

    def __init__(
        self,
        *,
        source: RecordSource,
        ingestion: Ingestion,
        store: AuditStore,
        health: Health,
        longest_pause_seconds: float,
    ) -> None:
        """`health` has a dependency "indexes"; `longest_pause_seconds` between two attempts of a step."""
        self._source = source
        self._ingestion = ingestion
        self._store = store
        self._health = health
        self._longest_pause = longest_pause_seconds

    @asynccontextmanager
    async def running(self, grace_seconds: float) -> AsyncIterator[None]:
        """Work for as long as the block runs. Then the current batch has `grace_seconds` to be stored and committed.

        The offsets of a batch that is not stored in time do not move, so it is delivered again.
        """
        async with AsyncExitStack() as started:
            keeping_store = in_background(
                self._keep_store, "audit trail", every_seconds=STORE_CHECK_SECONDS, backoff=Backoff(self._longest_pause)
            )
            measuring_lag = in_background(
                self._measure_lag, "consumer lag", every_seconds=LAG_CHECK_SECONDS, backoff=Backoff(self._longest_pause)
            )
            ingesting = in_background(
                self._ingest, "ingestion", backoff=Backoff(self._longest_pause), grace_seconds=grace_seconds
            )
            for each in (keeping_store, measuring_lag, ingesting):
                await started.enter_async_context(each)
            yield

    async def _ingest(self) -> None:
        batch = await self._source.poll()
        if not batch.records:
            return
        try:
            await self._store_and_commit(batch)
        except AssignmentLost as lost:
            _log.info("batch dropped: its partitions were assigned to another member of the group", why=str(lost))
        except BaseException:
            # The batch is not kept in memory: the next poll returns it again. The consumer is thereby polled between two
            # attempts, so that it stays a member of its group however long the outage lasts.
            self._source.rewind(batch)
            raise

    async def _store_and_commit(self, batch: Batch) -> None:
        with batch_span("process", ROUTE_EVENTS.name, batch.traced, len(batch.records), group=self._source.group):
            await self._ingestion.ingest(batch.records)
            await self._source.commit(batch)

    async def _measure_lag(self) -> None:
        stalled = await self._source.measure_lag()
        if stalled > STALLED_AFTER_SECONDS:
            self._health.notes["ingestion"] = f"no progress for {stalled:.0f} s although records are waiting"
        else:
            self._health.notes.pop("ingestion", None)

    async def _keep_store(self) -> None:
        indexes = self._health.dependencies[INDEXES]
        if indexes.up:
            await self._store.ping()
            return
        await self._store.create_indexes()
        indexes.mark_up()
        _log.info("the indexes of the audit trail exist")
