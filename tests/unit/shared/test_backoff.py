from shared.runtime.backoff import Backoff


def highest(_: float, ceiling: float) -> float:
    return ceiling


def test_pauses_double_up_to_the_maximum() -> None:
    backoff = Backoff(5.0, first_seconds=1.0, draw=highest)
    assert [backoff.pause() for _ in range(5)] == [1.0, 2.0, 4.0, 5.0, 5.0]


def test_reset_returns_to_the_first_pause() -> None:
    backoff = Backoff(5.0, first_seconds=1.0, draw=highest)
    backoff.pause()
    backoff.pause()
    backoff.reset()
    assert backoff.pause() == 1.0


def test_pauses_are_jittered_over_the_whole_range() -> None:
    backoff = Backoff(5.0, first_seconds=5.0)
    pauses = [backoff.pause() for _ in range(200)]
    assert min(pauses) < 1.0
    assert max(pauses) > 4.0
    assert all(0 <= each <= 5.0 for each in pauses)


def test_first_pause_is_cut_to_the_maximum() -> None:
    assert Backoff(0.05, first_seconds=0.1, draw=highest).pause() == 0.05


def test_no_pause_is_below_the_minimum() -> None:
    backoff = Backoff(2.0, first_seconds=0.2, shortest_seconds=0.1)
    assert all(0.1 <= backoff.pause() <= 2.0 for _ in range(50))


def test_failures_are_counted_until_a_reset() -> None:
    backoff = Backoff(2.0)
    backoff.pause()
    backoff.pause()
    assert backoff.failures == 2
    backoff.reset()
    assert backoff.failures == 0
