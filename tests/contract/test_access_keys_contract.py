"""Access keys: PostgreSQL and the fake behave alike."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest
import pytest_asyncio

from control_plane.adapters.postgres.access_keys import PostgresAccessKeys
from control_plane.adapters.postgres.tenants import PostgresTenants
from control_plane.domain.access_keys import NewKey, StoredKey
from control_plane.domain.requests import IdempotencyKey, RecordedResponse
from control_plane.errors import KeyReused, NoSuchKey, NoSuchTenant, RequestRepeated
from control_plane.ports.access_keys import AccessKeys
from shared.runtime.access.tokens import AccessKey
from shared.schemas.access import Role
from tests.fakes.control_plane_keys import FakeAccessKeys
from tests.fakes.control_plane_registry import FakeRegistry, FakeTenants
from tests.support.control_plane import open_primary
from tests.support.postgres import Database

DAY = timedelta(days=1)


TENANTS = ("team-a", "team-b")


@pytest.fixture(params=["fake", "postgres"])
def behind(request: pytest.FixtureRequest) -> Database | None:
    """The database behind the port; None for the fake."""
    return None if request.param == "fake" else request.getfixturevalue("database")


@pytest_asyncio.fixture(loop_scope="session")
async def keys(behind: Database | None) -> AsyncIterator[AccessKeys]:
    """Two tenants, and no key yet."""
    if behind is None:
        registry = FakeRegistry()
        for tenant in TENANTS:
            await FakeTenants(registry).create(tenant)
        yield FakeAccessKeys(registry)
        return
    async with open_primary(behind.url) as primary:
        for tenant in TENANTS:
            await PostgresTenants(primary).create(tenant)
        yield PostgresAccessKeys(primary)


def _new(tenant: str | None = "team-a", expires_at: datetime | None = None) -> NewKey:
    secret = AccessKey.new()
    role = Role.ADMIN if tenant is None else Role.EDITOR
    return NewKey(secret.key_id, secret.sha256, "ci-bot", role, tenant, "ada", expires_at)


@pytest.mark.parametrize("tenant", ["team-a", None])
async def test_key_is_stored_as_created(keys: AccessKeys, tenant: str | None) -> None:
    new = _new(tenant)
    stored = await keys.create(new)
    assert (stored.key_id, stored.version, stored.sha256) == (new.key_id, 1, new.sha256)
    assert (stored.subject, stored.role, stored.tenant, stored.created_by) == ("ci-bot", new.role, tenant, "ada")
    assert (stored.older_sha256, stored.rotated_at, stored.revoked_at) == (None, None, None)
    assert await keys.page(tenant, None, 10) == [stored]


async def test_rotated_key_keeps_only_its_two_newest_secrets(keys: AccessKeys) -> None:
    first = await keys.create(_new())
    second = await keys.rotate("team-a", first.key_id, AccessKey.new().sha256, timedelta(hours=1))
    assert (second.version, second.older_sha256) == (2, first.sha256)
    assert second.rotated_at is not None
    assert second.older_until is not None
    assert timedelta(minutes=59) < second.older_until - second.rotated_at < timedelta(minutes=61)
    third = await keys.rotate("team-a", first.key_id, AccessKey.new().sha256, DAY)
    assert (third.version, third.older_sha256) == (3, second.sha256)


async def test_revoked_key_is_listed_but_cannot_be_changed(keys: AccessKeys) -> None:
    made = await keys.create(_new())
    await keys.revoke("team-a", made.key_id)
    (listed,) = await keys.page("team-a", None, 10)
    assert (listed.version, listed.revoked_at is not None) == (2, True)
    with pytest.raises(NoSuchKey):
        await keys.rotate("team-a", made.key_id, AccessKey.new().sha256, DAY)


async def test_key_can_be_revoked_again_and_stays_as_it_was(keys: AccessKeys) -> None:
    made = await keys.create(_new())
    await keys.revoke("team-a", made.key_id)
    first = await keys.page("team-a", None, 10)
    await keys.revoke("team-a", made.key_id)
    assert await keys.page("team-a", None, 10) == first


async def test_expired_key_cannot_be_rotated_but_can_be_revoked(keys: AccessKeys) -> None:
    made = await keys.create(_new(expires_at=datetime(2026, 1, 1, tzinfo=UTC)))
    with pytest.raises(NoSuchKey):
        await keys.rotate("team-a", made.key_id, AccessKey.new().sha256, DAY)
    assert await keys.page("team-a", None, 10) == [made]
    await keys.revoke("team-a", made.key_id)


@pytest.mark.parametrize("tenant", ["team-a", None])
async def test_repeated_idempotency_key_yields_the_recorded_response(keys: AccessKeys, tenant: str | None) -> None:
    idempotency_key: IdempotencyKey[StoredKey] = IdempotencyKey(
        "k1", b"create", lambda stored: RecordedResponse(201, {"a": "b"}, stored.key_id.encode())
    )
    made = await keys.create(_new(tenant), idempotency_key)
    with pytest.raises(RequestRepeated) as before:
        await keys.create(_new(tenant), idempotency_key)
    assert before.value.response == RecordedResponse(201, {"a": "b"}, made.key_id.encode())
    assert [each.key_id for each in await keys.page(tenant, None, 10)] == [made.key_id]

    rotation: IdempotencyKey[StoredKey] = IdempotencyKey("k2", b"rotate", lambda _: RecordedResponse(200, {}, b""))
    rotated = await keys.rotate(tenant, made.key_id, AccessKey.new().sha256, DAY, rotation)
    with pytest.raises(RequestRepeated):
        await keys.rotate(tenant, made.key_id, AccessKey.new().sha256, DAY, rotation)
    assert await keys.page(tenant, None, 10) == [rotated]
    with pytest.raises(KeyReused):
        await keys.create(_new(tenant), IdempotencyKey("k2", b"another", idempotency_key.make_response))


async def test_concurrent_requests_with_one_idempotency_key_take_effect_once(keys: AccessKeys) -> None:
    idempotency_key: IdempotencyKey[StoredKey] = IdempotencyKey(
        "k1", b"create", lambda _: RecordedResponse(201, {}, b"")
    )

    async def create() -> bool:
        try:
            await keys.create(_new(None), idempotency_key)
        except RequestRepeated:
            return False
        return True

    async with asyncio.TaskGroup() as tasks:
        done = [tasks.create_task(create()) for _ in range(5)]
    assert sorted(each.result() for each in done) == [False, False, False, False, True]


async def test_keys_are_paged_by_id_per_tenant(keys: AccessKeys) -> None:
    mine = sorted([(await keys.create(_new())).key_id for _ in range(5)])
    await keys.create(_new("team-b"))
    await keys.create(_new(None))
    first = await keys.page("team-a", None, 3)
    rest = await keys.page("team-a", first[-1].key_id, 3)
    assert [each.key_id for each in (*first, *rest)] == mine
    assert {each.tenant for each in await keys.page(None, None, 10)} == {None}


async def test_key_of_another_tenant_does_not_exist(keys: AccessKeys) -> None:
    theirs = await keys.create(_new("team-b"))
    for tenant in ("team-a", None, "never-made"):
        with pytest.raises(NoSuchKey):
            await keys.revoke(tenant, theirs.key_id)
        with pytest.raises(NoSuchKey):
            await keys.rotate(tenant, theirs.key_id, AccessKey.new().sha256, DAY)


async def test_unknown_tenant_cannot_list_or_create_keys(keys: AccessKeys) -> None:
    with pytest.raises(NoSuchTenant):
        await keys.create(_new("never-made"))
    with pytest.raises(NoSuchTenant):
        await keys.page("never-made", None, 10)


async def test_changed_keys_of_all_tenants_are_read(keys: AccessKeys) -> None:
    made = [await keys.create(_new(tenant)) for tenant in ("team-a", "team-b", None)]
    everything = await keys.changed_since(None)
    assert {each.key_id for each in everything.keys} == {each.key_id for each in made}
    await keys.revoke("team-b", made[1].key_id)
    news = await keys.changed_since(everything.read_at)
    assert [(each.key_id, each.revoked_at is not None) for each in news.keys] == [(made[1].key_id, True)]
    assert (await keys.changed_since(news.read_at)).keys == ()
