"""All routes of a tenant at one revision, together with the feed of everything after it."""

import math
from collections.abc import Sequence

from data_plane.domain.stream_coverage import StreamCoverage
from data_plane.domain.tenant_change_log import TenantChangeLog
from data_plane.domain.tenant_reading import TenantReading
from data_plane.errors import NoSuchTenant, RevisionGone, WatchUnavailable
from data_plane.ports import TenantSource
from data_plane.service.loading.single_flight import SingleFlight
from data_plane.service.watch.change_log import ChangeLogs
from shared.runtime.resilience import DependencyUnavailable

Snapshot = tuple[TenantReading, TenantChangeLog]


class TenantSnapshots:
    """Asks the sources in turn for one that goes together with what was heard: a replica may be too far behind."""

    def __init__(self, sources: Sequence[TenantSource], feeds: ChangeLogs, heard: StreamCoverage) -> None:
        self._sources = tuple(sources)
        self._feeds = feeds
        self._heard = heard
        self._flights: SingleFlight[tuple[str, int], Snapshot] = SingleFlight()

    async def read(self, tenant: str, *, at_least: int = 0) -> Snapshot:
        """The tenant's routes at one revision, `at_least` this one.

        Raises NoSuchTenant, RevisionGone when there is no such revision, WatchUnavailable when no source can tell.
        """
        if self._heard.since(tenant) == math.inf:
            raise WatchUnavailable("This instance does not hear of changes yet; try again, or another one.")
        return await self._flights.run((tenant, at_least), self._load)

    async def close(self) -> None:
        """End the reading under way."""
        await self._flights.close()

    async def _load(self, wanted: tuple[str, int]) -> Snapshot:
        tenant, at_least = wanted
        answered, known = False, False
        for source in self._sources:
            try:
                reading = await source.read_tenant(tenant)
            except DependencyUnavailable:
                continue
            answered, known = True, known or reading is not None
            feed = self._feeds.following(reading) if reading is not None else None
            if reading is None or feed is None:
                continue
            if reading.revision >= at_least:
                return reading, feed
            if math.isfinite(reading.newest_at):
                raise RevisionGone(tenant, at_least, feed.oldest)
        if answered and not known:
            raise NoSuchTenant(tenant)
        raise WatchUnavailable(f"No database can tell all routes of {tenant} as recently as changes are heard here.")
