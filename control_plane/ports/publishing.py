"""Ports of the outbox relay: the outbox that it reads, and Kafka that it publishes to."""

from collections.abc import Callable, Collection, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import datetime, timedelta
from typing import Protocol

from control_plane.domain.outbox import Acknowledged, Backlog, OutboxRecord, RecordKey, Unpublished, Unsent
from shared.schemas.events import Heartbeat


class OutboxSession(Protocol):
    """A relay's session on the outbox. Every method raises LeadershipLost, after which the session is unusable."""

    async def try_lead(self) -> bool:
        """Whether this session holds the right to publish, which it then keeps until it ends."""
        ...

    async def beat(self) -> datetime:
        """Store a sign of life of the relay, and keep the session from expiring.

        Returns the primary's time, read before that sign of life was committed.
        """
        ...

    async def unsent(self, without: Collection[RecordKey] = ()) -> Unsent:
        """The oldest unsent records, without those of these keys: a bounded number of records and of bytes."""
        ...

    async def quarantine(self, record: OutboxRecord, why: str, marker: bytes | None) -> bool:
        """Move an unsent record to quarantine; the marker takes its place in the outbox, where it is unsent.

        A marker of None leaves no record in its place. Returns False, and changes nothing, when the record of this id is
        in quarantine already, so that it is the marker that was refused.
        """
        ...

    async def mark_sent(self, acknowledged: Sequence[Acknowledged]) -> Sequence[tuple[str, float]]:
        """Store the position of each record. Returns each record's topic, and the seconds since its commit."""
        ...

    async def purge(self, older_than: timedelta) -> int:
        """Delete a bounded number of records that were sent longer ago; returns how many."""
        ...

    async def purge_history(self, older_than: timedelta) -> int:
        """Delete a bounded number of change sets committed longer ago, each tenant's oldest first; returns how many."""
        ...

    async def purge_recorded_responses(self, older_than: timedelta) -> int:
        """Delete a bounded number of responses recorded longer ago; returns how many."""
        ...


class Outbox(Protocol):
    """The events that were committed with their change sets."""

    def session(self, on_signal: Callable[[], None]) -> AbstractAsyncContextManager[OutboxSession]:
        """A session that calls `on_signal` when another process commits an event.

        Raises LeadershipLost when there is no connection, and inside the block as soon as the connection ends.
        """
        ...

    async def signal(self) -> None:
        """Signal the leading relay, in whichever process, that an event was committed. Raises DependencyUnavailable."""
        ...

    async def backlog(self) -> Backlog:
        """Raises DependencyUnavailable."""
        ...


class EventLog(Protocol):
    """The topics in Kafka that the relay writes."""

    async def publish(
        self, records: Sequence[OutboxRecord], acknowledged: Callable[[Acknowledged], None]
    ) -> Sequence[Unpublished]:
        """Publish the records, those of one key in the given order; report each when Kafka acknowledges it.

        The reported records of a key are always its first ones. Returns the first record of each key that was not
        acknowledged. Raises NotPublished when Kafka as a whole does not respond.
        """
        ...

    async def heartbeat(self, heartbeat: Heartbeat, behind: Collection[RecordKey] = ()) -> None:
        """Write a heartbeat to every partition, except to those that hold one of these keys: they lack events.

        A partition that fails gets none. Raises NotPublished when Kafka as a whole does not respond.
        """
        ...
