"""The progress of resolver processes towards a change set, by their statuses."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from control_plane.domain.fleet import Member
from control_plane.domain.propagation import LONGEST_COMMIT, ApplyState, Position, Publication, propagation_of
from shared.schemas.resolver_status import GONE_SECONDS, PartitionStatus, ResolverStatus
from tests.fakes.control_plane_propagation import STARTED, status_of

COMMITTED = datetime(2026, 3, 2, 16, 5, 12, tzinfo=UTC)
LANDED = Publication("team-a", 42, COMMITTED, 1.0, True, Position(0, 100))
WAITING = Publication("team-a", 42, COMMITTED, 1.0, False, None)
LONG_AGO = Publication("team-a", 42, COMMITTED, 90_000, True, None)


def apply_states(publication: Publication, *members: Member) -> list[str]:
    return [each.apply_state.value for each in propagation_of(publication, members, publication.age_seconds).processes]


def member(next_offset: int, silent: float = 1.0, as_of: datetime | None = None) -> Member:
    return Member(status_of(f"at-{next_offset}", next_offset, as_of=as_of), silent)


@pytest.mark.parametrize(
    ("next_offset", "apply_state", "records"),
    [(0, "lagging", 101), (100, "lagging", 1), (101, "applied", 0), (999, "applied", 0)],
)
def test_process_has_applied_the_records_before_its_offset(next_offset: int, apply_state: str, records: int) -> None:
    [progress] = propagation_of(LANDED, [member(next_offset)], age_seconds=3.5).processes
    assert (progress.apply_state, progress.lag_records) == (apply_state, records)
    assert progress.lag_seconds == (3.5 if records else 0)


def test_process_without_the_partition_has_an_unknown_lag() -> None:
    elsewhere = Member(status_of("elsewhere", 999, partition=1), 1.0)
    [progress] = propagation_of(LANDED, [elsewhere], 1.0).processes
    assert (progress.apply_state, progress.lag_records) == (ApplyState.LAGGING, None)


def test_unpublished_change_set_is_applied_by_no_process() -> None:
    assert apply_states(WAITING, member(999, as_of=COMMITTED + timedelta(hours=1))) == ["lagging"]


def test_later_heartbeat_in_every_partition_proves_a_change_set_without_position_applied() -> None:
    late, early = COMMITTED + LONGEST_COMMIT, COMMITTED + LONGEST_COMMIT - timedelta(milliseconds=1)
    assert apply_states(LONG_AGO, member(5, as_of=late), member(5, as_of=early), member(5)) == [
        "applied",
        "lagging",
        "lagging",
    ]
    both = tuple(
        PartitionStatus(partition=each, next_offset=1, as_of=as_of) for each, as_of in enumerate((late, early))
    )
    status = ResolverStatus(instance="both", version="1", started_at=STARTED, partitions=both)
    assert apply_states(LONG_AGO, Member(status, 1.0)) == ["lagging"]


def test_silent_process_is_gone_even_if_it_applied_the_change_set() -> None:
    assert apply_states(LANDED, member(101, GONE_SECONDS), member(1, GONE_SECONDS)) == ["gone", "gone"]


def test_live_everywhere_needs_an_applied_process_and_no_lagging_one() -> None:
    def is_live(*members: Member) -> bool:
        return propagation_of(LANDED, members, 1.0).is_live_everywhere

    assert is_live(member(101))
    assert is_live(member(101), member(1, GONE_SECONDS))
    assert not is_live(member(101), member(1))
    assert not is_live(member(101, GONE_SECONDS))
    assert not is_live()


@given(st.lists(st.tuples(st.integers(0, 200), st.floats(0, 30)), max_size=6), st.integers(0, 200))
def test_change_set_is_never_live_before_one_with_an_earlier_offset(
    statuses: list[tuple[int, float]], offset: int
) -> None:
    members = [
        Member(status_of(str(number), next_offset), silent) for number, (next_offset, silent) in enumerate(statuses)
    ]

    def is_live(at: int) -> bool:
        return propagation_of(Publication("t", 1, COMMITTED, 1, True, Position(0, at)), members, 1).is_live_everywhere

    assert is_live(offset) <= is_live(max(0, offset - 1))
    live = [next_offset for next_offset, silent in statuses if silent < GONE_SECONDS]
    assert is_live(offset) == (bool(live) and min(live) > offset)
