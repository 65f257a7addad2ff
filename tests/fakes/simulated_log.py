"""A primary with its history, a replica that lags, a relay that may freeze, and Kafka, all on simulated time."""

import math
from dataclasses import dataclass
from datetime import UTC, datetime
from random import Random

from data_plane.domain.entry import State
from data_plane.domain.reading import Reading
from data_plane.domain.remote_clock import UNPROVEN, PrimaryTime
from shared.runtime.clock import LocalTime
from shared.runtime.resilience import DependencyUnavailable
from shared.schemas.events import Action, Heartbeat, RouteChanged
from shared.schemas.identity import RouteKey
from tests.fakes.simulated_time import HostClock, TrueTime
from tests.support.active_values import a_value
from tests.support.factories import a_change, a_change_set

PARTITIONS = 4


@dataclass(frozen=True, slots=True)
class Committed:
    """A change of one route, and the true moment from which a new snapshot shows it."""

    key: RouteKey
    event: RouteChanged
    at: float


class SimulatedPrimary:
    """Every commit and every heartbeat row, with their true moments."""

    def __init__(self, time: TrueTime, random: Random) -> None:
        self.time = time
        self._random = random
        self.commits: list[Committed] = []
        self.of_key: dict[RouteKey, list[Committed]] = {}
        self._of_tenant: dict[str, list[Committed]] = {}
        self._beats: list[tuple[float, PrimaryTime]] = []

    def commit(self, key: RouteKey) -> None:
        """Change the route; the transaction has read the clock some time before it commits."""
        of_tenant = self._of_tenant.setdefault(key.tenant, [])
        occurred = max(self.time.now - self._random.uniform(0, 0.05), of_tenant[-1].at if of_tenant else 0.0)
        active = self._random.random() < 0.9
        change = a_change(
            Action.UPDATED if active else Action.DEACTIVATED,
            service=key.service,
            env=key.env,
            version=key.version,
            is_active=active,
        )
        when = datetime.fromtimestamp(self.time.primary(occurred), UTC)
        event = a_change_set(change, tenant=key.tenant, revision=len(of_tenant) + 1, occurred_at=when)
        committed = Committed(key, event, self.time.now)
        for log in (self.commits, of_tenant, self.of_key.setdefault(key, [])):
            log.append(committed)

    def beat(self) -> PrimaryTime:
        """Write the relay's heartbeat row; returns the primary's time in it."""
        self._beats.append((self.time.now, self.time.primary()))
        return self._beats[-1][1]

    def read(self, key: RouteKey, at: float, read_at: LocalTime, proven: PrimaryTime | None = None) -> Reading:
        """The reading of a snapshot of that true moment; `read_at` in the reader's time."""
        beats = [shown for moment, shown in self._beats[-200:] if moment <= at]
        proven = proven if proven is not None else beats[-1] if beats else UNPROVEN
        revision = sum(each.at <= at for each in self._of_tenant.get(key.tenant, ()))
        of_key = [each.event for each in self.of_key.get(key, ()) if each.at <= at]
        if not of_key:
            return Reading(key, State.ABSENT, None, revision, revision, read_at, proven)
        change = of_key[-1].changes[0]
        state, url = (State.ACTIVE, change.url) if change.is_active else (State.INACTIVE, None)
        return Reading(key, state, a_value(url), of_key[-1].revision, revision, read_at, proven)

    def wrong_since(self, key: RouteKey, revision: int) -> float:
        """The true moment at which a newer revision of the route replaced this one; inf when none has."""
        newer = (each.at for each in self.of_key.get(key, ()) if each.event.revision > revision)
        return next(newer, math.inf)


class SimulatedSource:
    """The primary, or a replica that is `lag` behind it, for one instance."""

    def __init__(self, primary: SimulatedPrimary, clock: HostClock, lag: "Lag | None" = None) -> None:
        self.name = "postgres" if lag is None else "replica-1"
        self._primary = primary
        self._clock = clock
        self._lag = lag
        self.is_down = False

    async def read(self, key: RouteKey) -> Reading:
        if self.is_down:
            raise DependencyUnavailable(self.name, "it is down")
        now = self._primary.time.now
        if self._lag is None:
            return self._primary.read(key, now, self._clock.monotonic(), self._primary.time.primary())
        shown = self._lag.shown
        return self._primary.read(key, shown, self._clock.at(shown))


class Lag:
    """The true moment that the replica has replayed up to."""

    def __init__(self) -> None:
        self.shown = 0.0


class SimulatedKafka:
    """Partitions as lists. A tenant's changes are in one of them."""

    def __init__(self) -> None:
        self.partitions: list[list[RouteChanged | Heartbeat]] = [[] for _ in range(PARTITIONS)]

    def publish(self, events: list[RouteChanged]) -> None:
        for each in events:
            self.partitions[sum(each.tenant.encode()) % PARTITIONS].append(each)

    def heartbeat(self, as_of: PrimaryTime) -> None:
        beat = Heartbeat(as_of=datetime.fromtimestamp(as_of, UTC), partitions=PARTITIONS)
        for each in self.partitions:
            each.append(beat)


class SimulatedRelay:
    """The steps of a relay: read the clock, read the unpublished rows, publish them, write the heartbeat."""

    def __init__(self, primary: SimulatedPrimary, kafka: SimulatedKafka) -> None:
        self._primary = primary
        self._kafka = kafka
        self._sent = 0
        self._frozen: tuple[list[RouteChanged], PrimaryTime] | None = None

    def publish(self) -> None:
        """Publish the unpublished rows."""
        self._kafka.publish([each.event for each in self._primary.commits[self._sent :]])
        self._sent = len(self._primary.commits)

    def beat(self) -> None:
        """Publish the unpublished rows, and then the heartbeat of the time before."""
        as_of = self._primary.beat()
        self.publish()
        self._kafka.heartbeat(as_of)

    def freeze_in_the_middle(self) -> None:
        """The relay freezes between reading the outbox and publishing; another one takes over."""
        as_of = self._primary.beat()
        self._frozen = [each.event for each in self._primary.commits[self._sent :]], as_of

    def wake_up_late(self) -> None:
        """The frozen relay continues."""
        if self._frozen is not None:
            events, as_of = self._frozen
            self._kafka.publish(events)
            self._kafka.heartbeat(as_of)
            self._frozen = None
