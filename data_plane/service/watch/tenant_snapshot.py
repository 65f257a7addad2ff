"""Tenant snapshots: all routes of a tenant at one revision, with the change log of everything after it."""

import asyncio
import contextlib
import math
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from typing import Any, Generic, TypeVar

from data_plane.domain.stream_coverage import StreamCoverage
from data_plane.domain.tenant_change_log import TenantChangeLog
from data_plane.domain.tenant_reading import TenantReading
from data_plane.errors import NoSuchTenant, RevisionGone, WatchUnavailable
from data_plane.ports import TenantSource
from data_plane.service.watch.change_log import ChangeLogs
from data_plane.service.watch.encoded_snapshots import EncodedSnapshot, EncodedSnapshots
from shared.runtime.resilience import DependencyUnavailable

_Key = TypeVar("_Key")
_Value = TypeVar("_Value")

TenantSnapshot = tuple[EncodedSnapshot, TenantChangeLog]
MAX_CATCH_UP = 100
"""Change sets that a watch may have to send after a snapshot that another watch sends already."""


class SingleFlight(Generic[_Key, _Value]):
    """Coalesces calls: at most one per key is in progress. Cancelling one waiter does not cancel the call.

    Unlike the resolver's LoadCoalescer it has no batches and no timeout, and raises the error of the call.
    """

    def __init__(self) -> None:
        self._calls: dict[_Key, asyncio.Task[_Value]] = {}

    async def run(self, key: _Key, call: Callable[[_Key], Coroutine[Any, Any, _Value]]) -> _Value:
        """The result of the call in progress for the key, or of a new one. Raises its error."""
        task = self._calls.get(key)
        if task is None:
            task = self._calls[key] = asyncio.create_task(call(key))
            task.add_done_callback(lambda done: self._finish(key, done))
        return await asyncio.shield(task)

    def _finish(self, key: _Key, task: Awaitable[_Value]) -> None:
        del self._calls[key]
        if isinstance(task, asyncio.Task) and not task.cancelled():
            # Retrieved here, because all waiters may have been cancelled.
            task.exception()

    async def close(self) -> None:
        """Cancel the calls in progress and wait until they have ended."""
        for task in list(self._calls.values()):
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError, Exception):
                await task


class TenantSnapshots:
    """Reads the sources in turn until one is recent enough for the change log: a replica may be too far behind."""

    def __init__(
        self,
        sources: Sequence[TenantSource],
        change_logs: ChangeLogs,
        stream_coverage: StreamCoverage,
        encoded: EncodedSnapshots,
    ) -> None:
        self._sources = tuple(sources)
        self._change_logs = change_logs
        self._stream_coverage = stream_coverage
        self._encoded = encoded
        self._snapshots: SingleFlight[str, TenantSnapshot] = SingleFlight()
        self._reads: SingleFlight[tuple[str, int], TenantChangeLog] = SingleFlight()

    async def snapshot(self, tenant: str) -> TenantSnapshot:
        """All routes of the tenant at one revision: as another watch sends them now, or from a database.

        Raises NoSuchTenant, or WatchUnavailable if no source can be used or the snapshots take too much memory.
        """
        self._check_coverage(tenant)
        newest, change_log = self._encoded.newest(tenant), self._change_logs.current(tenant)
        if newest is not None and change_log is not None and _may_follow(change_log, newest):
            return newest, change_log
        return await self._snapshots.run(tenant, self._encode)

    async def confirm(self, tenant: str, min_revision: int) -> TenantChangeLog:
        """The change log of a tenant that has at least this revision, according to a database.

        Raises NoSuchTenant, RevisionGone if the tenant has no such revision, WatchUnavailable if no source can be used.
        """
        self._check_coverage(tenant)
        return await self._reads.run((tenant, min_revision), self._confirm)

    async def close(self) -> None:
        """Cancel the reads in progress."""
        await self._snapshots.close()
        await self._reads.close()

    def _check_coverage(self, tenant: str) -> None:
        if self._stream_coverage.since(tenant) == math.inf:
            raise WatchUnavailable("This instance does not receive events yet; try again, or another instance.")

    async def _encode(self, tenant: str) -> TenantSnapshot:
        self._encoded.check_room(tenant)
        return await self._use(tenant, 0, self._encode_reading)

    async def _encode_reading(self, reading: TenantReading, change_log: TenantChangeLog) -> TenantSnapshot:
        return await self._encoded.encode(reading), change_log

    async def _confirm(self, key: tuple[str, int]) -> TenantChangeLog:
        return await self._use(*key, _log_of)

    async def _use(
        self,
        tenant: str,
        min_revision: int,
        use: Callable[[TenantReading, TenantChangeLog], Awaitable[_Value]],
    ) -> _Value:
        """What `use` makes of the first reading that is recent enough."""
        has_response, exists = False, False
        for source in self._sources:
            gone = None
            with contextlib.suppress(DependencyUnavailable):
                async with source.open_tenant(tenant) as reading:
                    has_response, exists = True, exists or reading is not None
                    change_log = self._change_logs.following(reading) if reading is not None else None
                    if reading is None or change_log is None:
                        continue
                    if reading.revision >= min_revision:
                        return await use(reading, change_log)
                    if math.isfinite(reading.newest_at):
                        gone = RevisionGone(tenant, min_revision, change_log.oldest)
            if gone is not None:
                raise gone  # outside of the block, which would count it as a failure of the source
        if has_response and not exists:
            raise NoSuchTenant(tenant)
        raise WatchUnavailable(
            f"No database has a snapshot of {tenant} that is recent enough for the events received here; try again."
        )


async def _log_of(_: TenantReading, change_log: TenantChangeLog) -> TenantChangeLog:
    return change_log


def _may_follow(change_log: TenantChangeLog, snapshot: EncodedSnapshot) -> bool:
    """Whether the log has every change after the snapshot, and not too many."""
    return change_log.oldest <= snapshot.revision and change_log.newest <= snapshot.revision + MAX_CATCH_UP
