from hypothesis import given
from hypothesis import strategies as st

from shared.runtime.token_buckets import Rate, TokenBuckets

rates = st.builds(Rate, st.floats(0.1, 1000), st.integers(1, 100))
pauses = st.lists(st.floats(0, 5), max_size=60)


def _taken(buckets: TokenBuckets, name: str, now: float) -> bool:
    if buckets.level(name, now).remaining < 1:
        return False
    buckets.take(name, now)
    return True


@given(rates, pauses)
def test_no_interval_admits_more_than_the_burst_and_the_rate(rate: Rate, pauses: list[float]) -> None:
    buckets, now, taken = TokenBuckets(rate), 1000.0, list[float]()
    for pause in pauses:
        now += pause
        taken += [now for _ in range(rate.burst + 1) if _taken(buckets, "a", now)]
    for first, start in enumerate(taken):
        allowed = rate.burst + rate.per_second * (taken[-1] - start)
        assert len(taken) - first <= allowed + 1e-3 * len(taken) + 1


@given(rates, st.integers(0, 100))
def test_caller_that_waits_for_the_next_token_is_admitted(rate: Rate, before: int) -> None:
    buckets, now = TokenBuckets(rate), 1000.0
    for _ in range(before):
        _taken(buckets, "a", now)
    now += buckets.level("a", now).next_after_seconds
    assert _taken(buckets, "a", now)


@given(rates)
def test_emptied_bucket_is_full_after_its_window(rate: Rate) -> None:
    buckets = TokenBuckets(rate)
    assert [_taken(buckets, "a", 0.0) for _ in range(rate.burst + 1)] == [True] * rate.burst + [False]
    emptied = buckets.level("a", 0.0)
    assert emptied.remaining == 0
    assert emptied.full_after_seconds <= rate.window_seconds + 1e-6
    assert buckets.level("a", emptied.full_after_seconds).remaining == rate.burst


def test_buckets_are_independent() -> None:
    buckets = TokenBuckets(Rate(1, 1))
    assert _taken(buckets, "a", 0.0)
    assert not _taken(buckets, "a", 0.0)
    assert _taken(buckets, "b", 0.0)


def test_least_recently_used_bucket_is_dropped_first() -> None:
    buckets = TokenBuckets(Rate(1, 10), max_buckets=3)
    for name in ("a", "b", "a", "c", "d"):
        buckets.take(name, 0.0)
    assert len(buckets) == 3
    assert [buckets.level(name, 0.0).remaining for name in "abcd"] == [8, 10, 9, 9]
