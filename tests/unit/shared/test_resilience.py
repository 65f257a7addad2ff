import asyncio
from contextlib import AsyncExitStack

import pytest

from shared.runtime.health import DependencyHealth
from shared.runtime.metric_catalogue import Service
from shared.runtime.metrics import Metrics
from shared.runtime.resilience import OPEN_SECONDS, Breaker, BreakerState, DependencyUnavailable, Guard
from tests.support.clocks import MovableClock

PLACES = 3


def guard(clock: MovableClock, health: DependencyHealth | None = None, *, timeout: float = 1.0) -> Guard:
    return Guard(
        "redis",
        timeout=timeout,
        failures=(ConnectionError,),
        clock=clock,
        health=health or DependencyHealth(required=False),
        metrics=Metrics(Service.DATA_PLANE),
        at_once=PLACES,
    )


async def fail(guarded: Guard) -> None:
    with pytest.raises(DependencyUnavailable):
        async with guarded.call():
            raise ConnectionError("refused")


def open_breaker(clock: MovableClock) -> Breaker:
    breaker = Breaker(clock)
    while breaker.state is BreakerState.CLOSED:
        breaker.record(ok=False)
    return breaker


def test_breaker_stays_closed_while_fewer_than_half_fail() -> None:
    breaker = Breaker(MovableClock())
    for turn in range(100):
        breaker.record(ok=turn % 5 < 3)
    assert breaker.state is BreakerState.CLOSED


def test_open_breaker_lets_one_call_through_after_its_time() -> None:
    clock = MovableClock()
    breaker = open_breaker(clock)
    assert not breaker.allows()
    clock.advance(OPEN_SECONDS)
    assert [breaker.allows() for _ in range(3)] == [True, False, False]


@pytest.mark.parametrize(("ok", "after"), [(True, BreakerState.CLOSED), (False, BreakerState.OPEN)])
def test_the_trial_call_decides(ok: bool, after: BreakerState) -> None:
    clock = MovableClock()
    breaker = open_breaker(clock)
    clock.advance(OPEN_SECONDS)
    assert breaker.allows()
    breaker.record(ok=ok)
    assert breaker.state is after


def test_trial_call_that_never_reports_is_followed_by_another() -> None:
    clock = MovableClock()
    breaker = open_breaker(clock)
    clock.advance(OPEN_SECONDS)
    assert breaker.allows()
    clock.advance(OPEN_SECONDS)
    assert breaker.allows()


async def test_failing_dependency_is_not_asked_for_a_while() -> None:
    clock = MovableClock()
    guarded = guard(clock)
    for _ in range(5):
        await fail(guarded)
    asked = False
    with pytest.raises(DependencyUnavailable, match="not asked"):
        async with guarded.call():
            asked = True
    assert not asked


async def test_slow_call_is_unavailable_and_health_says_why() -> None:
    health = DependencyHealth(required=True)
    with pytest.raises(DependencyUnavailable, match=r"no answer within 0.01 s"):
        async with guard(MovableClock(), health, timeout=0.01).call():
            await asyncio.sleep(10)
    assert (health.up, health.detail) == (False, "no answer within 0.01 s")


async def test_error_of_the_domain_passes_through_and_counts_as_an_answer() -> None:
    health = DependencyHealth(required=True)
    guarded = guard(MovableClock(), health)
    for _ in range(50):
        with pytest.raises(KeyError):
            async with guarded.call():
                raise KeyError("no such route")
    assert health.up is True


async def test_health_follows_the_last_call() -> None:
    health = DependencyHealth(required=True)
    guarded = guard(MovableClock(), health)
    await fail(guarded)
    assert health.up is False
    async with guarded.call():
        pass
    assert health.up is True


async def test_one_call_may_have_a_limit_of_its_own() -> None:
    guarded = guard(MovableClock(), timeout=60)
    with pytest.raises(DependencyUnavailable, match=r"no answer within 0.01 s"):
        async with guarded.call(within=0.01):
            await asyncio.sleep(10)


async def test_waiting_for_a_place_is_not_held_against_the_dependency() -> None:
    health = DependencyHealth(required=True)
    guarded = guard(MovableClock(), health, timeout=0.01)
    async with AsyncExitStack() as under_way:
        for _ in range(PLACES):
            await under_way.enter_async_context(guarded.call(within=60))
        for _ in range(50):
            with pytest.raises(DependencyUnavailable, match="too many calls were under way"):
                async with guarded.call():
                    pass
    async with guarded.call():
        pass
    assert health.up is True
