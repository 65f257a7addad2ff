import asyncio
from contextlib import AsyncExitStack

import pytest

from shared.runtime.health import DependencyHealth
from shared.runtime.metrics import Metrics
from shared.runtime.resilience import (
    OPEN_SECONDS,
    SILENT_CALLS,
    SILENT_SECONDS,
    WINDOW,
    Breaker,
    BreakerState,
    DependencyUnavailable,
    Guard,
)
from shared.runtime.service import Service
from tests.support.clocks import MovableClock

CONCURRENCY = 3


def guard(
    clock: MovableClock,
    health: DependencyHealth | None = None,
    *,
    timeout: float = 1.0,
    metrics: Metrics | None = None,
) -> Guard:
    return Guard(
        "redis",
        timeout=timeout,
        failures=(ConnectionError,),
        clock=clock,
        health=health or DependencyHealth(required=False),
        metrics=metrics or Metrics(Service.DATA_PLANE),
        at_once=CONCURRENCY,
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


def test_breaker_stays_closed_while_fewer_than_half_of_the_calls_fail() -> None:
    breaker = Breaker(MovableClock())
    for turn in range(100):
        breaker.record(ok=turn % 5 < 3)
    assert breaker.state is BreakerState.CLOSED


def healthy_breaker(clock: MovableClock) -> Breaker:
    breaker = Breaker(clock)
    for _ in range(WINDOW):
        breaker.record(ok=True)
    return breaker


def test_breaker_opens_for_a_silent_dependency_whatever_succeeded_before() -> None:
    clock = MovableClock()
    breaker = healthy_breaker(clock)
    clock.advance(SILENT_SECONDS)
    states = []
    for _ in range(SILENT_CALLS):
        breaker.record(ok=False, is_silent=True)
        states.append(breaker.state)
    assert states == [*[BreakerState.CLOSED] * (SILENT_CALLS - 1), BreakerState.OPEN]


def test_calls_that_time_out_together_after_a_pause_of_this_process_do_not_open_the_breaker() -> None:
    clock = MovableClock()
    breaker = healthy_breaker(clock)
    clock.advance(SILENT_SECONDS * 0.9)
    for _ in range(SILENT_CALLS + 1):
        breaker.record(ok=False, is_silent=True)
    assert breaker.state is BreakerState.CLOSED


@pytest.mark.parametrize("ok", [True, False])
def test_response_of_any_kind_ends_the_silence(ok: bool) -> None:
    clock = MovableClock()
    breaker = healthy_breaker(clock)
    for _ in range(3):
        clock.advance(SILENT_SECONDS)
        for _ in range(SILENT_CALLS - 1):
            breaker.record(ok=False, is_silent=True)
        breaker.record(ok=ok)
    assert breaker.state is BreakerState.CLOSED


def test_open_breaker_allows_one_trial_call_after_its_open_time() -> None:
    clock = MovableClock()
    breaker = open_breaker(clock)
    assert not breaker.allows()
    clock.advance(OPEN_SECONDS)
    assert [breaker.allows() for _ in range(3)] == [True, False, False]


@pytest.mark.parametrize(("ok", "after"), [(True, BreakerState.CLOSED), (False, BreakerState.OPEN)])
def test_trial_call_closes_or_reopens_the_breaker(ok: bool, after: BreakerState) -> None:
    clock = MovableClock()
    breaker = open_breaker(clock)
    clock.advance(OPEN_SECONDS)
    assert breaker.allows()
    breaker.record(ok=ok)
    assert breaker.state is after


def test_breaker_allows_another_trial_call_when_the_first_never_reports() -> None:
    clock = MovableClock()
    breaker = open_breaker(clock)
    clock.advance(OPEN_SECONDS)
    assert breaker.allows()
    clock.advance(OPEN_SECONDS)
    assert breaker.allows()


async def test_failing_dependency_is_not_called_while_its_breaker_is_open() -> None:
    clock = MovableClock()
    guarded = guard(clock)
    for _ in range(5):
        await fail(guarded)
    is_called = False
    with pytest.raises(DependencyUnavailable, match="not called"):
        async with guarded.call():
            is_called = True
    assert not is_called


async def test_call_fails_at_its_timeout_and_health_has_the_reason() -> None:
    health = DependencyHealth(required=True)
    with pytest.raises(DependencyUnavailable, match=r"no response within 0.01 s"):
        async with guard(MovableClock(), health, timeout=0.01).call():
            await asyncio.sleep(10)
    assert (health.up, health.reason) == (False, "no response within 0.01 s")
    assert health.detail == "not answering; the log says why"


async def test_frozen_dependency_is_not_called_after_three_timeouts_though_all_calls_before_succeeded() -> None:
    clock = MovableClock()
    guarded = guard(clock, timeout=0.001)
    for _ in range(WINDOW):
        async with guarded.call():
            pass
    clock.advance(SILENT_SECONDS)
    for _ in range(SILENT_CALLS):
        with pytest.raises(DependencyUnavailable, match="no response"):
            async with guarded.call():
                await asyncio.sleep(60)
    with pytest.raises(DependencyUnavailable, match="not called"):
        async with guarded.call():
            pass


async def test_domain_error_is_raised_unchanged_and_counts_as_success() -> None:
    health = DependencyHealth(required=True)
    guarded = guard(MovableClock(), health)
    for _ in range(50):
        with pytest.raises(KeyError):
            async with guarded.call():
                raise KeyError("no such route")
    assert health.up is True


async def test_health_is_the_result_of_the_last_call() -> None:
    health = DependencyHealth(required=True)
    guarded = guard(MovableClock(), health)
    await fail(guarded)
    assert health.up is False
    async with guarded.call():
        pass
    assert health.up is True


async def test_call_can_have_its_own_timeout() -> None:
    guarded = guard(MovableClock(), timeout=60)
    with pytest.raises(DependencyUnavailable, match=r"no response within 0.01 s"):
        async with guarded.call(within=0.01):
            await asyncio.sleep(10)


async def test_waiting_for_the_bulkhead_is_not_a_failure_of_the_dependency() -> None:
    health = DependencyHealth(required=True)
    guarded = guard(MovableClock(), health, timeout=0.01)
    async with AsyncExitStack() as calls:
        for _ in range(CONCURRENCY):
            await calls.enter_async_context(guarded.call(within=60))
        for _ in range(50):
            with pytest.raises(DependencyUnavailable, match="limit of concurrent calls"):
                async with guarded.call():
                    pass
    async with guarded.call():
        pass
    assert health.up is True


async def test_pool_shows_the_slots_in_use_and_the_calls_that_wait() -> None:
    metrics = Metrics(Service.DATA_PLANE)
    guarded = guard(MovableClock(), metrics=metrics)

    def pool() -> dict[str, float]:
        metrics.refresh()
        gauge = metrics.gauge("tm_pool_connections")
        return {each: gauge.labels("redis", each)._value.get() for each in ("used", "idle", "waiting")}  # noqa: SLF001

    async def call() -> None:
        async with guarded.call(within=60):
            pass

    async with AsyncExitStack() as calls:
        for _ in range(CONCURRENCY):
            await calls.enter_async_context(guarded.call(within=60))
        waiting = asyncio.create_task(call())
        await asyncio.sleep(0)
        assert pool() == {"used": CONCURRENCY, "idle": 0, "waiting": 1}
    await waiting
    assert pool() == {"used": 0, "idle": CONCURRENCY, "waiting": 0}


async def test_timeout_of_a_call_begins_when_it_has_its_slot() -> None:
    health = DependencyHealth(required=True)
    guarded = guard(MovableClock(), health, timeout=0.2)
    began: list[float] = []
    loop = asyncio.get_running_loop()

    async def call() -> None:
        async with guarded.call():
            began.append(loop.time())
            await asyncio.sleep(60)

    async with AsyncExitStack() as calls:
        for _ in range(CONCURRENCY):
            await calls.enter_async_context(guarded.call(within=60))
        waiting = asyncio.create_task(call())
        queued_at = loop.time()
        await asyncio.sleep(0.1)
    with pytest.raises(DependencyUnavailable, match=r"no response within 0\.2 s"):
        await waiting
    assert began[0] >= queued_at + 0.1
    assert loop.time() >= began[0] + 0.2


async def test_waiting_call_is_not_made_when_the_breaker_opens_before_its_slot_is_free() -> None:
    guarded = guard(MovableClock(), timeout=60)
    for _ in range(4):
        await fail(guarded)
    is_called, is_queued = False, asyncio.Event()

    async def fail_last() -> None:
        async with guarded.call():
            await is_queued.wait()
            raise ConnectionError("refused")

    async def call() -> None:
        nonlocal is_called
        is_queued.set()
        async with guarded.call():
            is_called = True

    async with AsyncExitStack() as calls:
        for _ in range(CONCURRENCY - 1):
            await calls.enter_async_context(guarded.call())
        failing = asyncio.create_task(fail_last())
        waiting = asyncio.create_task(call())
        with pytest.raises(DependencyUnavailable, match="refused"):
            await failing
        with pytest.raises(DependencyUnavailable, match="not called"):
            await waiting
    assert not is_called
