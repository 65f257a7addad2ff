"""The topic of access keys as the database knows it: PostgreSQL and the fake behave alike."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import asyncpg
import pytest
import pytest_asyncio

from control_plane.adapters.postgres.access_keys import PostgresAccessKeys
from control_plane.adapters.postgres.key_topic import PostgresKeyTopic
from control_plane.domain.access_keys import NewKey
from control_plane.domain.key_topic import KeyTopicState, KeyVersion
from control_plane.ports.access_keys import AccessKeys
from shared.schemas.access import COMPLETION_KEY, Role, decode, decode_completion
from tests.fakes.control_plane_key_topic import FakeKeyTopic
from tests.fakes.control_plane_keys import FakeAccessKeys
from tests.fakes.control_plane_registry import FakeRegistry
from tests.support.control_plane import open_primary
from tests.support.postgres import Database

PAST = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass
class Subject:
    """The ports, and the records that were sent."""

    keys: AccessKeys
    topic: FakeKeyTopic | PostgresKeyTopic
    database: Database | None

    async def create(self, key_id: str, expires_at: datetime | None = None) -> None:
        await self.keys.create(NewKey(key_id, "0" * 64, "ci", Role.ADMIN, None, "ada", expires_at))

    async def sent(self) -> list[tuple[str, int | None]]:
        """Keys with the versions of their records, None for an ended key, in the order in which they were sent."""
        if isinstance(self.topic, FakeKeyTopic):
            return self.topic.sent
        return [
            (key, None if value is None else decode(key.encode(), value).version)
            for key, value in await self._outbox()
            if key != COMPLETION_KEY.decode()
        ]

    async def completions(self) -> list[tuple[int, int]]:
        """Generation and number of keys of the completion records."""
        if isinstance(self.topic, FakeKeyTopic):
            return [(each.generation, each.keys) for each in self.topic.completions]
        found = [
            decode_completion(value or b"") for key, value in await self._outbox() if key == COMPLETION_KEY.decode()
        ]
        return [(each.generation, each.keys) for each in found]

    async def forget_sent(self) -> None:
        """Forget what creating and revoking keys has sent, which the fake does not do."""
        if self.database is not None:
            await self._fetch("DELETE FROM outbox")

    async def _outbox(self) -> list[tuple[str, bytes | None]]:
        rows = await self._fetch("SELECT key, payload FROM outbox WHERE topic = 'access-keys' ORDER BY id")
        return [(row["key"], row["payload"]) for row in rows]

    async def _fetch(self, statement: str) -> list[asyncpg.Record]:
        assert self.database is not None
        connection = await asyncpg.connect(self.database.url)
        try:
            return list(await connection.fetch(statement))
        finally:
            await connection.close()


@pytest.fixture(params=["fake", "postgres"])
def behind(request: pytest.FixtureRequest) -> Database | None:
    """The database behind the ports; None for the fake."""
    return None if request.param == "fake" else request.getfixturevalue("database")


@pytest_asyncio.fixture(loop_scope="session")
async def subject(behind: Database | None) -> AsyncIterator[Subject]:
    if behind is None:
        keys = FakeAccessKeys(FakeRegistry())
        yield Subject(keys, FakeKeyTopic(keys), None)
        return
    async with open_primary(behind.url) as primary:
        yield Subject(PostgresAccessKeys(primary), PostgresKeyTopic(primary), behind)


async def test_generation_is_stored_with_its_completion_record(subject: Subject) -> None:
    assert await subject.topic.state() == KeyTopicState(0, is_requested=False)
    await subject.topic.complete(1, 5)
    await subject.topic.complete(2, 6)
    assert await subject.topic.state() == KeyTopicState(2, is_requested=False)
    assert await subject.completions() == [(1, 5), (2, 6)]


async def test_versions_are_read_by_id_with_the_end_of_each_key(subject: Subject) -> None:
    await subject.create("bbb000000000")
    await subject.create("aaa000000000")
    await subject.create("ccc000000000", PAST)
    await subject.keys.revoke(None, "aaa000000000")
    first = await subject.topic.versions("", 2)
    assert first == [
        KeyVersion("aaa000000000", 2, is_revoked=True, is_expired=False),
        KeyVersion("bbb000000000", 1, is_revoked=False, is_expired=False),
    ]
    assert await subject.topic.versions("bbb000000000", 2) == [
        KeyVersion("ccc000000000", 1, is_revoked=False, is_expired=True)
    ]
    assert await subject.topic.versions("ccc000000000", 2) == []


async def test_sent_records_are_the_current_ones_and_ended_keys_end(subject: Subject) -> None:
    for key_id in ("aaa000000000", "bbb000000000", "ddd000000000"):
        await subject.create(key_id)
    await subject.create("ccc000000000", PAST)
    await subject.keys.rotate(None, "bbb000000000", "1" * 64, timedelta(hours=1))
    await subject.keys.revoke(None, "aaa000000000")
    await subject.forget_sent()
    sent = await subject.topic.send(["aaa000000000", "bbb000000000", "ccc000000000", "unknown00000"])
    assert sent == 3
    assert await subject.sent() == [("aaa000000000", None), ("bbb000000000", 2), ("ccc000000000", None)]


async def test_only_keys_that_the_database_does_not_have_are_ended_as_unknown(subject: Subject) -> None:
    await subject.create("aaa000000000")
    await subject.forget_sent()
    await subject.topic.end_unknown({"aaa000000000", "unknown00000"})
    assert await subject.sent() == [("unknown00000", None)]


async def test_use_is_stored_to_ten_minutes_and_only_when_it_is_newer(subject: Subject) -> None:
    await subject.create("aaa000000000")
    await subject.create("bbb000000000")
    used = datetime(2026, 3, 9, 14, 27, 31, tzinfo=UTC)
    await subject.topic.note_used({"aaa000000000": used, "unknown00000": used})
    await subject.topic.note_used({"aaa000000000": used - timedelta(hours=1)})
    first, second = await subject.keys.page(None, None, 10)
    assert (first.last_used_at, second.last_used_at) == (datetime(2026, 3, 9, 14, 20, tzinfo=UTC), None)


async def test_use_in_the_future_counts_as_now_and_is_no_change_of_the_key(subject: Subject) -> None:
    await subject.create("aaa000000000")
    before = (await subject.keys.changed_since(None)).read_at
    await subject.topic.note_used({"aaa000000000": datetime.now(UTC) + timedelta(days=400)})
    (key,) = await subject.keys.page(None, None, 10)
    assert key.last_used_at is not None
    assert key.last_used_at <= datetime.now(UTC) + timedelta(minutes=1)
    assert (await subject.keys.changed_since(before)).keys == ()
