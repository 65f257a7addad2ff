"""Answers to requests with an Idempotency-Key, kept with the changes they tell of."""

from datetime import datetime
from typing import Any

import msgspec

from control_plane.adapters.postgres.primary import Connection
from control_plane.domain.requests import ANSWERS_KEPT, IdempotencyKey, RecordedResponse
from control_plane.errors import KeyReused

_FIND = """
SELECT fingerprint, status, headers, body FROM idempotency_keys
WHERE {whose} AND key = $2 AND created_at > clock_timestamp() - $3::interval
"""
_OF_TENANT = _FIND.format(whose="tenant_id = $1")
_OF_PLATFORM = _FIND.format(whose="tenant_id IS NULL AND $1::bigint IS NULL")
_RECORD = """
INSERT INTO idempotency_keys (tenant_id, key, fingerprint, status, headers, body, created_at)
VALUES ($1, $2, $3, $4, $5, $6, $7)
ON CONFLICT (tenant_id, key) DO UPDATE SET
    fingerprint = excluded.fingerprint, status = excluded.status, headers = excluded.headers,
    body = excluded.body, created_at = excluded.created_at
"""


async def recorded_answer(
    connection: Connection, tenant_id: int | None, once: IdempotencyKey[Any]
) -> RecordedResponse | None:
    """The answer that the request got before; None when it is new. No tenant: one about the platform. Raises KeyReused.

    To be called with a lock held, so that of two requests with one key the second finds what the first has recorded.
    """
    statement = _OF_PLATFORM if tenant_id is None else _OF_TENANT
    found = await connection.fetchrow(statement, tenant_id, once.key, ANSWERS_KEPT)
    if found is None:
        return None
    if found["fingerprint"] != once.fingerprint:
        raise KeyReused(once.key)
    return RecordedResponse(found["status"], msgspec.json.decode(found["headers"], type=dict[str, str]), found["body"])


async def record(
    connection: Connection, tenant_id: int | None, once: IdempotencyKey[Any], answer: RecordedResponse, now: datetime
) -> None:
    """Keep the answer for whoever sends the request again."""
    headers = msgspec.json.encode(answer.headers).decode()
    await connection.execute(_RECORD, tenant_id, once.key, once.fingerprint, answer.status, headers, answer.body, now)
