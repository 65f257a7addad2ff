"""Partitions that failed, each with a pause before it is sent anything again."""

import asyncio
from typing import TypeAlias

from shared.runtime.backoff import Backoff

Partition: TypeAlias = tuple[str, int]
"""A topic, and the number of one of its partitions."""

_FIRST_SECONDS = 1.0
_LONGEST_SECONDS = 10.0


class PartitionHolds:
    """Without a pause, a partition that does not respond would delay every call for all others by its timeout."""

    def __init__(self) -> None:
        self._backoffs: dict[Partition, Backoff] = {}
        self._until: dict[Partition, float] = {}

    def is_held(self, partition: Partition) -> bool:
        """Whether the partition is in its pause."""
        return asyncio.get_running_loop().time() < self._until.get(partition, 0.0)

    def note_failure(self, partition: Partition) -> None:
        """Begin a pause, longer than the one before."""
        backoff = self._backoffs.setdefault(
            partition, Backoff(_LONGEST_SECONDS, first_seconds=_FIRST_SECONDS, shortest_seconds=_FIRST_SECONDS)
        )
        self._until[partition] = asyncio.get_running_loop().time() + backoff.pause()

    def note_success(self, partition: Partition) -> None:
        """The next pause of the partition is short again."""
        self._backoffs.pop(partition, None)
        self._until.pop(partition, None)

    def clear(self) -> None:
        """End all pauses: Kafka as a whole failed, not single partitions."""
        self._backoffs.clear()
        self._until.clear()
