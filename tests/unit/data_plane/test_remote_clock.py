"""The clock of another machine: its true time is always within the bounds."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from data_plane.domain.remote_clock import DRIFT, RemoteClock, RoundTrip

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


@pytest.mark.parametrize("drift", [-DRIFT, DRIFT])
@pytest.mark.parametrize("seconds", [-100_000.0, -10.0, 0.0, 10.0, 100_000.0])
@pytest.mark.parametrize("share", [0.0, 1.0], ids=["read when sent", "read when received"])
def test_bounds_hold_for_either_sign_of_drift_before_and_after_the_round_trip(
    drift: float, seconds: float, share: float
) -> None:
    sent, received, remote = 200_000.0, 200_000.2, 5_000_000.0
    read_at = sent + share * (received - sent)
    clock: RemoteClock[float, float] = RemoteClock()
    clock.observe(sent=sent, received=received, remote=remote)
    at = read_at + seconds
    shown = remote + seconds * (1 + drift)
    trip = clock.round_trip
    assert trip is not None
    for bounds in (clock, trip):
        earliest, latest = bounds.earliest(at), bounds.latest(at)
        assert earliest is not None
        assert latest is not None
        assert earliest - 1e-6 <= shown <= latest + 1e-6
    age = clock.age(shown, at)
    assert age is not None
    assert age >= -1e-6
    local = clock.local_time_of(shown, at=at)
    assert local is not None
    assert local <= at + 1e-6


@pytest.mark.parametrize("seconds", [-1000.0, 1000.0])
def test_uncertainty_grows_with_the_distance_from_the_round_trip(seconds: float) -> None:
    trip = RoundTrip(10.0, 10.0, 500.0)
    assert trip.error(10.0) == 0
    assert trip.error(10.0 + seconds) == pytest.approx(1000 * DRIFT)
    assert trip.latest(10.0 + seconds) == pytest.approx(500 + seconds + 1000 * DRIFT)
    assert trip.earliest(10.0 + seconds) == pytest.approx(500 + seconds - 1000 * DRIFT)


def test_every_change_of_the_estimate_is_counted() -> None:
    clock: RemoteClock[float, float] = RemoteClock()
    clock.observe(sent=10, received=10.001, remote=500)
    assert (clock.changes, clock.set_at) == (1, -math.inf)
    clock.observe(sent=11, received=11.4, remote=501.2)
    assert clock.changes == 1, "the shorter round trip is kept"
    clock.observe(sent=20, received=20.2, remote=100)
    assert (clock.changes, clock.set_at) == (2, 20.2)


def test_recalled_round_trip_is_used_if_it_is_closer_and_refused_if_it_contradicts() -> None:
    clock: RemoteClock[float, float] = RemoteClock()
    first = RoundTrip(1.0, 1.01, 501.0)
    assert clock.recall(first, at=2.0) is False
    assert (clock.round_trip, clock.changes) == (first, 1)
    assert clock.recall(RoundTrip(0.0, 1.0, 500.5), at=2.0) is False
    assert (clock.round_trip, clock.changes) == (first, 1)
    closer = RoundTrip(1.5, 1.505, 501.5)
    assert clock.recall(closer, at=2.0) is False
    assert (clock.round_trip, clock.changes, clock.set_at) == (closer, 2, -math.inf)
    assert clock.recall(RoundTrip(1.0, 1.0, 400.0), at=2.0) is True
    assert (clock.round_trip, clock.changes, clock.set_at) == (closer, 3, 2.0)


def test_times_of_a_clock_that_was_set_back_are_ambiguous_until_it_has_passed_them() -> None:
    clock: RemoteClock[float, float] = RemoteClock()
    clock.observe(sent=10, received=10, remote=500)
    assert clock.ambiguous_until == -math.inf
    clock.observe(sent=20, received=20, remote=400)
    assert clock.ambiguous_until == pytest.approx(510, abs=0.01)
    assert clock.ambiguous_until > 510
    clock.observe(sent=30, received=30, remote=310)
    assert clock.ambiguous_until == pytest.approx(510, abs=0.01), "the latest time that the clock had before"


def test_times_since_a_clock_was_set_ahead_are_not_ambiguous() -> None:
    clock: RemoteClock[float, float] = RemoteClock()
    clock.observe(sent=10, received=10, remote=500)
    clock.observe(sent=20, received=20, remote=600)
    assert 510 < clock.ambiguous_until < 511


def test_times_of_a_recalled_clock_that_was_set_back_are_ambiguous() -> None:
    clock: RemoteClock[float, float] = RemoteClock()
    clock.observe(sent=10, received=10, remote=500)
    assert clock.recall(RoundTrip(1.0, 1.0, 900.0), at=11.0) is True
    assert 910 < clock.ambiguous_until < 911


def test_clock_may_drift_from_the_first_moment_on() -> None:
    trip = RoundTrip(10.0, 10.0, 500.0)
    for at, sign in ((10.5, 1), (9.5, -1)):
        assert trip.latest(at) == pytest.approx(500 + sign * 0.5 + 0.5 * DRIFT, abs=1e-9, rel=0)
        assert trip.earliest(at) == pytest.approx(500 + sign * 0.5 - 0.5 * DRIFT, abs=1e-9, rel=0)
        clock: RemoteClock[float, float] = RemoteClock()
        clock.observe(sent=trip.sent, received=trip.received, remote=trip.remote)
        assert (clock.latest(at), clock.age(0, at)) == (trip.latest(at), trip.latest(at))
