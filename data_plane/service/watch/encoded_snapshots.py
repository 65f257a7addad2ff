"""Encoded tenant snapshots, shared by the watches that send them."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from weakref import WeakValueDictionary, finalize

from data_plane.domain.remote_clock import PrimaryTime
from data_plane.domain.tenant_reading import TenantReading
from data_plane.errors import WatchUnavailable
from shared.runtime.metrics import Metrics

EncodeSnapshot = Callable[[TenantReading], AsyncIterator[bytes]]


async def no_snapshot(_: TenantReading) -> AsyncIterator[bytes]:
    """The encoding of an instance without watches."""
    nothing: tuple[bytes, ...] = ()
    for each in nothing:
        yield each


class EncodedSnapshot:
    """All routes of a tenant at one revision, as a watch sends them. It exists while a watch sends it."""

    __slots__ = ("__weakref__", "_chunks", "proven_at", "revision", "tenant")

    def __init__(self, tenant: str, revision: int, proven_at: PrimaryTime, chunks: tuple[bytes, ...]) -> None:
        """`proven_at`: as in TenantReading."""
        self.tenant = tenant
        self.revision = revision
        self.proven_at = proven_at
        self._chunks = chunks

    def chunks(self) -> Iterator[bytes]:
        """The parts of the event. The iterator keeps the snapshot until the last part."""
        yield from self._chunks


class EncodedSnapshots:
    """The snapshots that watches send now; one for each tenant and revision.

    `max_bytes`: of all of them. A tenant may begin another one while its snapshots hold no more bytes than are free, so that
    no tenant takes all of them.
    """

    def __init__(self, encode: EncodeSnapshot, max_bytes: int, metrics: Metrics) -> None:
        self._encode = encode
        self._max_bytes = max_bytes
        self._newest: WeakValueDictionary[str, EncodedSnapshot] = WeakValueDictionary()
        self._bytes: Counter[str] = Counter()
        self._size = 0
        gauge = metrics.gauge("tm_watch_snapshot_bytes")
        metrics.before_scrape(lambda: gauge.set(self._size))

    def newest(self, tenant: str) -> EncodedSnapshot | None:
        """The tenant's newest snapshot that a watch sends now."""
        return self._newest.get(tenant)

    def check_room(self, tenant: str) -> None:
        """Raises WatchUnavailable if no further snapshot of the tenant may be kept now."""
        if self._bytes[tenant] > self._max_bytes - self._size or self._size >= self._max_bytes:
            raise WatchUnavailable(
                f"The snapshots that this instance sends hold {self._size} of {self._max_bytes} bytes "
                f"(TM_WATCH_SNAPSHOT_BYTES), {self._bytes[tenant]} of them for {tenant}: clients receive them slowly. Try "
                "again, or another instance."
            )

    async def encode(self, reading: TenantReading) -> EncodedSnapshot:
        """The snapshot of this reading, which is encoded in slices: other requests run in between."""
        newest = self.newest(reading.tenant)
        if newest is not None and newest.revision == reading.revision:
            return newest
        chunks: list[bytes] = []
        async for chunk in self._encode(reading):
            chunks.append(chunk)
            await asyncio.sleep(0)
        snapshot = EncodedSnapshot(reading.tenant, reading.revision, reading.proven_at, tuple(chunks))
        size = sum(map(len, chunks))
        self._size += size
        self._bytes[reading.tenant] += size
        finalize(snapshot, self._forget, reading.tenant, size)
        self._newest[reading.tenant] = snapshot
        return snapshot

    def _forget(self, tenant: str, size: int) -> None:
        self._size -= size
        self._bytes[tenant] -= size
        if not self._bytes[tenant]:
            del self._bytes[tenant]
