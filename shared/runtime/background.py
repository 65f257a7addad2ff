"""Background work: runs for as long as a block, is repeated when it fails, and stops in order."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import TypeAlias

import structlog

from shared.runtime.backoff import Backoff
from shared.runtime.resilience import DependencyUnavailable

RESTART_SECONDS = 1.0
"""Pause after each failure of work that has no backoff of its own."""

Work: TypeAlias = Callable[[], Awaitable[object]]
_log = structlog.get_logger(__name__)


class Interrupted(Exception):
    """The work cannot go on for a known reason, such as a lost connection, and has to be started again."""


async def supervise(
    work: Work,
    name: str,
    *,
    every_seconds: float = 0.0,
    backoff: Backoff | None = None,
    stopping: asyncio.Event | None = None,
) -> None:
    """Run `work` again and again, until cancelled or until `stopping` is set.

    A run that returns is a success, followed by a pause of `every_seconds`. A run that raises is followed by the
    backoff's pause. Interrupted and DependencyUnavailable are logged once per outage, any other
    exception each time and with its traceback; none of them ends the loop. Work that succeeds long before it returns
    (it follows a stream) shares its `backoff` with this function and resets it itself.
    """
    backoff = backoff or Backoff(RESTART_SECONDS, shortest_seconds=RESTART_SECONDS, first_seconds=RESTART_SECONDS)
    stopping = stopping or asyncio.Event()
    while not stopping.is_set():
        if await _succeeds(work, name, is_first_failure=not backoff.failures):
            if backoff.failures:
                _log.info("background work succeeds again", work=name)
            backoff.reset()
            pause = every_seconds
        else:
            pause = backoff.pause()
        with suppress(TimeoutError):
            async with asyncio.timeout(pause):
                await stopping.wait()


@asynccontextmanager
async def in_background(
    work: Work,
    name: str,
    *,
    every_seconds: float = 0.0,
    backoff: Backoff | None = None,
    stop: Callable[[], object] | None = None,
    grace_seconds: float = 0.0,
) -> AsyncIterator[None]:
    """`supervise` the work in a task of its own for as long as the block runs.

    When the block ends, `stop` is called and the current run has `grace_seconds` to return before it is cancelled.
    """
    stopping = asyncio.Event()
    supervised = supervise(work, name, every_seconds=every_seconds, backoff=backoff, stopping=stopping)
    task = asyncio.create_task(supervised, name=name)
    try:
        yield
    finally:
        stopping.set()
        if stop is not None:
            stop()
        await _end(task, grace_seconds)


async def _succeeds(work: Work, name: str, *, is_first_failure: bool) -> bool:
    try:
        await work()
    except (Interrupted, DependencyUnavailable) as error:
        if is_first_failure:
            _log.warning(
                "background work is interrupted; it is tried again until it succeeds", work=name, why=str(error)
            )
        return False
    except Exception:  # noqa: BLE001 - logged; an error in one piece of background work must not end the process
        _log.exception("background work failed unexpectedly; it is started again", work=name)
        return False
    return True


async def _end(task: asyncio.Task[None], grace_seconds: float) -> None:
    if grace_seconds:
        _, unfinished = await asyncio.wait({task}, timeout=grace_seconds)
        if unfinished:
            _log.warning(
                "background work did not end in time; it is cancelled", work=task.get_name(), seconds=grace_seconds
            )
    task.cancel()
    await asyncio.wait({task})
