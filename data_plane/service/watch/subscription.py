"""One client's position in the change log of a tenant."""

import asyncio
from collections.abc import Callable
from contextlib import suppress

from data_plane.domain.close_reason import CloseReason, WatchEnded
from data_plane.domain.remote_clock import PrimaryTime
from data_plane.domain.stream_coverage import StreamCoverage
from data_plane.domain.tenant_change_log import TenantChangeLog
from data_plane.service.watch.change_log import ChangeLogs
from shared.schemas.events import RouteChanged


class Subscription:
    """Returns every change set after `revision`, in order. Nothing is queued per client: a client whose position has
    been dropped from the change log is closed.
    """

    def __init__(
        self,
        tenant: str,
        revision: int,
        proven_at: PrimaryTime,
        *,
        change_log: TenantChangeLog,
        change_logs: ChangeLogs,
        stream_coverage: StreamCoverage,
        on_end: Callable[["Subscription", CloseReason], None],
    ) -> None:
        """`proven_at`: of the tenant snapshot that the client has; UNPROVEN if it resumes."""
        self.tenant = tenant
        self.revision = revision
        self._proven_at = proven_at
        self._change_log = change_log
        self._change_logs = change_logs
        self._stream_coverage = stream_coverage
        self._on_end = on_end
        self._close_reason: CloseReason | None = None
        self._woken = asyncio.Event()
        change_logs.subscribe(tenant, self._woken.set)

    @property
    def proven_at(self) -> PrimaryTime:
        """After `next` returned None: every change acknowledged before this time of the primary was returned."""
        self._proven_at = max(self._proven_at, self._stream_coverage.until)
        return self._proven_at

    async def next(self, timeout_seconds: float) -> RouteChanged | None:
        """The next change set; None if there is none within this time. Raises WatchEnded."""
        self._woken.clear()
        event = self._read()
        if event is None:
            with suppress(TimeoutError):
                async with asyncio.timeout(timeout_seconds):
                    await self._woken.wait()
            event = self._read()
        if event is not None:
            self.revision = event.revision
        return event

    def _read(self) -> RouteChanged | None:
        if self._close_reason is not None:
            raise WatchEnded(self._close_reason)
        if self._change_log is not self._change_logs.current(self.tenant):
            raise WatchEnded(CloseReason.GAP)
        if self.revision < self._change_log.oldest:
            raise WatchEnded(CloseReason.SLOW)
        return self._change_log.after(self.revision)

    def end(self, reason: CloseReason) -> None:
        """Close the subscription: `next` raises from now on, also where it is waiting. The first reason counts."""
        if self._close_reason is None:
            self._close_reason = reason
            self._change_logs.unsubscribe(self.tenant, self._woken.set)
            self._on_end(self, reason)
            self._woken.set()
