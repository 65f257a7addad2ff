"""Calls for the same key are coalesced."""

import asyncio

import pytest

from data_plane.service.watch.tenant_snapshot import SingleFlight


class SlowLoad:
    """Counts its runs; each ends when the test says so."""

    def __init__(self) -> None:
        self.runs = 0
        self.may_end = asyncio.Event()

    async def __call__(self, key: str) -> str:
        self.runs += 1
        await self.may_end.wait()
        return f"{key} loaded"


async def test_waiters_for_one_key_share_a_load() -> None:
    flights, load = SingleFlight[str, str](), SlowLoad()
    waiters = [asyncio.create_task(flights.run("a", load)) for _ in range(5)]
    other = asyncio.create_task(flights.run("b", load))
    await asyncio.sleep(0)
    load.may_end.set()
    assert [await each for each in waiters] == ["a loaded"] * 5
    assert await other == "b loaded"
    assert load.runs == 2


async def test_cancelled_waiter_does_not_cancel_the_load() -> None:
    flights, load = SingleFlight[str, str](), SlowLoad()
    first, second = (asyncio.create_task(flights.run("a", load)) for _ in range(2))
    await asyncio.sleep(0)
    first.cancel()
    await asyncio.sleep(0)
    load.may_end.set()
    assert await second == "a loaded"
    assert first.cancelled()


async def test_next_load_starts_anew_after_a_failed_one() -> None:
    flights, load = SingleFlight[str, str](), SlowLoad()
    load.may_end.set()

    async def fail(_: str) -> str:
        raise ValueError

    with pytest.raises(ValueError):  # noqa: PT011 - the load's own error
        await flights.run("a", fail)
    assert await flights.run("a", load) == "a loaded"


async def test_close_cancels_loads_in_progress() -> None:
    flights, load = SingleFlight[str, str](), SlowLoad()
    waiter = asyncio.create_task(flights.run("a", load))
    await asyncio.sleep(0)
    await flights.close()
    with pytest.raises(asyncio.CancelledError):
        await waiter
    load.may_end.set()
    assert await flights.run("a", load) == "a loaded"
