"""One client's place in the changes of a tenant."""

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
    """Gives every change set after `revision`, one after the other. `proven_at`: the primary's time of the client's snapshot.

    Nothing is queued for it: it stands somewhere in the tenant's feed, and has ended when the feed has passed it.
    """

    def __init__(
        self,
        tenant: str,
        revision: int,
        proven_at: PrimaryTime,
        *,
        feed: TenantChangeLog,
        feeds: ChangeLogs,
        heard: StreamCoverage,
        on_end: Callable[["Subscription", CloseReason], None],
    ) -> None:
        self.tenant = tenant
        self.revision = revision
        self._proven_at = proven_at
        self._feed = feed
        self._feeds = feeds
        self._heard = heard
        self._on_end = on_end
        self._ending: CloseReason | None = None
        self._woken = asyncio.Event()
        feeds.call_on_change(tenant, self._woken.set)

    @property
    def proven_at(self) -> PrimaryTime:
        """Every change acknowledged before this time of the primary was given, when `next` had none. -inf: not known."""
        self._proven_at = max(self._proven_at, self._heard.until)
        return self._proven_at

    async def next(self, seconds: float) -> RouteChanged | None:
        """The next change set; None when none comes within so many seconds. Raises WatchEnded."""
        self._woken.clear()
        found = self._look()
        if found is None:
            with suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await self._woken.wait()
            found = self._look()
        if found is not None:
            self.revision = found.revision
        return found

    def _look(self) -> RouteChanged | None:
        if self._ending is not None:
            raise WatchEnded(self._ending)
        if self._feed is not self._feeds.current(self.tenant):
            raise WatchEnded(CloseReason.GAP)
        if self.revision < self._feed.oldest:
            raise WatchEnded(CloseReason.SLOW)
        return self._feed.after(self.revision)

    def end(self, ending: CloseReason) -> None:
        """Give nothing more. The first reason counts; who waits in `next` is told."""
        if self._ending is None:
            self._ending = ending
            self._feeds.call_no_more(self.tenant, self._woken.set)
            self._on_end(self, ending)
            self._woken.set()
