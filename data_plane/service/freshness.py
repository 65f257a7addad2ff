"""When an entry may be answered without asking anyone."""

import math
from collections.abc import Iterable

from data_plane.domain.entry import Entry, Lives
from shared.runtime.clock import Clock
from shared.runtime.metrics import Metrics
from shared.schemas.identity import RouteKey

SPREAD_SECONDS = 2.0
"""Doubted entries expire within this time, each at a moment of its own, so that they are not all reloaded at once."""


class Freshness:
    """An entry is fresh within its life, unless events of its tenant may have gone unheard since it was right."""

    def __init__(self, lives: Lives, clock: Clock, metrics: Metrics) -> None:
        self._lives = lives
        self._clock = clock
        self._doubted_at: dict[str, float] = {}
        self._all_doubted_at = -math.inf
        self.last_doubt = -math.inf
        """No doubt of any kind concerns what was right after this moment."""
        self.doubts = 0
        """How many there were."""
        gauge = metrics.gauge("tm_suspect_tenants")
        metrics.before_scrape(lambda: gauge.set(self._count_doubted()))

    def doubt(self, tenant: str) -> None:
        """Events of the tenant may have gone unheard before now."""
        self._doubted_at[tenant] = self.last_doubt = self._clock.monotonic()
        self.doubts += 1

    def doubt_all(self, known_tenants: Iterable[str], *, before: float | None = None) -> None:
        """Events of any tenant may have gone unheard before that moment (local monotonic), or before now."""
        moment = self._clock.monotonic() if before is None else before
        self._all_doubted_at = max(self._all_doubted_at, moment)
        self.last_doubt = max(self.last_doubt, moment)
        self.doubts += 1
        for tenant in known_tenants:
            self._doubted_at[tenant] = max(self._doubted_at.get(tenant, moment), moment)

    def is_fresh(self, entry: Entry, now: float) -> bool:
        """Whether the entry may be answered as it is."""
        if now >= entry.expires_at:
            return False
        return entry.as_of > self.last_doubt or not self._is_doubted(entry, now)

    def may_be_answered_stale(self, entry: Entry, now: float) -> bool:
        """Whether the entry may be answered when no source can tell."""
        return now < entry.expires_at + self._lives.max_stale

    def _is_doubted(self, entry: Entry, now: float) -> bool:
        moment = max(self._all_doubted_at, self._doubted_at.get(entry.key.tenant, -math.inf))
        return entry.as_of <= moment and now >= moment + _delay(entry.key)

    def _count_doubted(self) -> int:
        # What was known before a doubt has outlived itself one life later.
        over = self._clock.monotonic() - self._lives.positive
        self._doubted_at = {tenant: moment for tenant, moment in self._doubted_at.items() if moment > over}
        return len(self._doubted_at)


def _delay(key: RouteKey) -> float:
    return hash(key) % 1024 / 1024 * SPREAD_SECONDS
