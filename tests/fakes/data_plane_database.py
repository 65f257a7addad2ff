"""A primary with its history, and replicas that follow it up to where a test stops them."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from data_plane.domain.entry import State
from data_plane.domain.reading import Reading
from data_plane.domain.remote_clock import PrimaryTime
from shared.runtime.clock import NEVER, Clock, LocalTime
from shared.runtime.resilience import DependencyUnavailable
from shared.schemas.events import Action, RouteChanged
from shared.schemas.identity import RouteKey
from tests.support.active_values import a_value
from tests.support.factories import a_change, a_change_set


@dataclass(frozen=True, slots=True)
class Commit:
    """One change set of one route, and when it was committed (monotonic)."""

    key: RouteKey
    url: str | None
    event: RouteChanged
    at: LocalTime


class FakePrimary:
    """All commits. `url` None deactivates the route."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.log: list[Commit] = []

    def commit(self, key: RouteKey, url: str | None) -> RouteChanged:
        """Change a route, active with this URL or inactive; returns the event of it."""
        revision = 1 + sum(each.key.tenant == key.tenant for each in self.log)
        action = Action.UPDATED if url else Action.DEACTIVATED
        change = a_change(
            action,
            service=key.service,
            env=key.env,
            version=key.version,
            url=url or "https://inactive.example.com",
            is_active=url is not None,
        )
        event = a_change_set(change, tenant=key.tenant, revision=revision, occurred_at=self.clock.now())
        self.log.append(Commit(key, url, event, self.clock.monotonic()))
        return event

    def read(self, key: RouteKey, length: int, read_at: LocalTime) -> Reading:
        """The reading after the first `length` commits."""
        tenants = [each for each in self.log[:length] if each.key.tenant == key.tenant]
        tenant_revision = tenants[-1].event.revision if tenants else 0
        of_key = [each for each in tenants if each.key == key]
        proven = self.time_at(read_at)
        if not of_key:
            return Reading(key, State.ABSENT, None, tenant_revision, tenant_revision, read_at, proven)
        state = State.ACTIVE if of_key[-1].url else State.INACTIVE
        return Reading(key, state, a_value(of_key[-1].url), of_key[-1].event.revision, tenant_revision, read_at, proven)

    def time_at(self, moment: float) -> PrimaryTime:
        """The primary's clock at that local time, in POSIX seconds."""
        return PrimaryTime(self.clock.now().timestamp() - (self.clock.monotonic() - moment))

    def urls_since(self, key: RouteKey, moment: float) -> set[str | None]:
        """Every URL that the key had at `moment` or has had since; None: no active route."""
        of_key = [each for each in self.log if each.key == key]
        before = [each.url for each in of_key if each.at < moment]
        return {before[-1] if before else None, *(each.url for each in of_key if each.at >= moment)}


class FakeRouteSource:
    """A server of that database: the primary itself, or a replica stopped at some commit (`stop_here`).

    Reads that begin during a `hold` take their snapshot, and then wait until the returned gate is opened.
    """

    def __init__(self, primary: FakePrimary, name: str = "replica-1") -> None:
        self.name = name
        self._primary = primary
        self._length: int | None = None
        self._gate: asyncio.Event | None = None
        self._read_started = asyncio.Event()
        self.is_down = False
        self.lag_is_known = True
        self.reads = 0

    async def read(self, key: RouteKey) -> Reading:
        self.reads += 1
        if self.is_down:
            raise DependencyUnavailable(self.name, "it is down")
        reading = self._primary.read(key, self._position(), self._read_at())
        self._read_started.set()
        if self._gate is not None:
            await self._gate.wait()
        return reading

    async def hot_keys(self, limit: int) -> Sequence[RouteKey]:
        if self.is_down:
            raise DependencyUnavailable(self.name, "it is down")
        return list({each.key: None for each in self._primary.log})[:limit]

    async def now(self) -> PrimaryTime:
        """POSIX seconds on this server."""
        if self.is_down:
            raise DependencyUnavailable(self.name, "it is down")
        return PrimaryTime(self._primary.clock.now().timestamp())

    def stop_here(self) -> None:
        """Stop replaying."""
        self._length = self._position()

    def catch_up(self) -> None:
        """Follow the primary again."""
        self._length = None

    def hold(self) -> asyncio.Event:
        """Make reads that begin from now on wait for the returned gate."""
        self._gate = asyncio.Event()
        self._read_started.clear()
        return self._gate

    def release(self) -> None:
        """Let reads that begin from now on pass; those that wait continue to wait."""
        self._gate = None

    async def read_started(self) -> None:
        """Return once a read has begun since `hold`."""
        await self._read_started.wait()

    def _position(self) -> int:
        return len(self._primary.log) if self._length is None else self._length

    def _read_at(self) -> LocalTime:
        if not self.lag_is_known:
            return NEVER
        position = self._position()
        # Right until the first commit that is missing here.
        return self._primary.clock.monotonic() if position == len(self._primary.log) else self._primary.log[position].at
