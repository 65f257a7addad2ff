"""Kafka in memory: one partition, which can be made to refuse."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from msgspec.structs import replace

from control_plane.domain.outbox import Acknowledged, OutboxRecord
from control_plane.errors import NotPublished
from shared.schemas.events import Heartbeat


@dataclass
class FakeEventLog:
    """The EventLog port. `refused` keys and an `available` that is cleared make it fail or wait."""

    log: list[OutboxRecord | Heartbeat] = field(default_factory=list)
    refused: set[str] = field(default_factory=set)
    reachable: bool = True
    available: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self.available.set()

    @property
    def records(self) -> list[OutboxRecord]:
        return [each for each in self.log if isinstance(each, OutboxRecord)]

    async def publish(self, records: Sequence[OutboxRecord], acknowledged: Callable[[Acknowledged], None]) -> None:
        await self._answer()
        for record in records:
            if record.key not in self.refused:
                self.log.append(record)
                acknowledged(Acknowledged(record, 0, len(self.log) - 1))
        if self.refused & {each.key for each in records}:
            raise NotPublished("rejected", f"no room for {sorted(self.refused)}")

    async def heartbeat(self, heartbeat: Heartbeat) -> None:
        await self._answer()
        self.log.append(replace(heartbeat, partitions=1))

    async def _answer(self) -> None:
        await self.available.wait()
        if not self.reachable:
            raise NotPublished("unavailable", "connection refused")
