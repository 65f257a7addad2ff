"""Ending what an earlier command started, however that command ended."""

import asyncio
import signal
from collections.abc import Set

from deploy.local import process
from deploy.local.state import StateDirectory

_STOP_SECONDS = 30.0


async def stop_all_but(names: Set[str], state: StateDirectory) -> None:
    """Stop every process of the state directory whose name is not among `names`.

    That is what the state file holds, and what carries the directory's mark without being in the file because the
    command that started it was killed before it could write.
    """
    carried = {mark.removeprefix(state.mark("")) for mark in process.marks_below(state.mark(""))}
    async with asyncio.TaskGroup() as group:
        for name in (carried | set(state.read().processes)) - names:
            group.create_task(_stop(name, state))


async def _stop(name: str, state: StateDirectory) -> None:
    found = process.find(state.read().processes.get(name))
    if found:
        await process.stop(found, signal.SIGTERM, _STOP_SECONDS)
    await process.end_marked(state.mark(name), _STOP_SECONDS)
    with state.update() as remembered:
        remembered.processes.pop(name, None)
