"""Responses to requests with an Idempotency-Key, stored in the transaction of the change that they describe."""

from datetime import datetime
from typing import Any

import msgspec

from control_plane.adapters.postgres.primary import Connection
from control_plane.domain.requests import RESPONSE_RETENTION, IdempotencyKey, RecordedResponse
from control_plane.errors import KeyReused, RecordedResponsesFull

_FIND = """
SELECT fingerprint, status, headers, body FROM idempotency_keys
WHERE {owner} AND key = $2 AND created_at > clock_timestamp() - $3::interval
"""
_FIND_OF_TENANT = _FIND.format(owner="tenant_id = $1")
_FIND_OF_PLATFORM = _FIND.format(owner="tenant_id IS NULL AND $1::bigint IS NULL")
# Bytes are counted by the hour, so that purging changes no row that a transaction of a tenant counts in.
_RECORD = """
WITH counted AS (
    INSERT INTO recorded_bytes (tenant_id, hour, bytes) VALUES ($1, $8, $9)
    ON CONFLICT (tenant_id, hour) DO UPDATE SET bytes = recorded_bytes.bytes + excluded.bytes
), recorded AS (
    INSERT INTO idempotency_keys (tenant_id, key, fingerprint, status, headers, body, created_at)
    VALUES ($1, $2, $3, $4, $5, $6, $7)
    ON CONFLICT (tenant_id, key) DO UPDATE SET
        fingerprint = excluded.fingerprint, status = excluded.status, headers = excluded.headers,
        body = excluded.body, created_at = excluded.created_at
)
SELECT coalesce(sum(bytes), 0)::bigint FROM recorded_bytes WHERE {owner} AND hour > $8 - $10::interval
"""
_RECORD_OF_TENANT = _RECORD.format(owner="tenant_id = $1")
_RECORD_OF_PLATFORM = _RECORD.format(owner="tenant_id IS NULL AND $1::bigint IS NULL")
MAX_RECORDED_BYTES = 256 * 1024 * 1024
"""Of one tenant, unless the settings name another limit."""
_ROW_BYTES = 120
"""Of a row and its index entries without the values."""


async def recorded_response(
    connection: Connection, tenant_id: int | None, key: IdempotencyKey[Any]
) -> RecordedResponse | None:
    """The response recorded for the key; None for a new key. A tenant id of None means the platform.

    Raises KeyReused when the key was recorded for a different request. The caller must hold a lock that excludes other
    requests with this key, so that the second of two requests finds the response of the first.
    """
    statement = _FIND_OF_PLATFORM if tenant_id is None else _FIND_OF_TENANT
    found = await connection.fetchrow(statement, tenant_id, key.key, RESPONSE_RETENTION)
    if found is None:
        return None
    if found["fingerprint"] != key.fingerprint:
        raise KeyReused(key.key)
    return RecordedResponse(found["status"], msgspec.json.decode(found["headers"], type=dict[str, str]), found["body"])


async def record_response(
    connection: Connection,
    tenant_id: int | None,
    key: IdempotencyKey[Any],
    response: RecordedResponse,
    at: datetime,
    *,
    max_bytes: int,
) -> None:
    """Keep the response for a repetition of the request. `at` is the primary's time.

    Raises RecordedResponsesFull when the responses of the tenant would exceed `max_bytes`: the caller must roll back.
    """
    headers = msgspec.json.encode(response.headers).decode()
    hour = at.replace(minute=0, second=0, microsecond=0)
    size = _ROW_BYTES + len(key.key) + len(key.fingerprint) + len(headers) + len(response.body)
    values = (tenant_id, key.key, key.fingerprint, response.status, headers, response.body, at)
    statement = _RECORD_OF_PLATFORM if tenant_id is None else _RECORD_OF_TENANT
    recorded = await connection.fetchval(statement, *values, hour, size, RESPONSE_RETENTION)
    if recorded + size > max_bytes:
        raise RecordedResponsesFull(recorded, max_bytes)
