"""Another machine's clock: the bounds always hold the truth."""

from hypothesis import given
from hypothesis import strategies as st

from data_plane.domain.remote_clock import RemoteClock

_OFFSET = 1_000_000.0


@given(
    st.lists(st.tuples(st.floats(0, 100), st.floats(0, 0.2), st.floats(0, 1)), min_size=1, max_size=6),
    st.floats(0, 1000),
)
def test_remote_time_is_within_the_bounds(trips: list[tuple[float, float, float]], later: float) -> None:
    clock: RemoteClock[float, float] = RemoteClock()
    now = 0.0
    for pause, round_trip, share in trips:
        sent = now + pause
        now = sent + round_trip
        clock.observe(sent=sent, received=now, remote=_OFFSET + sent + share * round_trip)
    at = now + later
    earliest, latest = clock.earliest(at), clock.latest(at)
    assert earliest is not None
    assert latest is not None
    assert earliest - 1e-6 <= _OFFSET + at <= latest + 1e-6


def test_shorter_round_trip_is_preferred() -> None:
    clock: RemoteClock[float, float] = RemoteClock()
    clock.observe(sent=10, received=10.001, remote=500)
    clock.observe(sent=11, received=11.4, remote=501.2)
    assert (clock.latest(12) or 0) - (clock.earliest(12) or 0) < 0.01


def test_clock_that_was_set_is_adopted_at_once() -> None:
    clock: RemoteClock[float, float] = RemoteClock()
    clock.observe(sent=10, received=10.001, remote=500)
    clock.observe(sent=20, received=20.2, remote=100)
    assert clock.earliest(20.2) == 100


def test_clock_without_a_round_trip_has_no_estimate() -> None:
    clock: RemoteClock[float, float] = RemoteClock()
    assert (clock.earliest(1), clock.latest(1), clock.local_time_of(1, at=1)) == (None, None, None)
