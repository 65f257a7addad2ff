"""A Redis replica in the resolver's own zone, which saves a read the way to the master's zone."""

from collections.abc import Sequence
from typing import Any

from redis.asyncio import Redis

from shared.runtime.resilience import DependencyUnavailable, Guard

MASTER_TIME_SECONDS = 10.0
"""Seconds for which an estimate of the master's clock is used. A new master may have another clock."""


class ZoneReplica:
    """Reads values from the replica. It may lag: the route cache reads from the master what the replica lacks."""

    def __init__(self, client: Redis, guard: Guard) -> None:
        self._client = client
        self._guard = guard

    async def read(self, names: Sequence[bytes]) -> Sequence[bytes | None]:
        """The value of each name; None where there is none, and for all of them when the replica does not respond."""
        try:
            async with self._guard.call():
                values: Sequence[Any] = await self._client.mget(names)
        except DependencyUnavailable:
            return [None] * len(names)
        return values

    async def close(self) -> None:
        """Close the connections."""
        await self._client.aclose()
