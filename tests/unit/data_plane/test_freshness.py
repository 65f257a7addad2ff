"""When suspect entries are loaded again: each soon after the first mark, and not all at once."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from data_plane.domain.active_value import ActiveValue
from data_plane.domain.entry import Entry, State, TtlPolicy
from data_plane.service.cache.freshness import SPREAD_SECONDS, Freshness
from shared.runtime.clock import LocalTime
from shared.runtime.metrics import Metrics
from shared.runtime.service import Service
from shared.schemas.identity import RouteKey
from tests.support.clocks import MovableClock

STEP, TENTH = 0.05, 0.1
KEYS = [RouteKey("team-a", f"s{number}", "prod", "v1") for number in range(1000)]
FOREIGN = RouteKey("team-b", "payments", "prod", "v1")
SuspectMark = Callable[[Freshness], None]


def of_the_tenant(freshness: Freshness) -> None:
    freshness.mark_suspect("team-a")


def of_all(freshness: Freshness) -> None:
    freshness.mark_all_suspect(["team-a"])


def of_another(freshness: Freshness) -> None:
    freshness.mark_suspect("team-b")


def nothing(_: Freshness) -> None:
    """Only time passes."""


@pytest.fixture
def clock() -> MovableClock:
    return MovableClock()


def a_freshness(clock: MovableClock) -> Freshness:
    return Freshness(TtlPolicy(), clock, Metrics(Service.DATA_PLANE))


def read(key: RouteKey, clock: MovableClock) -> Entry:
    """An entry without an expiry, which only a suspect mark ends."""
    return Entry(key, State.ACTIVE, ActiveValue("https://v1"), 1, clock.monotonic(), LocalTime(float("inf")))


@pytest.mark.parametrize("mark_suspect", [of_the_tenant, of_all])
def test_suspect_entries_do_not_expire_at_once(clock: MovableClock, mark_suspect: SuspectMark) -> None:
    freshness = a_freshness(clock)
    waiting = [read(key, clock) for key in KEYS]
    mark_suspect(freshness)
    for _ in range(round(SPREAD_SECONDS / TENTH)):
        before = len(waiting)
        waiting = [entry for entry in waiting if freshness.is_fresh(entry, clock.monotonic())]
        assert before - len(waiting) <= len(KEYS) / 10
        clock.advance(TENTH)
    assert not [entry for entry in waiting if freshness.is_fresh(entry, clock.monotonic())]


@pytest.mark.parametrize("mark_suspect", [of_the_tenant, of_all])
@pytest.mark.parametrize("steps_between", [1, 20])
def test_repeated_marks_do_not_postpone_the_expiry(
    clock: MovableClock, mark_suspect: SuspectMark, steps_between: int
) -> None:
    freshness = a_freshness(clock)
    held = {key: read(key, clock) for key in KEYS}
    for step in range(200):
        if step % steps_between == 0:
            mark_suspect(freshness)
        now = clock.monotonic()
        held |= {key: read(key, clock) for key, entry in held.items() if not freshness.is_fresh(entry, now)}
        # The first mark of each came at most so many steps after it was read.
        assert now - min(entry.read_at for entry in held.values()) <= steps_between * STEP + SPREAD_SECONDS + STEP
        clock.advance(STEP)


_steps = st.tuples(
    st.sampled_from([0, 0.01, 0.05, 0.09, 0.11, 0.3, 1, 1.82, 2, 5]),
    st.sampled_from([of_the_tenant, of_all, of_another, nothing]),
)


@given(st.lists(_steps, max_size=60))
def test_entry_stays_fresh_until_shortly_after_its_first_mark(
    steps: list[tuple[float, SuspectMark]],
) -> None:
    clock = MovableClock()
    freshness = a_freshness(clock)
    read_so_far: list[Entry] = []
    marks: list[tuple[float, SuspectMark]] = []
    for seconds, mark_suspect in steps:
        clock.advance(seconds)
        read_so_far += [read(key, clock) for key in (*KEYS[:5], FOREIGN)]
        mark_suspect(freshness)
        marks.append((clock.monotonic(), mark_suspect))
        for entry in read_so_far:
            first = _first_mark(entry, marks)
            is_fresh = freshness.is_fresh(entry, clock.monotonic())
            assert is_fresh or first is not None, f"{entry} was never suspect in {marks}"
            assert not is_fresh or first is None or clock.monotonic() < first + SPREAD_SECONDS, f"{entry} in {marks}"


def _first_mark(entry: Entry, marks: list[tuple[float, SuspectMark]]) -> float | None:
    concerning = {of_all, of_another if entry.key == FOREIGN else of_the_tenant}
    return next(
        (moment for moment, mark_suspect in marks if mark_suspect in concerning and moment >= entry.read_at), None
    )
