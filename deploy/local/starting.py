"""Starting several servers at once."""

import asyncio
import time
from collections.abc import Sequence
from typing import Protocol

from deploy.local.errors import LocalServerError
from deploy.local.progress import Progress


class Step(Protocol):
    """A server, or something else that comes between servers."""

    @property
    def name(self) -> str: ...

    async def start(self) -> None: ...

    async def is_running(self) -> bool: ...


async def start_all(chains: Sequence[Sequence[Step]], progress: Progress) -> None:
    """Start all chains side by side, and within a chain one step after the other.

    Raises:
        LocalServerError: the first failure; the others are given up, what runs by then keeps running.
    """
    try:
        async with asyncio.TaskGroup() as group:
            for chain in chains:
                group.create_task(_start_in_order(chain, progress))
    except BaseExceptionGroup as failures:
        # Not `except*`: what is raised there comes out inside a group, and nobody shows its message.
        ours = failures.subgroup(LocalServerError)
        if ours is None:
            raise
        raise _first(ours) from None


async def _start_in_order(steps: Sequence[Step], progress: Progress) -> None:
    for step in steps:
        began = time.monotonic()
        was_running = await step.is_running()
        progress.begins(step.name)
        try:
            await step.start()
        except asyncio.CancelledError:
            progress.failed(step.name, "given up")
            raise
        except BaseException:
            progress.failed(step.name, "failed")
            raise
        progress.ready(step.name, "already running" if was_running else f"ready after {time.monotonic() - began:.1f} s")


def _first(failures: BaseExceptionGroup[LocalServerError]) -> LocalServerError:
    """Groups nest when chains fail together."""
    first = failures.exceptions[0]
    return _first(first) if isinstance(first, BaseExceptionGroup) else first
