"""The access key feed on a real broker."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from aiokafka.admin import AIOKafkaAdminClient

from deploy.local.kafka.topics import create_missing_topics
from deploy.local.stack import Stack
from shared.runtime.access.key_feed import AccessFeed
from shared.runtime.access.principal import Principal, Refusal
from shared.runtime.access.tokens import AccessKey
from shared.runtime.background import in_background
from shared.runtime.clock import SystemClock
from shared.runtime.health import DependencyHealth, Health
from shared.runtime.service import Service
from shared.schemas.access import AccessRecord, encode
from shared.schemas.topics import ACCESS_KEYS
from tests.support.access import AccessFixture, a_record
from tests.support.kafka import RawRecord, produce_raw
from tests.support.waiting import eventually


@dataclass
class Follower:
    """A service that follows the topic, as far as access is concerned."""

    access: AccessFixture = field(
        default_factory=lambda: AccessFixture(Service.DATA_PLANE, SystemClock(), loaded=False)
    )
    health: Health = field(default_factory=lambda: Health({"access_keys": DependencyHealth(required=True, up=False)}))

    @asynccontextmanager
    async def following(self, bootstrap: str) -> AsyncIterator[None]:
        feed = AccessFeed(
            bootstrap,
            "tests",
            self.access.keyring,
            keys_health=self.health.dependencies["access_keys"],
            health=self.health,
            clock=SystemClock(),
            metrics=self.access.metrics,
        )
        async with in_background(feed.run, "access keys", backoff=feed.backoff):
            await eventually(self.is_complete)
            yield

    async def is_complete(self) -> bool:
        return bool(self.health.dependencies["access_keys"].up)

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


async def test_feed_loads_all_keys_and_then_receives_every_change(stack: Stack) -> None:
    before, revoked, later = AccessKey.new(), AccessKey.new(), AccessKey.new()
    rotated = AccessKey.new(before.key_id)
    await send(stack, a_record(before), a_record(revoked), revoked.key_id, b"{not json")
    follower = Follower()
    async with follower.following(stack.urls.kafka):
        assert isinstance(follower.access.check(before), Principal)
        assert follower.access.check(revoked) is Refusal.REVOKED
        assert follower.access.check(AccessKey.new()) is Refusal.INVALID
        await send(stack, a_record(later), a_record(rotated, version=2))
        await follower.becomes(later, None)
        await follower.becomes(rotated, None)
        assert follower.access.check(before) is Refusal.INVALID
        await send(stack, later.key_id, a_record(later))
        await follower.becomes(later, Refusal.REVOKED)


async def test_lost_topic_removes_no_key(stack: Stack) -> None:
    known = AccessKey.new()
    await send(stack, a_record(known))
    follower = Follower()
    async with follower.following(stack.urls.kafka):
        await _lose_topic(stack)

        async def is_told() -> bool:
            return "republish-keys" in follower.health.notes.get("access", "")

        await eventually(is_told, within=40)
        assert isinstance(follower.access.check(known), Principal)
        again, new = a_record(known), AccessKey.new()
        await send(stack, again, a_record(new))
        await follower.becomes(new, None)
        assert isinstance(follower.access.check(known), Principal)


async def _lose_topic(stack: Stack) -> None:
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
