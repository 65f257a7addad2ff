"""Whether an entry may be served without a load."""

from bisect import insort
from collections import defaultdict
from collections.abc import Iterable

from data_plane.domain.entry import Entry, TtlPolicy
from shared.runtime.clock import NEVER, Clock, LocalTime
from shared.runtime.metrics import Metrics
from shared.schemas.identity import RouteKey

SPREAD_SECONDS = 2.0
"""Suspect entries expire within this time, each at its own moment, so that they are not all loaded at once."""
MERGE_SECONDS = 0.1
"""Suspect marks closer together than this may count as one, at the time of the later one."""


class SuspectMarks:
    """The local times before which events may be missing, oldest first: those within `SPREAD_SECONDS`, and one before."""

    def __init__(self) -> None:
        self._times: list[LocalTime] = []

    @property
    def last(self) -> LocalTime:
        return self._times[-1] if self._times else NEVER

    def add(self, at: LocalTime) -> None:
        times = self._times
        if at < self.last:
            insort(times, at)
            return
        # A mark that is due for every key makes all earlier ones redundant.
        while len(times) > 1 and times[1] <= at - SPREAD_SECONDS:
            del times[0]
        # Compared with the last mark but one: otherwise a chain of close marks would postpone itself for ever.
        if len(times) > 1 and at - times[-2] < MERGE_SECONDS:
            times[-1] = at
        else:
            times.append(at)

    def last_until(self, at: LocalTime) -> LocalTime:
        """The last mark at or before this time, which is at most `SPREAD_SECONDS` ago."""
        return next((each for each in reversed(self._times) if each <= at), NEVER)


class Freshness:
    """An entry is fresh within its TTL, unless it is suspect: events of its tenant may be missing since it was right."""

    def __init__(self, ttl_policy: TtlPolicy, clock: Clock, metrics: Metrics) -> None:
        self._ttl_policy = ttl_policy
        self._clock = clock
        self._by_tenant: defaultdict[str, SuspectMarks] = defaultdict(SuspectMarks)
        self._all_tenants = SuspectMarks()
        self._marked_tenants: frozenset[str] = frozenset()
        self.last_suspect_at = NEVER
        """No mark of any tenant concerns an entry with a later `read_at` (local)."""
        self.changes = 0
        """The number of marks ever set."""
        gauge = metrics.gauge("tm_suspect_tenants")
        metrics.before_scrape(lambda: gauge.set(self._count_suspect_tenants()))

    def mark_suspect(self, tenant: str) -> None:
        """Events of the tenant from before now may be missing."""
        self.last_suspect_at = self._clock.monotonic()
        self.changes += 1
        self._by_tenant[tenant].add(self.last_suspect_at)

    def mark_all_suspect(self, known_tenants: Iterable[str], *, before: LocalTime | None = None) -> None:
        """Events of any tenant from before this local time (None: now) may be missing."""
        at = self._clock.monotonic() if before is None else before
        self.last_suspect_at = max(self.last_suspect_at, at)
        self.changes += 1
        self._all_tenants.add(at)
        self._marked_tenants = frozenset(known_tenants)

    def is_fresh(self, entry: Entry, now: LocalTime) -> bool:
        """Whether the entry may be served without a load."""
        if now >= entry.expires_at:
            return False
        return entry.read_at > self.last_suspect_at or not self._is_suspect(entry, now)

    def may_serve_stale(self, entry: Entry, now: LocalTime) -> bool:
        """Whether the entry may be served when no source can be read."""
        return now < entry.expires_at + self._ttl_policy.stale_if_error_seconds

    def _is_suspect(self, entry: Entry, now: LocalTime) -> bool:
        """Whether a mark was set after the entry was right, and the key's delay has passed since.

        The first such mark starts the delay; later marks do not postpone it.
        """
        until = LocalTime(now - _delay(entry.key))
        if entry.read_at <= self._all_tenants.last_until(until):
            return True
        marks = self._by_tenant.get(entry.key.tenant)
        return marks is not None and entry.read_at <= marks.last_until(until)

    def _count_suspect_tenants(self) -> int:
        # One TTL after a mark, no entry from before it is left.
        over = self._clock.monotonic() - self._ttl_policy.positive_seconds
        for tenant in [tenant for tenant, marks in self._by_tenant.items() if marks.last <= over]:
            del self._by_tenant[tenant]
        if self._all_tenants.last <= over:
            self._marked_tenants = frozenset()
        return len(self._marked_tenants.union(self._by_tenant))


def _delay(key: RouteKey) -> float:
    """Seconds from a mark to the expiry of the key's entry."""
    return hash(key) % 1024 / 1024 * (SPREAD_SECONDS - MERGE_SECONDS)
