"""Access keys in PostgreSQL. A change commits together with its record for the other services."""

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from datetime import datetime, timedelta

import asyncpg
import msgspec

from control_plane.adapters.postgres.idempotency import MAX_RECORDED_BYTES, record_response, recorded_response
from control_plane.adapters.postgres.key_columns import KEY_COLUMNS, stored_key
from control_plane.adapters.postgres.primary import Connection, Primary
from control_plane.domain.access_keys import ChangedKeys, NewKey, StoredKey
from control_plane.domain.requests import IdempotencyKey
from control_plane.errors import NoSuchKey, NoSuchTenant, RequestRepeated, SchemaChanged
from shared.runtime import correlation
from shared.runtime.retries import retried_once
from shared.schemas.access import encode
from shared.schemas.events import CORRELATION_ID_HEADER
from shared.schemas.topics import ACCESS_KEYS

_OF_TENANT = "tenants.name IS NOT DISTINCT FROM $1"

_INSERT = """
INSERT INTO access_keys (id, tenant_id, subject, role, sha256, created_by, expires_at)
VALUES ($1, (SELECT id FROM tenants WHERE name = $2), $3, $4, $5, $6, $7)
"""
_GET = f"""
SELECT {KEY_COLUMNS} FROM access_keys LEFT JOIN tenants ON tenants.id = tenant_id
WHERE {_OF_TENANT} AND access_keys.id = $2
"""  # noqa: S608 - constants only
_LOCK = f"{_GET} FOR UPDATE OF access_keys"
_ROTATE = """
UPDATE access_keys SET version = version + 1, sha256 = $2, older_sha256 = sha256,
    older_until = clock_timestamp() + $3::interval, rotated_at = clock_timestamp(), changed_at = clock_timestamp()
WHERE id = $1 AND (expires_at IS NULL OR expires_at > clock_timestamp()) RETURNING id
"""
_REVOKE = """
UPDATE access_keys SET version = version + 1, revoked_at = clock_timestamp(), changed_at = clock_timestamp()
WHERE id = $1
"""
_PAGE = f"""
SELECT {KEY_COLUMNS} FROM access_keys LEFT JOIN tenants ON tenants.id = tenant_id
WHERE {_OF_TENANT} AND ($2::text IS NULL OR access_keys.id > $2) ORDER BY access_keys.id LIMIT $3
"""  # noqa: S608 - constants only
_CHANGED = f"""
SELECT {KEY_COLUMNS} FROM access_keys LEFT JOIN tenants ON tenants.id = tenant_id
WHERE $1::timestamptz IS NULL OR changed_at > $1
"""  # noqa: S608 - constants only
_ONE_AT_A_TIME = "SELECT pg_advisory_xact_lock(hashtextextended($1, 0))"
_PUBLISH = "INSERT INTO outbox (topic, key, headers, payload, created_at) VALUES ($1, $2, $3, $4, clock_timestamp())"


