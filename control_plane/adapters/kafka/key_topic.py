"""Reads the `access-keys` topic back, to compare it with PostgreSQL."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from control_plane.domain.key_topic import KeyTopicContents
from shared.runtime.background import Interrupted
from shared.runtime.clock import Clock
from shared.runtime.kafka.topic_tail import Records, TopicTail, open_tail
from shared.schemas.access import COMPLETION_KEY, UndecodableAccessRecord, decode, decode_completion
from shared.schemas.topics import ACCESS_KEYS

PATIENCE_SECONDS = 12.0
"""Longest time without progress while the topic is read to its end."""


class KafkaKeyTopic:
    """The KeyTopic port."""

    def __init__(self, bootstrap: str, client_id: str, *, clock: Clock) -> None:
        self._bootstrap = bootstrap
        self._client_id = f"{client_id}-key-topic"
        self._clock = clock

    @asynccontextmanager
    async def read(self) -> AsyncIterator["KafkaKeyTopicReading"]:
        opening = open_tail(
            self._bootstrap, self._client_id, ACCESS_KEYS.name, clock=self._clock, interruption=Interrupted
        )
        async with opening as tail:
            reading = KafkaKeyTopicReading(tail)
            tail.start_at(tail.beginnings)
            await tail.read_to_end(reading.apply, patience_seconds=PATIENCE_SECONDS)
            reading.contents.has_revived = False  # everything is compared after the first reading
            yield reading


class KafkaKeyTopicReading:
    """The KeyTopicReading port: one connection of KafkaKeyTopic."""

    def __init__(self, tail: TopicTail) -> None:
        self._tail = tail
        self.contents = KeyTopicContents()

    async def poll(self) -> None:
        self.apply(await self._tail.poll())
        ends = await self._tail.check_if_due()
        if ends is not None and any(self._tail.positions[number] > end for number, end in ends.items()):
            raise Interrupted(f"{ACCESS_KEYS.name} ends before the position that was read: it was made anew")

    def apply(self, records: Records) -> None:
        """Note the records; one of a key that cannot be decoded counts as an outdated one."""
        for record in (each for partition in records.values() for each in partition):
            if record.key == COMPLETION_KEY:
                self._apply_completion(record)
            elif record.key is not None:
                self._apply_key(record.key.decode("ascii", "replace"), record)

    def _apply_completion(self, record: Any) -> None:
        try:
            self.contents.completion = None if record.value is None else decode_completion(record.value)
        except UndecodableAccessRecord:
            self.contents.completion = None

    def _apply_key(self, key_id: str, record: Any) -> None:
        if record.value is None:
            self.contents.end(key_id)
            return
        try:
            self.contents.put(key_id, decode(record.key, record.value).version)
        except UndecodableAccessRecord:
            self.contents.put(key_id, 0)
