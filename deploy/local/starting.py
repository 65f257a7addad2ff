"""Starts several servers concurrently."""

import asyncio
import time
from collections.abc import Sequence
from typing import Protocol

from deploy.local.errors import LocalServerError
from deploy.local.progress import Progress


class Step(Protocol):
    """A server, or another step of a start."""

    @property
    def name(self) -> str: ...

    async def start(self) -> None: ...

    async def is_running(self) -> bool: ...


async def start_all(chains: Sequence[Sequence[Step]], progress: Progress) -> None:
    """Start all chains concurrently, and the steps of a chain in order.

    Raises:
        LocalServerError: the first failure. It cancels the other starts; running servers keep running.
    """
    try:
        async with asyncio.TaskGroup() as group:
            for chain in chains:
                group.create_task(_start_in_order(chain, progress))
    except BaseExceptionGroup as failures:
        # Not `except*`: it would raise the error inside a group, and callers print the message of a single error.
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
            progress.failed(step.name, "cancelled")
            raise
        except BaseException:
            progress.failed(step.name, "failed")
            raise
        outcome = "ready" if await step.is_running() else "done"  # a migration does not keep running
        progress.ready(
            step.name, "already running" if was_running else f"{outcome} in {time.monotonic() - began:.1f} s"
        )


def _first(failures: BaseExceptionGroup[LocalServerError]) -> LocalServerError:
    """The first error. Groups are nested when several chains fail."""
    first = failures.exceptions[0]
    return _first(first) if isinstance(first, BaseExceptionGroup) else first
