"""Services that follow the topic of access keys, and a topic that is lost."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from aiokafka.admin import AIOKafkaAdminClient

from deploy.local.kafka.topics import create_missing_topics
from deploy.local.stack import Stack
from shared.runtime.access.key_feed import AccessFeed
from shared.runtime.access.key_snapshot_file import KeySnapshotFile
from shared.runtime.access.principal import Principal, Refusal
from shared.runtime.access.tokens import AccessKey
from shared.runtime.background import in_background
from shared.runtime.clock import SystemClock
from shared.runtime.health import DependencyHealth, Health
from shared.runtime.service import Service
from shared.schemas.access import AccessRecord, encode
from shared.schemas.topics import ACCESS_KEYS
from tests.support.access import AccessFixture
from tests.support.kafka import RawRecord, produce_raw
from tests.support.waiting import eventually


@dataclass
class Follower:
    """A service that follows the topic, as far as access is concerned. `snapshot`: its key snapshot."""

    snapshot: Path | None = None

    access: AccessFixture = field(
        default_factory=lambda: AccessFixture(Service.DATA_PLANE, SystemClock(), loaded=False)
    )
    health: Health = field(default_factory=lambda: Health({"access_keys": DependencyHealth(required=True, up=False)}))

    @asynccontextmanager
    async def following(self, bootstrap: str) -> AsyncIterator[None]:
        """Follow the topic while the block runs, which begins when the service has its keys."""
        async with self.started(bootstrap):
            await eventually(self.is_ready)
            yield

    @asynccontextmanager
    async def started(self, bootstrap: str) -> AsyncIterator[None]:
        """As `following`, but the block begins at once."""
        feed = AccessFeed(
            bootstrap,
            "tests",
            self.access.keyring,
            keys_health=self.health.dependencies["access_keys"],
            health=self.health,
            clock=SystemClock(),
            metrics=self.access.metrics,
            snapshot_file=KeySnapshotFile(self.snapshot) if self.snapshot else None,
        )
        async with in_background(feed.run, "access keys", backoff=feed.backoff):
            yield

    async def is_ready(self) -> bool:
        """Whether the service has its keys, from the topic or from the key snapshot."""
        return bool(self.health.dependencies["access_keys"].up)

    async def reports_incomplete(self) -> bool:
        """Whether readiness says that the topic lacks keys, and what mends it."""
        return "republish-keys" in self.health.notes.get("access", "")

    async def trusts_topic(self) -> bool:
        """Whether the topic that it follows is complete."""
        return await self.is_ready() and self.access.keyring.is_loaded and "access" not in self.health.notes

    async def becomes(self, key: AccessKey, verdict: Refusal | None) -> None:
        """Wait for this refusal of the key; None: until it is accepted."""

        async def judged() -> bool:
            found = self.access.check(key)
            return isinstance(found, Principal) if verdict is None else found is verdict

        await eventually(judged)


async def send(stack: Stack, *records: AccessRecord | str | bytes) -> None:
    """Records, the ids of keys that end, and unreadable bytes, sent to the topic."""
    await produce_raw(stack.urls.kafka, *map(_raw, records), topic=ACCESS_KEYS.name)


def _raw(record: AccessRecord | str | bytes) -> RawRecord:
    if isinstance(record, AccessRecord):
        return RawRecord(encode(record), record.key_id.encode())
    return RawRecord(None, record.encode()) if isinstance(record, str) else RawRecord(record, b"7jP2s9Xw4KbM")


async def lose_topic(stack: Stack) -> None:
    """Delete the topic of access keys and make it anew, as after a loss of the broker's disk."""
    admin = AIOKafkaAdminClient(bootstrap_servers=stack.urls.kafka)
    await admin.start()
    try:
        await admin.delete_topics([ACCESS_KEYS.name])

        async def is_gone() -> bool:
            return ACCESS_KEYS.name not in await admin.list_topics()

        await eventually(is_gone)
    finally:
        await admin.close()
    await create_missing_topics(stack.urls.kafka)
