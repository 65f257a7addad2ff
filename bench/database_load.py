"""The number of concurrent resolver queries in a database, sampled from pg_stat_activity."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

import asyncpg

EVERY_SECONDS = 0.01
_ACTIVE = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'data_plane' AND state = 'active'"


@asynccontextmanager
async def watching(urls: Mapping[str, str]) -> AsyncIterator[Mapping[str, list[int]]]:
    """The samples by name of the server, a hundred per second."""
    seen: dict[str, list[int]] = {name: [] for name in urls}
    looking = [asyncio.create_task(_look(url, seen[name])) for name, url in urls.items()]
    try:
        yield seen
    finally:
        for task in looking:
            task.cancel()
        await asyncio.wait(looking)


async def _look(url: str, seen: list[int]) -> None:
    connection = await asyncpg.connect(url, timeout=5)
    try:
        while True:
            seen.append(await connection.fetchval(_ACTIVE))
            await asyncio.sleep(EVERY_SECONDS)
    finally:
        connection.terminate()
