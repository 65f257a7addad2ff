"""Clients that send or read as slowly as they can."""

import asyncio
import json
import sys
import time
from asyncio.subprocess import PIPE
from typing import Any
from urllib.parse import urlsplit

import psutil

from bench.faults.row import Row
from bench.faults.trial import Trial
from deploy.local.server import Server
from shared.schemas.access import Role

DRIBBLERS, READERS = 2_000, 4_096
IDLE_SECONDS, NOTICED_SECONDS = 10.0, 1.0
RATIO, MEMORY = 1.2, 100 * 1024 * 1024
SETTLE_SECONDS = 3.0


async def _slow(trial: Trial) -> None:
    """Both kinds at one resolver, whose other callers go on."""
    resolver = await trial.extra_instance("data_plane", "faults-slow-clients", TM_HTTP_IDLE_SECONDS=f"{IDLE_SECONDS:g}")
    readers = trial.load.readers_of(resolver.urls)
    await readers.ask_each_once()
    key = await trial.system.access_key(trial.load.tenants[0], Role.VIEWER)
    async with trial.load.running(readers=readers) as calm:
        await asyncio.sleep(max(trial.calm_seconds, 10))
    before = memory(resolver)
    hostile = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "bench.faults.hostile_clients", str(urlsplit(resolver.urls[0]).port), key),
        *(f"/api/v1/resolve/{trial.load.path_of(0)}", str(DRIBBLERS), str(READERS), str(trial.seconds)),
        stdout=PIPE,
    )
    try:
        async with trial.load.running(readers=readers) as phase:
            highest = await _highest_memory(resolver, trial.seconds)
        output, _ = await hostile.communicate()
    finally:
        if hostile.returncode is None:
            hostile.kill()
            await hostile.wait()
    trial.judged(phase)
    _check(trial, json.loads(output))
    trial.at_most(
        f"p99 of the others' resolves, {1000 * calm.p99:.1f} ms before", 1000 * phase.p99, 1000 * RATIO * calm.p99, "ms"
    )
    trial.at_most("growth of the resolver's memory", round((highest - before) / 2**20), MEMORY / 2**20, "MB")


def _check(trial: Trial, seen: dict[str, Any]) -> None:
    dribblers, readers = seen["dribblers"], seen["readers"]
    trial.at_least("connections of dribblers", dribblers["closed"] + dribblers["open"], DRIBBLERS)
    trial.at_most("of them still open at the end", dribblers["open"], 0, "")
    trial.at_most("the longest of them", dribblers["longest"], IDLE_SECONDS + NOTICED_SECONDS)
    trial.notes.append(
        f"{readers['open']:,} slow readers open at the end, {readers['closed']:,} closed by the resolver"
    )


async def _highest_memory(server: Server, seconds: float) -> int:
    """The most memory that the processes of a server had, in bytes."""
    highest, ends = 0, time.monotonic() + seconds + SETTLE_SECONDS
    while time.monotonic() < ends:
        highest = max(highest, memory(server))
        await asyncio.sleep(0.5)
    return highest


def memory(server: Server) -> int:
    """The resident memory of a server's processes, in bytes."""
    process = psutil.Process(server.pid)
    return sum(each.memory_info().rss for each in (process, *process.children(recursive=True)))


ROWS = (
    Row(
        24,
        "2,000 dribbling clients; 4,096 slow readers",
        "heads that take longer than 10 s closed; others' p99 <= 1.2x; RSS + 100 MB at most",
        60,
        40,
        _slow,
    ),
)
