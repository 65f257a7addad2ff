"""The stream coverage: up to which time every change was received, by heartbeats of every partition."""

from collections.abc import Mapping
from datetime import UTC, datetime

import pytest

from data_plane.domain.remote_clock import UNPROVEN
from data_plane.domain.stream_coverage import StreamCoverage
from shared.runtime.clock import LocalTime
from shared.schemas.events import Heartbeat

TENANT = "team-a"
NEVER_OPENED = LocalTime(float("inf"))


def a_heartbeat(at: float, *, partitions: int = 2) -> Heartbeat:
    return Heartbeat(as_of=datetime.fromtimestamp(at, UTC), partitions=partitions)


def a_coverage(offsets: Mapping[int, int] | None = None) -> StreamCoverage:
    coverage = StreamCoverage()
    coverage.begin({0: 0, 1: 0} if offsets is None else offsets, at=LocalTime(100), resumed=False)
    return coverage


def test_heartbeat_counts_once_every_partition_has_one() -> None:
    coverage = a_coverage()
    coverage.mark_applied(0, 1, [a_heartbeat(500)])
    assert coverage.until == UNPROVEN
    coverage.mark_applied(1, 1, [a_heartbeat(400)])
    assert coverage.until == 400.0


@pytest.mark.parametrize("partitions", [1, 3])
def test_heartbeat_for_another_number_of_partitions_is_ignored(partitions: int) -> None:
    coverage = a_coverage()
    for partition in (0, 1):
        coverage.mark_applied(partition, 1, [a_heartbeat(400)])
        coverage.mark_applied(partition, 2, [a_heartbeat(500, partitions=partitions)])
    assert coverage.until == 400.0
    assert coverage.offsets == {0: 2, 1: 2}


def test_heartbeat_of_a_delayed_relay_does_not_lower_the_covered_time() -> None:
    coverage = a_coverage()
    for partition in (0, 1):
        coverage.mark_applied(partition, 1, [a_heartbeat(500)])
    changes = coverage.changes
    for partition in (0, 1):
        coverage.mark_applied(partition, 2, [a_heartbeat(490)])
    assert coverage.until == 500.0
    assert coverage.heartbeats == {0: 500.0, 1: 500.0}
    assert coverage.changes == changes


def test_later_of_two_heartbeats_of_one_batch_counts() -> None:
    coverage = a_coverage({0: 0})
    coverage.mark_applied(0, 2, [a_heartbeat(500, partitions=1), a_heartbeat(400, partitions=1)])
    assert coverage.until == 500.0


def test_new_partition_has_no_heartbeat_and_a_removed_one_no_longer_counts() -> None:
    coverage = a_coverage()
    for partition in (0, 1):
        coverage.mark_applied(partition, 1, [a_heartbeat(500)])
    coverage.begin({0: 1, 1: 1, 2: 0}, at=LocalTime(200), resumed=True)
    assert coverage.heartbeats == {0: 500.0, 1: 500.0, 2: UNPROVEN}
    coverage.mark_applied(0, 2)
    assert coverage.until == UNPROVEN
    coverage.begin({0: 2}, at=LocalTime(300), resumed=True)
    assert coverage.heartbeats == {0: 500.0}
    assert coverage.offsets == {0: 2}


def test_stream_covers_nothing_before_it_is_open() -> None:
    assert StreamCoverage().since(TENANT) == NEVER_OPENED
    assert StreamCoverage().until == UNPROVEN


def test_resumed_stream_covers_from_its_first_opening() -> None:
    coverage = a_coverage()
    coverage.mark_gap(TENANT, LocalTime(150))
    changes = coverage.changes
    coverage.begin({0: 7, 1: 7}, at=LocalTime(200), resumed=True)
    assert (coverage.since("team-b"), coverage.since(TENANT)) == (100.0, 150.0)
    assert coverage.changes == changes


def test_stream_opened_anew_covers_every_tenant_from_then_on() -> None:
    coverage = a_coverage()
    coverage.mark_gap(TENANT, LocalTime(300))
    changes = coverage.changes
    coverage.begin({0: 7, 1: 7}, at=LocalTime(200), resumed=False)
    assert (coverage.since("team-b"), coverage.since(TENANT)) == (200.0, 200.0)
    assert coverage.changes == changes + 1


def test_resumed_stream_of_a_new_process_covers_from_then_on() -> None:
    coverage = StreamCoverage()
    coverage.begin({0: 7}, at=LocalTime(200), resumed=True)
    assert coverage.since(TENANT) == 200.0


def test_missing_events_concern_their_tenant_only_and_never_extend_the_coverage() -> None:
    coverage = a_coverage()
    changes = coverage.changes
    coverage.mark_gap(TENANT, LocalTime(150))
    assert (coverage.since(TENANT), coverage.since("team-b")) == (150.0, 100.0)
    assert coverage.changes == changes + 1
    coverage.mark_gap(TENANT, LocalTime(50))
    assert coverage.since(TENANT) == 100.0


def test_every_change_of_the_covered_time_is_counted_once() -> None:
    coverage = a_coverage({0: 0})
    changes = coverage.changes
    for number in (1, 2):
        coverage.mark_applied(0, number, [a_heartbeat(500 + number, partitions=1)])
        assert coverage.changes == changes + number


def test_partition_that_was_not_among_the_first_offsets_counts() -> None:
    coverage = a_coverage({})
    coverage.mark_applied(0, 1)
    assert coverage.until == UNPROVEN
    coverage.mark_applied(0, 2, [a_heartbeat(500, partitions=1)])
    assert coverage.until == 500.0
