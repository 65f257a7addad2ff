"""One load per key, however many callers wait for it; and one L2 lookup for all keys that miss together."""

import asyncio
from collections.abc import Sequence
from operator import attrgetter
from typing import Protocol

from data_plane.domain.entry import Entry
from data_plane.domain.read_consistency import ANY, ReadConsistency
from data_plane.service.loading.load_limit import LoadLimit
from data_plane.service.loading.loader import LoadResult
from shared.runtime.metrics import Metrics
from shared.runtime.metrics_buffer import BufferedCounter
from shared.runtime.micro_batcher import MicroBatcher
from shared.schemas.identity import RouteKey

MAX_LOOKUP_KEYS = 250
"""Keys in one L2 lookup: the first of them must not wait long for the last."""


class Loader(Protocol):
    """The reads of a load: a RouteLoader."""

    async def look_up(self, keys: Sequence[RouteKey]) -> Sequence[LoadResult | None]: ...

    def satisfies(self, entry: Entry, consistency: ReadConsistency) -> bool: ...

    def due_for_refresh(self) -> Sequence[RouteKey]: ...

    async def read(self, key: RouteKey, consistency: ReadConsistency) -> LoadResult | None: ...


class LoadBatch:
    """The loads that began in one iteration of the event loop. They share a timeout."""

    __slots__ = ("loads", "loop", "pending", "timeout")

    timeout: asyncio.TimerHandle

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self.loads: list[PendingLoad] = []
        self.pending = 0


class PendingLoad:
    """A load in progress. Each waiter has its own future: cancelling one does not cancel the load."""

    __slots__ = ("_waiters", "batch", "consistency", "database_read", "is_done", "key")

    def __init__(self, key: RouteKey, consistency: ReadConsistency, batch: LoadBatch) -> None:
        self.key = key
        self.consistency = consistency
        self.batch = batch
        self.is_done = False
        self.database_read: asyncio.Task[None] | None = None
        self._waiters: list[asyncio.Future[LoadResult | None]] = []
        batch.loads.append(self)
        batch.pending += 1

    def wait(self) -> "asyncio.Future[LoadResult | None]":
        """Add a waiter."""
        future: asyncio.Future[LoadResult | None] = self.batch.loop.create_future()
        self._waiters.append(future)
        return future

    def resolve(self, result: LoadResult | None) -> None:
        """Give the result to every waiter that is not cancelled."""
        for waiter in self._waiters:
            if not waiter.done():
                waiter.set_result(result)

    def fail(self, error: Exception) -> None:
        """Raise the error in every waiter that is not cancelled."""
        for waiter in self._waiters:
            if not waiter.done():
                waiter.set_exception(error)

    def cancel(self) -> None:
        """Cancel every waiter."""
        for waiter in self._waiters:
            waiter.cancel()

    def end(self) -> None:
        """Mark the load as done. The last one of its batch cancels the timeout."""
        self.is_done = True
        self.batch.pending -= 1
        if not self.batch.pending:
            self.batch.timeout.cancel()


