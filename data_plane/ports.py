"""The ports of the resolver: what its use cases need from stores, streams and disk."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Protocol

from data_plane.domain.entry import Entry
from data_plane.domain.event_batch import EventBatch
from data_plane.domain.reading import Reading
from data_plane.domain.remote_clock import PrimaryTime
from data_plane.domain.snapshot import KeptRoute, Snapshot, SnapshotHead
from data_plane.domain.tenant_reading import TenantReading
from data_plane.errors import UnreadableEntry
from shared.schemas.identity import RouteKey
from shared.schemas.resolver_status import ResolverStatus


class RouteCache(Protocol):
    """The cache that all resolver instances share."""

    async def get(self, key: RouteKey) -> Entry | None:
        """The entry of the key, expired or not. Raises DependencyUnavailable or UnreadableEntry."""

    async def get_many(self, keys: Sequence[RouteKey]) -> Sequence[Entry | UnreadableEntry | None]:
        """As `get`, for each key in order; but an UnreadableEntry is returned, not raised."""

    async def put(self, entries: Sequence[Entry]) -> Sequence[Entry | None]:
        """Store each entry, unless the stored one is newer, or has the same value and does not expire sooner.

        Returns for each the entry that it did not replace; None where it was stored. Raises DependencyUnavailable; some of
        the entries may be stored then, or be stored later.
        """


class RouteSource(Protocol):
    """A database that holds the routes."""

    @property
    def name(self) -> str:
        """The name in health and metrics."""

    async def read(self, key: RouteKey) -> Reading:
        """Read the key. Raises DependencyUnavailable."""


class TenantSource(Protocol):
    """A database that holds all routes of a tenant."""

    def open_tenant(self, tenant: str) -> AbstractAsyncContextManager[TenantReading | None]:
        """The tenant's active routes, open while the block runs; None if there is no such tenant.

        The start of the block and the slices raise DependencyUnavailable.
        """


class ReplicaLag(Protocol):
    """Measures the lag of one replica."""

    @property
    def name(self) -> str:
        """The name of the RouteSource that reads from the same replica."""

    async def lag(self) -> float:
        """Seconds behind the primary. Raises DependencyUnavailable."""


class PrimaryTimeSource(Protocol):
    """Reads the primary's clock, by which changes are dated."""

    async def now(self) -> PrimaryTime:
        """The primary's time. Raises DependencyUnavailable."""


class EventSubscription(Protocol):
    """One connection to the event stream. Both methods raise StreamInterrupted when it is lost."""

    async def poll(self) -> EventBatch:
        """The next events; an empty batch when none arrive for a fraction of a second."""

    def mark_applied(self, batch: EventBatch) -> None:
        """Note that the batch, which `poll` returned last, is applied: the next subscription continues after it."""


class EventStream(Protocol):
    """Every change of every tenant, in the order of its revisions."""

    def resume_from(self, offsets: Mapping[int, int]) -> None:
        """Begin the first subscription at these offsets by partition, instead of at the end of the stream.

        Where they no longer exist, that subscription raises StreamInterrupted and the next one begins at the end.
        """

    def subscribe(self) -> AbstractAsyncContextManager[EventSubscription]:
        """A subscription for the length of the block, from which on no event is missed.

        The first one begins at the end of the stream, and each further one after the last batch applied, where the
        stream still has what follows. Raises StreamInterrupted.
        """

    async def caught_up(self) -> None:
        """Return once all events are applied that were in the stream when the last subscription began."""


class StatusLog(Protocol):
    """The resolver processes' reports on how far they have applied the stream. Every method raises DependencyUnavailable."""

    async def report(self, status: ResolverStatus) -> None:
        """Replace this process's previous report."""

    async def withdraw(self, instance: str) -> None:
        """Delete the report of the process of that name."""


class HotKeySource(Protocol):
    """Names the keys that are likely to be requested soon."""

    async def hot_keys(self, limit: int) -> Sequence[RouteKey]:
        """At most `limit` keys, the hottest first where that is known. Raises DependencyUnavailable."""


class SnapshotStore(Protocol):
    """Keeps the snapshot of a process for the next one."""

    async def read(self) -> Snapshot | None:
        """The last snapshot written; None if there is none. Raises SnapshotRefused."""

    async def write(self, head: SnapshotHead, batches: AsyncIterator[Sequence[KeptRoute]]) -> int:
        """Replace the snapshot as a whole, or raise SnapshotNotWritten. Returns its size in bytes.

        Each batch is written before the next one is requested, so the producer sets the pace.
        """
