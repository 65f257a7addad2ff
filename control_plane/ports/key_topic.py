"""Ports of the work that keeps the `access-keys` topic equal to PostgreSQL."""

from collections.abc import Collection, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import datetime
from typing import Protocol

from control_plane.domain.key_topic import KeyTopicContents, KeyTopicState, KeyVersion


class KeyTopicReading(Protocol):
    """The topic, read to its end and followed from there."""

    @property
    def contents(self) -> KeyTopicContents:
        """What was read so far; `poll` changes it."""
        ...

    async def poll(self) -> None:
        """Read what has arrived, waiting a quarter of a second at most. Raises Interrupted: read the topic again."""
        ...


class KeyTopic(Protocol):
    """The topic of access keys in Kafka."""

    def read(self) -> AbstractAsyncContextManager[KeyTopicReading]:
        """Read the topic from its beginning to its end. Raises Interrupted."""
        ...


class KeyPublications(Protocol):
    """What PostgreSQL says about the topic. Records are sent through the outbox. Raises DependencyUnavailable."""

    async def state(self) -> KeyTopicState: ...

    async def versions(self, after: str, limit: int) -> Sequence[KeyVersion]:
        """Up to `limit` keys of all tenants by id, starting after the given one."""
        ...

    async def send(self, key_ids: Sequence[str]) -> int:
        """Send the current records of these keys; of an ended key, the one that ends it. Returns how many."""
        ...

    async def end_unknown(self, key_ids: Collection[str]) -> None:
        """Send records that end these keys, except those that PostgreSQL has."""
        ...

    async def complete(self, generation: int, keys: int) -> None:
        """Store the generation, and send the completion record behind the records that were sent before."""
        ...


class KeyUse(Protocol):
    """When access keys were last used."""

    async def note_used(self, used_at: Mapping[str, datetime]) -> None:
        """Store the times, to ten minutes and none later than now, where they are newer. Raises DependencyUnavailable."""
        ...


class KeyUsageSubscription(Protocol):
    """One reading of the reports, from the oldest that Kafka has."""

    async def poll(self) -> Mapping[str, datetime]:
        """The reports that have arrived: when each key in them was last used. Raises Interrupted."""
        ...


class KeyUsageReports(Protocol):
    """The reports of the other services on the keys that they accept."""

    def subscribe(self) -> AbstractAsyncContextManager[KeyUsageSubscription]:
        """Raises Interrupted."""
        ...
