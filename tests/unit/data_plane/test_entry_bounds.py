"""The bound and the revision of one entry, at their exact limits."""

import math
from datetime import UTC, datetime

import pytest

from data_plane.domain.entry import Entry, KnownEntry, State, TtlPolicy
from data_plane.domain.read_consistency import ANY, ReadConsistency
from data_plane.domain.remote_clock import PrimaryClock, PrimaryTime
from data_plane.domain.stream_coverage import StreamCoverage
from data_plane.domain.watermarks import Watermarks
from data_plane.service.cache.staleness import StalenessBounds
from shared.runtime.clock import LocalTime
from shared.runtime.metrics import Metrics
from shared.runtime.service import Service
from shared.schemas.events import Heartbeat
from shared.schemas.identity import RouteKey
from tests.support.clocks import MovableClock


class Parts:
    """Bounds over a stream that is open since the primary's time 2000. It is 2000 at the start of the local clock."""

    def __init__(self) -> None:
        self.clock, self.metrics = MovableClock(), Metrics(Service.DATA_PLANE)
        self.stream, self.watermarks, self.primary_clock = StreamCoverage(), Watermarks(), PrimaryClock()
        self.read_primary_time(2000)
        self.stream.begin({0: 0}, at=self.clock.monotonic(), resumed=False)
        self.bounds = StalenessBounds(
            stream_coverage=self.stream,
            watermarks=self.watermarks,
            primary_clock=self.primary_clock,
            ttl_policy=TtlPolicy(),
            clock=self.clock,
            metrics=self.metrics,
        )

    def read_primary_time(self, remote: float) -> None:
        now = self.clock.monotonic()
        self.primary_clock.observe(sent=now, received=now, remote=PrimaryTime(remote))

    def apply_heartbeat(self, at: float) -> None:
        self.stream.mark_applied(0, 1, [Heartbeat(as_of=datetime.fromtimestamp(at, UTC), partitions=1)])

    def stream_age(self) -> float:
        self.metrics.refresh()
        [metric] = self.metrics.gauge("tm_staleness_bound_seconds").collect()
        return metric.samples[0].value


@pytest.fixture
def parts() -> Parts:
    return Parts()


def known(
    tenant: str = "team-a", *, proven_at: float = 2000, tenant_revision: int = 3, min_revision: int = 0
) -> KnownEntry:
    key, forever = RouteKey(tenant, "payments", "prod", "v1"), LocalTime(math.inf)
    entry = Entry(key, State.INACTIVE, None, 1, LocalTime(1000), forever, PrimaryTime(proven_at), tenant_revision)
    return KnownEntry(entry, min_revision)


def test_missing_events_of_a_tenant_keep_heartbeats_from_its_entries_only(parts: Parts) -> None:
    parts.clock.advance(50)
    parts.stream.mark_gap("team-a", parts.clock.monotonic())
    parts.apply_heartbeat(2100)
    assert parts.bounds.proven_at(known("team-a", proven_at=2040)) == 2040.0
    assert parts.bounds.proven_at(known("team-b", proven_at=2040)) == 2100.0


def test_heartbeat_does_not_renew_an_entry_that_lacks_a_known_change(parts: Parts) -> None:
    parts.apply_heartbeat(2100)
    assert parts.bounds.proven_at(known(min_revision=4)) == 2000.0
    assert parts.bounds.proven_at(known(min_revision=3)) == 2100.0


@pytest.mark.parametrize(("own", "revision"), [(1, 1), (2, 5), (4, 5), (5, 5), (6, 6)])
def test_entry_has_the_applied_revisions_that_follow_its_own_without_a_gap(
    parts: Parts, own: int, revision: int
) -> None:
    for each in (3, 4, 5):
        parts.watermarks.advance("team-a", each)
    assert parts.bounds.revision(known(tenant_revision=own)) == revision


def test_consistency_holds_at_its_exact_limit(parts: Parts) -> None:
    now = parts.clock.monotonic()
    assert parts.bounds.bound(known(), now) == 0
    assert parts.bounds.satisfies(known(), ReadConsistency(max_age=0), now)
    assert not parts.bounds.satisfies(known(proven_at=1999), ReadConsistency(max_age=0.9), now)
    assert parts.bounds.satisfies(known(), ReadConsistency(min_revision=3), now)
    assert not parts.bounds.satisfies(known(), ReadConsistency(min_revision=4), now)


def test_entry_without_a_bound_satisfies_a_caller_who_demands_none(parts: Parts) -> None:
    unproven, now = known(proven_at=-math.inf), parts.clock.monotonic()
    assert parts.bounds.bound(unproven, now) is None
    assert parts.bounds.satisfies(unproven, ANY, now)
    assert not parts.bounds.satisfies(unproven, ReadConsistency(max_age=3600), now)


def test_gauge_has_the_age_of_the_stream_and_none_for_ambiguous_times(parts: Parts) -> None:
    assert parts.stream_age() == math.inf
    parts.apply_heartbeat(1990)
    assert parts.stream_age() == 10
    parts.clock.advance(1)
    parts.read_primary_time(1995)
    assert parts.stream_age() == math.inf