class LoadCoalescer:
    """Runs at most one load for each key and consistency.

    All loads that begin in one iteration of the event loop share an L2 lookup, one lookup at a time. A key that is not
    usable there is read from the databases, whose adapters batch again.
    """

    def __init__(
        self, loader: Loader, *, deadline_seconds: float, metrics: Metrics, limit: LoadLimit | None = None
    ) -> None:
        """`deadline_seconds`: for one load, from its beginning to its result."""
        self._loader = loader
        self._deadline_seconds = deadline_seconds
        self._limit = limit
        self._pending: dict[tuple[RouteKey, ReadConsistency], PendingLoad] = {}
        self._lookups: MicroBatcher[PendingLoad] = MicroBatcher(
            self._look_up, is_abandoned=attrgetter("is_done"), max_concurrent=1, max_size=MAX_LOOKUP_KEYS
        )
        self._database_reads: set[asyncio.Task[None]] = set()
        self._batch: LoadBatch | None = None
        outcomes = metrics.counter("tm_loads_total")
        self._loaded = BufferedCounter(metrics, outcomes.labels("loaded").inc)
        self._coalesced = BufferedCounter(metrics, outcomes.labels("coalesced").inc)
        self._failed = BufferedCounter(metrics, outcomes.labels("failed").inc)

    def load(
        self, key: RouteKey, consistency: ReadConsistency = ANY, *, is_limited: bool = True
    ) -> "asyncio.Future[LoadResult | None]":
        """The newest entry of the key; None if no layer could be read before the deadline.

        The entry may be expired, or older than demanded, if no layer has a better one. Cancelling the future does not
        cancel the load. Raises TooManyLoads, unless `is_limited` is false, when a new load is one too many for the tenant.
        """
        load = self._pending.get((key, consistency))
        if load is None:
            if is_limited and self._limit is not None:
                self._limit.admit(key.tenant)
            load = self._begin(key, consistency)
        else:
            self._coalesced.count += 1
        return load.wait()

    def _begin(self, key: RouteKey, consistency: ReadConsistency) -> PendingLoad:
        batch = self._batch
        if batch is None or not self._lookups.is_collecting:
            batch = self._begin_batch()
        load = self._pending[key, consistency] = PendingLoad(key, consistency, batch)
        self._lookups.add(load)
        return load

    def _begin_batch(self) -> LoadBatch:
        self._batch = self._new_batch(self._lookups.collect())
        return self._batch

    def _new_batch(self, loop: asyncio.AbstractEventLoop) -> LoadBatch:
        batch = LoadBatch(loop)
        batch.timeout = batch.loop.call_later(self._deadline_seconds, self._time_out, batch)
        return batch

    async def _look_up(self, loads: list[PendingLoad]) -> None:
        try:
            results = await self._loader.look_up([load.key for load in loads])
            for load, result in zip(loads, results, strict=True):
                if result is not None and self._loader.satisfies(result.entry, load.consistency):
                    self._resolve(load, result)
                elif not load.is_done:
                    self._dispatch(load, result)
            if any(load.database_read is not None for load in loads):
                self._refresh_ahead()
        except Exception as error:  # noqa: BLE001 - raised in every waiter
            for load in loads:
                self._fail(load, error)

    def _dispatch(self, load: PendingLoad, from_l2: LoadResult | None) -> None:
        """Start the database read of one key."""
        load.database_read = task = load.batch.loop.create_task(self._read(load, from_l2))
        self._database_reads.add(task)
        task.add_done_callback(self._database_reads.discard)

    def _refresh_ahead(self) -> None:
        """Load further keys that are due. Their reads begin in this iteration of the event loop, so they share the query."""
        keys = [key for key in self._loader.due_for_refresh() if (key, ANY) not in self._pending]
        if not keys:
            return
        batch = self._new_batch(asyncio.get_running_loop())
        for key in keys:
            load = self._pending[key, ANY] = PendingLoad(key, ANY, batch)
            self._dispatch(load, None)

    async def _read(self, load: PendingLoad, from_l2: LoadResult | None) -> None:
        try:
            result = await self._loader.read(load.key, load.consistency) or from_l2
        except Exception as error:  # noqa: BLE001 - raised in every waiter
            self._fail(load, error)
        else:
            self._resolve(load, result)

    def _time_out(self, batch: LoadBatch) -> None:
        for load in batch.loads:
            if load.database_read is not None and not load.is_done:
                load.database_read.cancel()
            self._resolve(load, None)

    def _resolve(self, load: PendingLoad, result: LoadResult | None) -> None:
        if not load.is_done:
            self._end(load)
            (self._failed if result is None else self._loaded).count += 1
            load.resolve(result)

    def _fail(self, load: PendingLoad, error: Exception) -> None:
        if not load.is_done:
            self._end(load)
            self._failed.count += 1
            load.fail(error)

    def _end(self, load: PendingLoad) -> None:
        load.end()
        del self._pending[load.key, load.consistency]

    async def close(self) -> None:
        """Cancel all waiters and reads, and wait until the reads have ended."""
        for load in list(self._pending.values()):
            self._end(load)
            load.cancel()
        # Reads of loads that timed out a moment ago too: their connections must not be closed under them.
        reads = set(self._database_reads)
        for read in reads:
            read.cancel()
        await self._lookups.close()
        if reads:
            await asyncio.wait(reads)
