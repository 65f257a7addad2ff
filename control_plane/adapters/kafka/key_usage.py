"""The topic `access-key-usage`, on which the other services report the access keys that they accept."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import datetime

import structlog

from shared.runtime.background import Interrupted
from shared.runtime.clock import Clock
from shared.runtime.kafka.topic_tail import TopicTail, open_tail
from shared.schemas.key_usage import UndecodableKeyUsage, decode_usage
from shared.schemas.topics import ACCESS_KEY_USAGE

_log = structlog.get_logger(__name__)


class KafkaKeyUsageReports:
    """The KeyUsageReports port."""

    def __init__(self, bootstrap: str, client_id: str, *, clock: Clock) -> None:
        self._bootstrap = bootstrap
        self._client_id = f"{client_id}-key-usage"
        self._clock = clock

    @asynccontextmanager
    async def subscribe(self) -> AsyncIterator["KafkaKeyUsageSubscription"]:
        opening = open_tail(
            self._bootstrap, self._client_id, ACCESS_KEY_USAGE.name, clock=self._clock, interruption=Interrupted
        )
        async with opening as tail:
            tail.start_at(tail.beginnings)
            yield KafkaKeyUsageSubscription(tail)


class KafkaKeyUsageSubscription:
    """The KeyUsageSubscription port: one connection of KafkaKeyUsageReports."""

    def __init__(self, tail: TopicTail) -> None:
        self._tail = tail

    async def poll(self) -> Mapping[str, datetime]:
        used_at: dict[str, datetime] = {}
        records = await self._tail.poll()
        await self._tail.check_if_due()
        for record in (each for partition in records.values() for each in partition):
            try:
                usage = decode_usage(record.value)
            except UndecodableKeyUsage as error:
                _log.debug("report of used keys skipped: it cannot be decoded", why=str(error)[:300])
                continue
            for key_id in usage.keys:
                used_at[key_id] = max(usage.as_of, used_at.get(key_id, usage.as_of))
        return used_at
