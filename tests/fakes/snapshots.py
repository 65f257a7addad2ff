"""Snapshots in memory."""

import hashlib
from collections.abc import AsyncIterator, Callable, Sequence

from data_plane.domain.snapshot import KeptRoute, Snapshot, SnapshotHead
from data_plane.errors import SnapshotNotWritten, SnapshotRefused


class FakeSnapshotStore:
    """Keeps the last snapshot; refuses while `is_broken`. `on_write` is called before the first routes are read."""

    def __init__(self) -> None:
        self.kept: Snapshot | None = None
        self.is_broken = False
        self.on_write: Callable[[], None] = lambda: None

    async def read(self) -> Snapshot | None:
        if self.is_broken:
            raise SnapshotRefused("it is broken")
        return self.kept

    async def write(self, head: SnapshotHead, batches: AsyncIterator[Sequence[KeptRoute]]) -> int:
        if self.is_broken:
            raise SnapshotNotWritten("it is broken")
        self.on_write()
        routes = [route async for batch in batches for route in batch]
        self.kept = Snapshot(head, routes)
        return len(routes)


def sealed(body: bytes) -> bytes:
    """The body followed by its checksum."""
    return body + hashlib.sha256(body).digest()
