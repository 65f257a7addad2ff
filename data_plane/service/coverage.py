"""How far an entry is known to be right: in time, and in revisions of its tenant. The argument is in docs/adr/0013."""

import math
from typing import Protocol

from data_plane.domain.demand import NO_DEMAND, Demand
from data_plane.domain.entry import Entry, Lives
from data_plane.domain.heard import Heard
from data_plane.domain.remote_clock import RemoteClock
from data_plane.domain.watermarks import Watermarks
from data_plane.service.local_cache import LocalCache
from shared.runtime.clock import Clock
from shared.runtime.metrics import Metrics


class Claim(Protocol):
    """An entry without its key, however it is kept. The fields mean what they do in `Entry`."""

    @property
    def expires_at(self) -> float: ...

    @property
    def proven_as_of(self) -> float: ...

    @property
    def reflects(self) -> int: ...


class Coverage:
    """What events say about entries that are, or just were, in the process's cache."""

    def __init__(
        self,
        *,
        local: LocalCache,
        heard: Heard,
        watermarks: Watermarks,
        primary_clock: RemoteClock,
        lives: Lives,
        clock: Clock,
        metrics: Metrics,
    ) -> None:
        self._local = local
        self._heard = heard
        self._watermarks = watermarks
        self._primary_clock = primary_clock
        self._positive_life = lives.positive
        self._clock = clock
        gauge = metrics.gauge("tm_staleness_bound_seconds")
        metrics.before_scrape(lambda: gauge.set(self._heard_ago()))

    def as_of(self, entry: Entry) -> float:
        """The primary's time up to which the entry is known to be right; -inf: not known, or its clock was set since."""
        as_of = self.datable(entry, entry.key.tenant, self._local.floor(entry.key))
        return -math.inf if as_of is None else as_of

    def bound(self, entry: Entry, now: float) -> float | None:
        """For how many seconds the entry may have been wrong at most, at local `now`. None: not known."""
        return self.bound_and_revision(entry, self._local.floor(entry.key), now)[0]

    def bound_and_revision(self, entry: Entry, floor: int, now: float) -> tuple[float | None, int]:
        """`bound` and `revision` of the entry. `floor`: the LocalCache's, of its key."""
        as_of = self.datable(entry, entry.key.tenant, floor)
        return None if as_of is None else self.age(as_of, now), self._revision(entry, floor)

    def datable(self, claim: Claim, tenant: str, floor: int) -> float | None:
        """The same for what is kept under a key of the tenant; None where the primary's clock was set since.

        `floor`: the LocalCache's, of that key. Holds until the primary's clock or what was heard changes.
        """
        if claim.expires_at <= self._primary_clock.set_at + self._positive_life:
            return None
        return self._as_of(claim, tenant, floor)

    def age(self, as_of: float, now: float) -> float | None:
        """How long ago that was at most, at local `now`. None: not known."""
        latest = self._primary_clock.latest(now)
        if latest is None:
            return None
        age = latest - as_of
        # A time that is still to come was not read off this clock.
        return age if 0 <= age < math.inf else None

    def _as_of(self, claim: Claim, tenant: str, floor: int) -> float:
        """That of its reading, or the last heartbeat that was applied: unless a change between the two may be missing."""
        proven, heard = claim.proven_as_of, self._heard.until
        if heard <= proven or claim.reflects < floor:
            return proven
        unheard_before = self._primary_clock.latest(self._heard.since(tenant))
        return heard if unheard_before is not None and proven >= unheard_before else proven

    def revision(self, entry: Entry) -> int:
        """The tenant's revision that the entry is known to reflect."""
        return self._revision(entry, self._local.floor(entry.key))

    def _revision(self, entry: Entry, floor: int) -> int:
        applied = self._watermarks.applied(entry.key.tenant)
        if entry.reflects + 1 < applied.start or entry.reflects < floor:
            return entry.reflects
        newest = applied.stop - 1
        return newest if newest > entry.reflects else entry.reflects

    def meets(self, entry: Entry, demand: Demand, now: float) -> bool:
        """Whether the entry is what the caller asks for."""
        if demand is NO_DEMAND:
            return True
        if self.revision(entry) < demand.min_revision:
            return False
        if demand.max_age is None:
            return True
        bound = self.bound(entry, now)
        return bound is not None and bound <= demand.max_age

    def _heard_ago(self) -> float:
        latest = self._primary_clock.latest(self._clock.monotonic())
        return math.inf if latest is None else max(0.0, latest - self._heard.until)