class PostgresAccessKeys:
    """The AccessKeys port on the primary."""

    def __init__(self, primary: Primary, *, recorded_bytes: int = MAX_RECORDED_BYTES) -> None:
        """`recorded_bytes`: of the responses recorded for one tenant, or for the platform."""
        self._primary = primary
        self._recorded_bytes = recorded_bytes

    @retried_once(SchemaChanged)
    async def create(self, new: NewKey, idempotency_key: IdempotencyKey[StoredKey] | None = None) -> StoredKey:
        async with self._of(new.tenant) as connection:
            await _refuse_repeated(connection, new.tenant, idempotency_key)
            values = (new.key_id, new.tenant, new.subject, new.role, new.sha256, new.created_by, new.expires_at)
            try:
                await connection.execute(_INSERT, *values)
            except (asyncpg.CheckViolationError, asyncpg.InsufficientPrivilegeError) as error:
                # The tenant does not exist: the subselect for its id yields null.
                raise NoSuchTenant(str(new.tenant)) from error
            return await _published(connection, new.tenant, new.key_id, idempotency_key, self._recorded_bytes)

    @retried_once(SchemaChanged)
    async def page(self, tenant: str | None, after: str | None, limit: int) -> Sequence[StoredKey]:
        async with self._primary.read(tenant) as connection:
            if tenant is not None and not await connection.fetchval("SELECT current_tenant_id()"):
                raise NoSuchTenant(tenant)
            return [stored_key(row) for row in await connection.fetch(_PAGE, tenant, after, limit)]

    @retried_once(SchemaChanged)
    async def rotate(
        self,
        tenant: str | None,
        key_id: str,
        sha256: str,
        grace: timedelta,
        idempotency_key: IdempotencyKey[StoredKey] | None = None,
    ) -> StoredKey:
        async with self._of(tenant) as connection:
            await _refuse_repeated(connection, tenant, idempotency_key)
            await _lock_live(connection, tenant, key_id)
            if await connection.fetchval(_ROTATE, key_id, sha256, grace) is None:
                raise NoSuchKey(key_id)  # it has expired, and a new secret would have expired, too
            return await _published(connection, tenant, key_id, idempotency_key, self._recorded_bytes)

    @retried_once(SchemaChanged)
    async def revoke(self, tenant: str | None, key_id: str) -> None:
        async with self._of(tenant) as connection:
            if not await _lock(connection, tenant, key_id):
                await connection.execute(_REVOKE, key_id)
            # Again for a revoked key: an old record of it may have come back to the topic.
            await _publish(connection, key_id, None)

    @retried_once(SchemaChanged)
    async def changed_since(self, since: datetime | None) -> ChangedKeys:
        async with self._primary.platform() as connection:
            read_at: datetime = await connection.fetchval("SELECT clock_timestamp()")
            rows = await connection.fetch(_CHANGED, since)
        return ChangedKeys(read_at, tuple(stored_key(row) for row in rows))

    def _of(self, tenant: str | None) -> AbstractAsyncContextManager[Connection]:
        return self._primary.platform() if tenant is None else self._primary.transaction(tenant)


async def _refuse_repeated(
    connection: Connection, tenant: str | None, idempotency_key: IdempotencyKey[StoredKey] | None
) -> None:
    if idempotency_key is None:
        return
    # An advisory lock, because the platform has no row that could be locked.
    await connection.execute(_ONE_AT_A_TIME, f"{tenant}/{idempotency_key.key}")
    response = await recorded_response(connection, await _id_of(connection, tenant), idempotency_key)
    if response is not None:
        raise RequestRepeated(response)


async def _id_of(connection: Connection, tenant: str | None) -> int | None:
    return None if tenant is None else await connection.fetchval("SELECT current_tenant_id()")


async def _lock_live(connection: Connection, tenant: str | None, key_id: str) -> None:
    if await _lock(connection, tenant, key_id):
        raise NoSuchKey(key_id)


async def _lock(connection: Connection, tenant: str | None, key_id: str) -> bool:
    """Lock the key's row. Returns whether the key is revoked. Raises NoSuchKey."""
    found = await connection.fetchrow(_LOCK, tenant, key_id)
    if found is None:
        raise NoSuchKey(key_id)
    return found["revoked_at"] is not None


async def _published(
    connection: Connection,
    tenant: str | None,
    key_id: str,
    idempotency_key: IdempotencyKey[StoredKey] | None,
    recorded_bytes: int,
) -> StoredKey:
    row = await connection.fetchrow(_GET, tenant, key_id)
    assert row is not None  # noqa: S101 - written in this transaction
    stored = stored_key(row)
    await _publish(connection, key_id, encode(stored.record))
    if idempotency_key is not None:
        at = stored.rotated_at or stored.created_at
        response = idempotency_key.make_response(stored)
        tenant_id = await _id_of(connection, tenant)
        await record_response(connection, tenant_id, idempotency_key, response, at, max_bytes=recorded_bytes)
    return stored


async def _publish(connection: Connection, key_id: str, payload: bytes | None) -> None:
    await connection.execute(_PUBLISH, ACCESS_KEYS.name, key_id, _headers(), payload)


def _headers() -> str:
    headers = {CORRELATION_ID_HEADER: correlation.current() or correlation.generate()}
    return msgspec.json.encode(headers).decode()
