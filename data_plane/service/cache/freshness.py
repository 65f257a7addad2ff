"""When an entry may be answered without asking anyone."""

from bisect import insort
from collections import defaultdict
from collections.abc import Iterable

from data_plane.domain.entry import Entry, TtlPolicy
from shared.runtime.clock import NEVER, Clock, LocalTime
from shared.runtime.metrics import Metrics
from shared.schemas.identity import RouteKey

SPREAD_SECONDS = 2.0
"""Doubted entries expire within this time, each at a moment of its own, so that they are not all reloaded at once."""
APART_SECONDS = 0.1
"""Doubts that are closer together may count as one, as of the later one."""


class SuspectMarks:
    """The doubts that still matter, oldest first: no more than fit in `SPREAD_SECONDS`, and the last one before."""

    def __init__(self) -> None:
        self._moments: list[LocalTime] = []

    @property
    def last(self) -> LocalTime:
        return self._moments[-1] if self._moments else NEVER

    def add(self, moment: LocalTime) -> None:
        moments = self._moments
        if moment < self.last:
            insort(moments, moment)
            return
        # Whatever comes before a doubt that is due for every key has nothing to add to it.
        while len(moments) > 1 and moments[1] <= moment - SPREAD_SECONDS:
            del moments[0]
        # Measured from the last but one, or a chain of close doubts would be put off from each to the next, forever.
        if len(moments) > 1 and moment - moments[-2] < APART_SECONDS:
            moments[-1] = moment
        else:
            moments.append(moment)

    def last_until(self, moment: LocalTime) -> LocalTime:
        """The last one at `moment` or before; `moment` is at most `SPREAD_SECONDS` ago."""
        return next((each for each in reversed(self._moments) if each <= moment), NEVER)


class Freshness:
    """An entry is fresh within its life, unless events of its tenant may have gone unheard since it was right."""

    def __init__(self, lives: TtlPolicy, clock: Clock, metrics: Metrics) -> None:
        self._lives = lives
        self._clock = clock
        self._of_tenant: defaultdict[str, SuspectMarks] = defaultdict(SuspectMarks)
        self._of_all = SuspectMarks()
        self._of_all_concerns: frozenset[str] = frozenset()
        self.last_suspect_at = NEVER
        """No doubt of any kind concerns what was right after this moment."""
        self.doubts = 0
        """How many there were."""
        gauge = metrics.gauge("tm_suspect_tenants")
        metrics.before_scrape(lambda: gauge.set(self._count_doubted()))

    def mark_suspect(self, tenant: str) -> None:
        """Events of the tenant may have gone unheard before now."""
        self.last_suspect_at = self._clock.monotonic()
        self.doubts += 1
        self._of_tenant[tenant].add(self.last_suspect_at)

    def mark_all_suspect(self, known_tenants: Iterable[str], *, before: LocalTime | None = None) -> None:
        """Events of any tenant may have gone unheard before that moment (local monotonic), or before now."""
        moment = self._clock.monotonic() if before is None else before
        self.last_suspect_at = max(self.last_suspect_at, moment)
        self.doubts += 1
        self._of_all.add(moment)
        self._of_all_concerns = frozenset(known_tenants)

    def is_fresh(self, entry: Entry, now: LocalTime) -> bool:
        """Whether the entry may be answered as it is."""
        if now >= entry.expires_at:
            return False
        return entry.read_at > self.last_suspect_at or not self._is_doubted(entry, now)

    def may_be_answered_stale(self, entry: Entry, now: LocalTime) -> bool:
        """Whether the entry may be answered when no source can tell."""
        return now < entry.expires_at + self._lives.max_stale

    def _is_doubted(self, entry: Entry, now: LocalTime) -> bool:
        """Whether a doubt came after the entry was right, so long ago that the entry's turn has come.

        The first such doubt decides when that is: those after it put nothing off.
        """
        until = LocalTime(now - _delay(entry.key))
        if entry.read_at <= self._of_all.last_until(until):
            return True
        doubts = self._of_tenant.get(entry.key.tenant)
        return doubts is not None and entry.read_at <= doubts.last_until(until)

    def _count_doubted(self) -> int:
        # What was known before a doubt has outlived itself one life later.
        over = self._clock.monotonic() - self._lives.positive
        for tenant in [tenant for tenant, doubts in self._of_tenant.items() if doubts.last <= over]:
            del self._of_tenant[tenant]
        if self._of_all.last <= over:
            self._of_all_concerns = frozenset()
        return len(self._of_all_concerns.union(self._of_tenant))


def _delay(key: RouteKey) -> float:
    return hash(key) % 1024 / 1024 * (SPREAD_SECONDS - APART_SECONDS)
