"""How far an entry is known to be right: in time, and in revisions of its tenant. The argument is in docs/adr/0013."""

import math
from typing import Protocol

from data_plane.domain.entry import Entry, TtlPolicy
from data_plane.domain.read_consistency import ANY, ReadConsistency
from data_plane.domain.remote_clock import UNPROVEN, PrimaryClock, PrimaryTime
from data_plane.domain.stream_coverage import StreamCoverage
from data_plane.domain.watermarks import Watermarks
from data_plane.service.cache.l1 import L1Cache
from shared.runtime.clock import Clock, LocalTime
from shared.runtime.metrics import Metrics


class Evidence(Protocol):
    """An entry without its key, however it is kept. The fields mean what they do in `Entry`."""

    @property
    def expires_at(self) -> LocalTime: ...

    @property
    def proven_at(self) -> PrimaryTime: ...

    @property
    def tenant_revision(self) -> int: ...


class StalenessBounds:
    """What events say about entries that are, or just were, in the process's cache."""

    def __init__(
        self,
        *,
        local: L1Cache,
        heard: StreamCoverage,
        watermarks: Watermarks,
        primary_clock: PrimaryClock,
        lives: TtlPolicy,
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

    def proven_at(self, entry: Entry) -> PrimaryTime:
        """The primary's time up to which the entry is known to be right; -inf: not known, or its clock was set since."""
        proven_at = self.proven_at_if_clock_unchanged(entry, entry.key.tenant, self._local.min_revision(entry.key))
        return UNPROVEN if proven_at is None else proven_at

    def bound(self, entry: Entry, now: LocalTime) -> float | None:
        """For how many seconds the entry may have been wrong at most, at local `now`. None: not known."""
        return self.bound_and_revision(entry, self._local.min_revision(entry.key), now)[0]

    def bound_and_revision(self, entry: Entry, min_revision: int, now: LocalTime) -> tuple[float | None, int]:
        """`bound` and `revision` of the entry. `floor`: the LocalCache's, of its key."""
        proven_at = self.proven_at_if_clock_unchanged(entry, entry.key.tenant, min_revision)
        return None if proven_at is None else self.age(proven_at, now), self._revision(entry, min_revision)

    def proven_at_if_clock_unchanged(self, claim: Evidence, tenant: str, min_revision: int) -> PrimaryTime | None:
        """The same for what is kept under a key of the tenant; None where the primary's clock was set since.

        `floor`: the LocalCache's, of that key. Holds until the primary's clock or what was heard changes.
        """
        if claim.expires_at <= self._primary_clock.set_at + self._positive_life:
            return None
        return self._proven_at(claim, tenant, min_revision)

    def age(self, proven_at: PrimaryTime, now: LocalTime) -> float | None:
        """How long ago that was at most, at local `now`. None: not known."""
        age = self._primary_clock.age(proven_at, now)
        # A time that is still to come was not read off this clock.
        return age if age is not None and 0 <= age < math.inf else None

    def _proven_at(self, claim: Evidence, tenant: str, min_revision: int) -> PrimaryTime:
        """That of its reading, or the last heartbeat that was applied: unless a change between the two may be missing."""
        proven, heard = claim.proven_at, self._heard.until
        if heard <= proven or claim.tenant_revision < min_revision:
            return proven
        unheard_before = self._primary_clock.latest(self._heard.since(tenant))
        return heard if unheard_before is not None and proven >= unheard_before else proven

    def revision(self, entry: Entry) -> int:
        """The tenant's revision that the entry is known to reflect."""
        return self._revision(entry, self._local.min_revision(entry.key))

    def _revision(self, entry: Entry, min_revision: int) -> int:
        applied = self._watermarks.applied(entry.key.tenant)
        if entry.tenant_revision + 1 < applied.start or entry.tenant_revision < min_revision:
            return entry.tenant_revision
        newest = applied.stop - 1
        return newest if newest > entry.tenant_revision else entry.tenant_revision

    def meets(self, entry: Entry, demand: ReadConsistency, now: LocalTime) -> bool:
        """Whether the entry is what the caller asks for."""
        if demand is ANY:
            return True
        if self.revision(entry) < demand.min_revision:
            return False
        if demand.max_age is None:
            return True
        bound = self.bound(entry, now)
        return bound is not None and bound <= demand.max_age

    def _heard_ago(self) -> float:
        age = self._primary_clock.age(self._heard.until, self._clock.monotonic())
        return math.inf if age is None else max(0.0, age)
