"""Row-level security: the rows that each role sees, whatever a statement selects."""

from collections.abc import AsyncIterator
from datetime import timedelta

import asyncpg
import pytest
import pytest_asyncio

from control_plane.adapters.postgres.access_keys import PostgresAccessKeys
from control_plane.adapters.postgres.change_sets import PostgresChangeSets
from control_plane.adapters.postgres.primary import Primary
from control_plane.adapters.postgres.tenants import PostgresTenants
from control_plane.domain.access_keys import NewKey
from control_plane.domain.changes import Attribution, WantedChangeSet, WantedRoute
from control_plane.domain.plans import Plan
from control_plane.domain.requests import ChangeRequest, IdempotencyKey, RecordedResponse
from control_plane.errors import NoSuchKey, NoSuchTenant
from shared.runtime.access.tokens import AccessKey
from shared.runtime.metrics import Metrics
from shared.runtime.service import Service
from shared.schemas.access import Role
from shared.schemas.identity import RouteKey
from tests.support.control_plane import change_service, open_primary
from tests.support.postgres import Database

DAY = timedelta(days=1)


WITHOUT_TENANTS_DATA = {"alembic_version", "relay_heartbeat", "access_key_topic"}


@pytest_asyncio.fixture(loop_scope="session")
async def primary(database: Database) -> AsyncIterator[Primary]:
    """As the service connects, to a database in which two tenants have something of everything."""
    async with open_primary(database.url) as primary:
        changes = change_service(PostgresChangeSets(primary, Metrics(Service.CONTROL_PLANE)))
        for tenant in ("team-a", "team-b"):
            await PostgresTenants(primary).create(tenant)
            wanted = WantedRoute(RouteKey(tenant, "payments", "prod", "v1"), is_active=True, url="http://v1")
            answered: IdempotencyKey[Plan] = IdempotencyKey(
                f"key-of-{tenant}", b"1" * 32, lambda _: RecordedResponse(200, {}, b"")
            )
            request = ChangeRequest(
                WantedChangeSet(tenant, (wanted,)), Attribution("ada", None, "req-1"), idempotency_key=answered
            )
            await changes.carry_out(request)
            await PostgresAccessKeys(primary).create(a_new_key(tenant))
        yield primary


def a_new_key(tenant: str | None, role: Role = Role.EDITOR) -> NewKey:
    key = AccessKey.new()
    return NewKey(key.key_id, key.sha256, "ci-bot", role, tenant, "ada", None)


async def tables_of(database: Database) -> set[str]:
    connection = await asyncpg.connect(database.url)
    try:
        return {row[0] for row in await connection.fetch("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")}
    finally:
        await connection.close()


async def test_serving_role_without_a_tenant_sees_no_row_of_any_table(primary: Primary, database: Database) -> None:
    tables = await tables_of(database) - WITHOUT_TENANTS_DATA
    assert {"tenants", "services", "environments", "endpoints", "change_sets", "outbox", "access_keys"} <= tables
    async with primary.connection() as connection:
        assert await connection.fetchval("SELECT current_user") == "tm_control"
        for table in sorted(tables):
            try:
                rows = await connection.fetchval(f"SELECT count(*) FROM {table}")  # noqa: S608 - names from the catalogue
            except asyncpg.InsufficientPrivilegeError:
                rows = 0
            assert rows == 0, table


async def test_row_level_security_is_forced_on_every_table_with_tenants_data(database: Database) -> None:
    tables = await tables_of(database) - WITHOUT_TENANTS_DATA
    connection = await asyncpg.connect(database.url)
    forced = await connection.fetch("SELECT relname FROM pg_class WHERE relrowsecurity AND relforcerowsecurity")
    owned = await connection.fetchval("SELECT count(*) FROM pg_class WHERE relowner::regrole::text LIKE 'tm\\_%'")
    await connection.close()
    assert {row["relname"] for row in forced} >= tables
    assert owned == 0


@pytest.mark.parametrize("reset", ["RESET ALL", "RESET ROLE", "DISCARD ALL", "SET SESSION AUTHORIZATION DEFAULT"])
async def test_reset_gives_the_serving_role_no_more_rights(primary: Primary, reset: str) -> None:
    async with primary.connection() as connection:
        await connection.execute(reset)
        assert await connection.fetchval("SELECT current_user") == "tm_control"
        assert await connection.fetchval("SELECT count(*) FROM tenants") == 0


async def test_transaction_sees_its_tenant_only_and_leaves_no_session_state(primary: Primary) -> None:
    async with primary.transaction("team-a") as connection:
        for table in ("tenants", "services", "environments", "endpoints", "change_sets", "access_keys"):
            assert await connection.fetchval(f"SELECT count(*) FROM {table}") == 1, table  # noqa: S608
    async with primary.connection() as connection:
        assert await connection.fetchval("SELECT count(*) FROM endpoints") == 0


async def test_transaction_sees_positions_but_not_payloads_of_its_tenants_events(primary: Primary) -> None:
    async with primary.transaction("team-a") as connection:
        assert [row["key"] for row in await connection.fetch("SELECT key FROM outbox")] == ["team-a"]
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        async with primary.transaction("team-a") as connection:
            await connection.fetch("SELECT payload FROM outbox")


async def test_transaction_cannot_write_for_another_tenant(primary: Primary) -> None:
    statements = (
        "INSERT INTO services (tenant_id, name) SELECT current_tenant_id() + 1, 'intruder'",
        "INSERT INTO outbox (topic, key, headers, payload, created_at) VALUES ('route-events', 'team-b', '{}', '', now())",
        "INSERT INTO tenants (name) VALUES ('team-c')",
    )
    for statement in statements:
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            async with primary.transaction("team-a") as connection:
                await connection.execute(statement)


async def test_invalid_tenant_name_never_reaches_the_database(primary: Primary) -> None:
    with pytest.raises(NoSuchTenant):
        async with primary.transaction("a'; SET ROLE tm_platform; --"):
            pass


async def test_keys_of_another_tenant_do_not_exist(primary: Primary) -> None:
    keys = PostgresAccessKeys(primary)
    (theirs,) = await keys.page("team-b", None, 10)
    assert [each.tenant for each in await keys.page("team-a", None, 10)] == ["team-a"]
    for tenant in ("team-a", None):
        with pytest.raises(NoSuchKey):
            await keys.revoke(tenant, theirs.key_id)
        with pytest.raises(NoSuchKey):
            await keys.rotate(tenant, theirs.key_id, AccessKey.new().sha256, DAY)
    with pytest.raises(NoSuchTenant):
        await keys.create(a_new_key("never-made"))


async def test_platform_sees_all_keys_and_tenants_see_none_of_its_keys(primary: Primary) -> None:
    keys = PostgresAccessKeys(primary)
    admin = await keys.create(a_new_key(None, Role.ADMIN))
    assert [each.key_id for each in await keys.page(None, None, 10)] == [admin.key_id]
    news = await keys.changed_since(None)
    assert {each.tenant for each in news.keys} == {"team-a", "team-b", None}
    await keys.revoke(None, admin.key_id)
    since = await keys.changed_since(news.read_at)
    assert [(each.key_id, each.revoked_at is not None) for each in since.keys] == [(admin.key_id, True)]
