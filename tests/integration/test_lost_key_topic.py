"""The topic of access keys is lost and made anew: no service believes it before the control plane has sent every key."""

from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest
import pytest_asyncio

from control_plane.adapters.postgres.access_keys import PostgresAccessKeys
from control_plane.commands import republish_keys
from control_plane.domain.access_keys import NewKey
from control_plane.settings import ControlPlaneSettings
from deploy.local.stack import Stack
from shared.runtime.access.principal import Principal, Refusal
from shared.runtime.access.tokens import AccessKey
from shared.schemas.access import AccessRecord, Role, decode
from shared.schemas.topics import ACCESS_KEYS
from tests.support.control_plane import control_plane, open_primary
from tests.support.kafka import read_all
from tests.support.key_topic import Follower, lose_topic, send
from tests.support.postgres import Database
from tests.support.waiting import eventually

DETECTED_WITHIN_SECONDS = 60
"""A client of Kafka fetches the metadata of its topics every 30 s."""


@dataclass
class Installation:
    """A database with access keys, the topic of Kafka, and a control plane that a test starts."""

    stack: Stack
    database: Database
    keys: Sequence[AccessKey]
    revoked: AccessKey

    async def records(self) -> list[AccessRecord]:
        """The records of keys that the topic holds."""
        found = await read_all(self.stack.urls.kafka, ACCESS_KEYS.name)
        ids = {each.key_id.encode() for each in self.keys}
        return [decode(each.key, each.value) for each in found if each.key in ids and each.value is not None]

    def accepted_by(self, follower: Follower) -> int:
        """How many of the keys the service accepts."""
        return sum(isinstance(follower.access.check(each), Principal) for each in self.keys)


@pytest_asyncio.fixture(loop_scope="session")
async def installation(stack: Stack, database: Database) -> Installation:
    """Three valid keys and a revoked one, and a new topic."""
    await lose_topic(stack)
    made = [AccessKey.new() for _ in range(4)]
    async with open_primary(database.url) as primary:
        keys = PostgresAccessKeys(primary)
        for each in made:
            await keys.create(NewKey(each.key_id, each.sha256, "ci", Role.ADMIN, None, "ada", None))
        await keys.revoke(None, made[3].key_id)
    return Installation(stack, database, made[:3], made[3])


@pytest.mark.parametrize("present", [0, 1, 3])
async def test_topic_made_anew_is_believed_only_when_the_control_plane_has_sent_every_key(
    installation: Installation, tmp_path: Path, present: int
) -> None:
    stack, kafka = installation.stack, installation.stack.urls.kafka
    running = Follower(snapshot=tmp_path / "keys")
    async with AsyncExitStack() as opened:
        async with control_plane(installation.database.url, kafka, access="on"):
            await opened.enter_async_context(running.started(kafka))
            await eventually(running.trusts_topic)
            await eventually(lambda: _is_saved(tmp_path / "keys"))
            records = await installation.records()
        copy = (tmp_path / "keys").read_bytes()
        await lose_topic(stack)
        await send(stack, *records[:present])
        await eventually(running.reports_incomplete, within=DETECTED_WITHIN_SECONDS)
        assert installation.accepted_by(running) == 3

        fresh, restarted = Follower(), Follower(snapshot=tmp_path / "keys")
        await opened.enter_async_context(fresh.started(kafka))
        await opened.enter_async_context(restarted.started(kafka))
        await eventually(fresh.reports_incomplete)
        await eventually(restarted.reports_incomplete)
        assert not await fresh.is_ready()
        assert fresh.access.check(AccessKey.new()) is Refusal.UNKNOWN  # 503, not 401
        assert installation.accepted_by(fresh) == present
        assert await restarted.is_ready()
        assert installation.accepted_by(restarted) == 3
        assert restarted.access.check(installation.revoked) in (Refusal.REVOKED, Refusal.UNKNOWN)
        assert (tmp_path / "keys").read_bytes() == copy

        await opened.enter_async_context(control_plane(installation.database.url, kafka, access="on"))
        for each in (running, fresh, restarted):
            await eventually(each.trusts_topic, within=30)
            assert installation.accepted_by(each) == 3
            assert each.access.check(AccessKey.new()) is Refusal.INVALID


async def test_leading_control_plane_restores_a_lost_topic_by_itself(installation: Installation) -> None:
    stack, kafka, follower = installation.stack, installation.stack.urls.kafka, Follower()
    async with control_plane(installation.database.url, kafka, access="on"), follower.started(kafka):
        await eventually(follower.trusts_topic)
        await lose_topic(stack)

        async def is_restored() -> bool:
            return {each.key_id for each in await installation.records()} == {each.key_id for each in installation.keys}

        await eventually(is_restored, within=DETECTED_WITHIN_SECONDS)
        fresh = Follower()
        async with fresh.started(kafka):
            await eventually(fresh.trusts_topic)
            assert installation.accepted_by(fresh) == 3
        assert installation.accepted_by(follower) == 3


async def test_record_of_a_revoked_key_that_comes_back_is_ended_again(installation: Installation) -> None:
    stack, kafka, revived = installation.stack, installation.stack.urls.kafka, installation.keys[0]
    async with control_plane(installation.database.url, kafka, access="on"):
        follower = Follower()
        async with follower.started(kafka):
            await eventually(follower.trusts_topic)
        (old,) = [each for each in await installation.records() if each.key_id == revived.key_id]
        async with open_primary(installation.database.url) as primary:
            await PostgresAccessKeys(primary).revoke(None, revived.key_id)
        await eventually(lambda: _ends_with(stack, revived))
        await send(stack, old)
        await eventually(lambda: _ends_with(stack, revived, records=2), within=30)
        late = Follower()
        async with late.started(kafka):
            await eventually(late.trusts_topic)
            assert late.access.check(revived) is Refusal.REVOKED


async def test_operators_command_raises_the_generation_for_all_services(installation: Installation) -> None:
    kafka, follower = installation.stack.urls.kafka, Follower()
    async with control_plane(installation.database.url, kafka, access="on"), follower.started(kafka):
        await eventually(follower.trusts_topic)
        assert await republish_keys(ControlPlaneSettings(postgres_url=installation.database.url)) == 4

        async def has_next_generation() -> bool:
            found = [each.value for each in await read_all(kafka, ACCESS_KEYS.name) if each.key == b"complete"]
            return b'"generation":2' in (found[-1] or b"")

        await eventually(has_next_generation, within=30)
        await eventually(follower.trusts_topic)
        assert installation.accepted_by(follower) == 3
        assert follower.access.check(AccessKey.new()) is Refusal.INVALID


async def _is_saved(file: Path) -> bool:
    return file.exists()  # noqa: ASYNC240 - one call, in a test


async def _ends_with(stack: Stack, key: AccessKey, *, records: int = 1) -> bool:
    """Whether the key's last record on the topic ends it, after at least so many records with a value."""
    found = [each for each in await read_all(stack.urls.kafka, ACCESS_KEYS.name) if each.key == key.key_id.encode()]
    with_value = sum(each.value is not None for each in found)
    return bool(found) and with_value >= records and found[-1].value is None
