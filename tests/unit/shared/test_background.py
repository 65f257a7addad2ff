import asyncio
from collections.abc import Callable

import pytest
import structlog.testing

from shared.runtime.background import Interrupted, in_background, supervise
from shared.runtime.backoff import Backoff
from shared.runtime.resilience import DependencyUnavailable
from tests.support.waiting import eventually


class Work:
    """Fails with each of the given errors in turn, and then waits until it is stopped; counts its runs."""

    def __init__(self, *errors: Exception) -> None:
        self._errors = list(errors)
        self._stopped = asyncio.Event()
        self.runs = 0
        self.has_ended = False

    async def run(self) -> None:
        self.runs += 1
        if self._errors:
            raise self._errors.pop(0)
        await self._stopped.wait()
        self.has_ended = True

    def stop(self) -> None:
        self._stopped.set()

    async def wait_runs(self, count: int) -> None:
        await eventually(_async(lambda: self.runs >= count))


def _async(condition: Callable[[], bool]) -> Callable[[], "asyncio.Future[bool]"]:
    async def check() -> bool:
        return condition()

    return lambda: asyncio.ensure_future(check())


def quick() -> Backoff:
    return Backoff(0.001)


@pytest.mark.parametrize(
    "error", [RuntimeError("a bug"), Interrupted("no topic"), DependencyUnavailable("kafka", "down")]
)
async def test_work_that_fails_is_run_again(error: Exception) -> None:
    work = Work(error, error)
    async with in_background(work.run, "test", backoff=quick()):
        await work.wait_runs(3)


async def test_work_that_returns_is_run_again_after_its_interval() -> None:
    runs = 0

    async def run() -> None:
        nonlocal runs
        runs += 1

    async with in_background(run, "test", every_seconds=0.001):
        await eventually(_async(lambda: runs >= 3))
    async with in_background(run, "test", every_seconds=60):
        before = runs
        await asyncio.sleep(0.05)
        assert runs == before + 1


async def test_a_known_failure_is_logged_once_per_outage_and_an_unknown_one_each_time() -> None:
    work = Work(Interrupted("first"), Interrupted("second"), RuntimeError("a bug"), RuntimeError("the same bug"))
    with structlog.testing.capture_logs() as logs:
        async with in_background(work.run, "test", backoff=quick()):
            await work.wait_runs(5)
    assert [(each["log_level"], each.get("why")) for each in logs] == [
        ("warning", "first"),
        ("error", None),
        ("error", None),
    ]


async def test_success_after_a_failure_is_logged_and_shortens_the_next_pause() -> None:
    backoff, runs = quick(), 0

    async def fail_once() -> None:
        nonlocal runs
        runs += 1
        if runs == 1:
            raise Interrupted("it is down")

    with structlog.testing.capture_logs() as logs:
        async with in_background(fail_once, "test", every_seconds=0.001, backoff=backoff):
            await eventually(_async(lambda: runs >= 3))
    assert [each["log_level"] for each in logs] == ["warning", "info"]
    assert backoff.failures == 0


async def test_at_the_end_of_the_block_work_is_stopped_and_has_its_grace_to_return() -> None:
    work = Work()
    async with in_background(work.run, "test", stop=work.stop, grace_seconds=5):
        await work.wait_runs(1)
    assert work.has_ended
    assert work.runs == 1


async def test_work_that_does_not_return_within_its_grace_is_cancelled() -> None:
    work = Work()
    with structlog.testing.capture_logs() as logs:
        async with in_background(work.run, "test", grace_seconds=0.01):
            await work.wait_runs(1)
    assert not work.has_ended
    assert [each["event"] for each in logs] == ["background work did not end in time; it is cancelled"]


async def test_stopping_cuts_a_pause_short() -> None:
    work, stopping = Work(Interrupted("it is down")), asyncio.Event()
    pausing = Backoff(60, first_seconds=60, shortest_seconds=60)
    task = asyncio.create_task(supervise(work.run, "test", backoff=pausing, stopping=stopping))
    await work.wait_runs(1)
    await asyncio.sleep(0.02)
    stopping.set()
    async with asyncio.timeout(5):
        await task
    assert work.runs == 1
