"""A server of the fake database that reads whole tenants."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from data_plane.domain.entry import State
from data_plane.domain.tenant_reading import ActiveRoute, TenantReading
from shared.runtime.clock import NEVER, LocalTime
from shared.runtime.resilience import DependencyUnavailable
from tests.fakes.data_plane_database import FakePrimary


class FakeTenantSource:
    """The primary itself, or a replica (`is_primary` False) stopped at some commit."""

    def __init__(self, database: FakePrimary, *, is_primary: bool) -> None:
        self._database = database
        self._is_primary = is_primary
        self._length: int | None = None
        self.is_down = False
        self.empty_tenants: set[str] = set()
        """Tenants that were created and have no route yet."""
        self.reads = 0

    @asynccontextmanager
    async def open_tenant(self, tenant: str) -> AsyncIterator[TenantReading | None]:
        yield self._read(tenant)

    def _read(self, tenant: str) -> TenantReading | None:
        self.reads += 1
        if self.is_down:
            raise DependencyUnavailable("a database", "it is down")
        length = len(self._database.log) if self._length is None else self._length
        commits = [each for each in self._database.log[:length] if each.key.tenant == tenant]
        if not commits and tenant not in self.empty_tenants:
            return None
        revision = commits[-1].event.revision if commits else 0
        keys = sorted({each.key for each in commits})
        readings = [self._database.read(key, length, self._current_at(length)) for key in keys]
        routes = [
            ActiveRoute(each.key.service, each.key.env, each.key.version, each.value, each.revision)
            for each in readings
            if each.state is State.ACTIVE and each.value is not None
        ]
        now = self._database.clock.monotonic()
        proven = self._database.time_at(self._current_at(length))
        return TenantReading(tenant, revision, _slices(routes), proven, now if self._is_primary else NEVER)

    def stop_here(self) -> None:
        """Stop replaying."""
        self._length = len(self._database.log)

    def catch_up(self) -> None:
        """Follow the primary again."""
        self._length = None

    def _current_at(self, length: int) -> LocalTime:
        log = self._database.log
        return self._database.clock.monotonic() if length == len(log) else log[length].at


async def _slices(routes: Sequence[ActiveRoute]) -> AsyncIterator[Sequence[ActiveRoute]]:
    for start in range(0, len(routes), 2):
        yield routes[start : start + 2]
