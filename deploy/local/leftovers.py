"""Ends the processes of earlier commands, including killed ones."""

import asyncio
import signal
from collections.abc import Set

from deploy.local import process
from deploy.local.state import StateDirectory

_STOP_SECONDS = 30.0


async def stop_all_but(names: Set[str], state: StateDirectory) -> None:
    """Stop every process of the state directory whose name is not among `names`.

    These are the processes in the state file, and those with the directory's mark in their environment: a command that
    was killed could not write them to the file.
    """
    marked = {mark.removeprefix(state.mark("")) for mark in process.marks_with_prefix(state.mark(""))}
    async with asyncio.TaskGroup() as group:
        for name in (marked | set(state.read().processes)) - names:
            group.create_task(_stop(name, state))


async def _stop(name: str, state: StateDirectory) -> None:
    found = process.find(state.read().processes.get(name))
    if found:
        await process.stop(found, signal.SIGTERM, _STOP_SECONDS)
    await process.end_marked(state.mark(name), _STOP_SECONDS)
    with state.update() as remembered:
        remembered.processes.pop(name, None)
