"""The outbox session of a relay, on the connection that holds its lock."""

import asyncio
from collections.abc import AsyncIterator, Callable, Collection, Sequence
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import TypeAlias

import asyncpg
import msgspec

from control_plane.adapters.postgres.quarantine_sql import QUARANTINE
from control_plane.domain.outbox import Acknowledged, OutboxRecord, RecordKey, Unsent
from control_plane.errors import LeadershipLost
from shared.runtime.resilience import DependencyUnavailable, Guard
from shared.schemas.topics import MAX_RECORD_BYTES

CHANNEL = "outbox"
_LOCK = 7_245_002
"""Key of the advisory lock that the leading relay holds."""

MAX_RECORDS = 500
MAX_BYTES = MAX_RECORD_BYTES
_PURGED_AT_ONCE = 1_000
_CHANGE_SETS_PURGED_AT_ONCE = 100
"""Few, because each may have 500 changes."""

# The time is read before the row commits: every snapshot that sees the row also sees all earlier acknowledgements.
_BEAT = """
INSERT INTO relay_heartbeat (as_of) VALUES (clock_timestamp())
ON CONFLICT (only_row) DO UPDATE SET as_of = excluded.as_of
RETURNING as_of
"""

# A row is included while the rows before it are below the byte limit, so that the first row always is.
_UNSENT = """
SELECT id, topic, key, headers, payload FROM (
    SELECT *, sum(bytes) OVER (ORDER BY id) - bytes AS bytes_before
    FROM (
        SELECT id, topic, key, headers, payload, coalesce(octet_length(payload), 0) AS bytes
        FROM outbox
        WHERE sent_at IS NULL AND (topic, key) NOT IN (SELECT * FROM unnest($3::text[], $4::text[]))
        ORDER BY id LIMIT $1
    ) AS oldest
) AS measured
WHERE bytes_before < $2
ORDER BY id
"""
_MARK_SENT = """
UPDATE outbox SET sent_at = clock_timestamp(), kafka_partition = sent.partition, kafka_offset = sent.position
FROM unnest($1::bigint[], $2::integer[], $3::bigint[]) AS sent (id, partition, position)
WHERE outbox.id = sent.id AND outbox.sent_at IS NULL
RETURNING outbox.topic, extract(epoch FROM outbox.sent_at - outbox.created_at)::float8 AS delay
"""

# Reads the oldest rows by id only, which has an index.
_PURGE = """
DELETE FROM outbox WHERE id IN (
    SELECT id FROM (SELECT id, sent_at FROM outbox ORDER BY id LIMIT $1) AS oldest
    WHERE sent_at < clock_timestamp() - $2::interval
)
"""

# Up to one revision per tenant, so that the rest has no gaps even if the primary's clock once went back.
_PURGE_HISTORY = """
WITH old AS (
    SELECT tenant_id, max(revision) AS revision FROM (
        SELECT tenant_id, revision FROM change_sets
        WHERE committed_at < clock_timestamp() - $2::interval ORDER BY committed_at LIMIT $1
    ) AS oldest GROUP BY tenant_id
), purged AS (
    DELETE FROM changes USING old WHERE changes.tenant_id = old.tenant_id AND changes.revision <= old.revision
)
DELETE FROM change_sets USING old WHERE change_sets.tenant_id = old.tenant_id AND change_sets.revision <= old.revision
"""
# By the row's place: the platform's rows have no tenant_id, and no comparison finds a null. A row that is recorded anew
# meanwhile has moved, and stays.
_PURGE_RESPONSES = """
WITH counted AS (
    DELETE FROM recorded_bytes WHERE hour < clock_timestamp() - $2::interval - interval '1 hour'
)
DELETE FROM idempotency_keys WHERE ctid = ANY (ARRAY(
    SELECT ctid FROM idempotency_keys
    WHERE created_at < clock_timestamp() - $2::interval ORDER BY created_at LIMIT $1
))
"""

_Connection: TypeAlias = "asyncpg.Connection[asyncpg.Record]"


class PostgresOutboxSession:
    """The OutboxSession port on one connection, which runs one call at a time."""

    def __init__(
        self, connection: _Connection, guard: Guard, on_signal: Callable[[], None], quarantine_bytes: int
    ) -> None:
        self._quarantine_bytes = quarantine_bytes
        self._connection = connection
        self._guard = guard
        self._on_signal = on_signal
        self._lock = asyncio.Lock()

    async def try_lead(self) -> bool:
        async with self._call() as connection:
            if not await connection.fetchval("SELECT pg_try_advisory_lock($1)", _LOCK):
                return False
            await connection.add_listener(CHANNEL, lambda *_: self._on_signal())
            return True

    async def beat(self) -> datetime:
        async with self._call() as connection:
            as_of: datetime = await connection.fetchval(_BEAT)
            return as_of

    async def unsent(self, without: Collection[RecordKey] = ()) -> Unsent:
        topics, keys = [topic for topic, _ in without], [key for _, key in without]
        async with self._call() as connection:
            rows = await connection.fetch(_UNSENT, MAX_RECORDS, MAX_BYTES, topics, keys)
        records = tuple(_record(row) for row in rows)
        complete = len(records) < MAX_RECORDS and sum(len(each.payload or b"") for each in records) < MAX_BYTES
        return Unsent(records, complete)

    async def mark_sent(self, acknowledged: Sequence[Acknowledged]) -> Sequence[tuple[str, float]]:
        async with self._call() as connection:
            rows = await connection.fetch(
                _MARK_SENT,
                [each.record.id for each in acknowledged],
                [each.partition for each in acknowledged],
                [each.offset for each in acknowledged],
            )
        return [(row["topic"], row["delay"]) for row in rows]

    async def quarantine(self, record: OutboxRecord, why: str, marker: bytes | None) -> bool:
        async with self._call() as connection:
            return await connection.fetchval(QUARANTINE, record.id, why, marker, self._quarantine_bytes) is not None

    async def purge(self, older_than: timedelta) -> int:
        return await self._delete(_PURGE, _PURGED_AT_ONCE, older_than)

    async def purge_history(self, older_than: timedelta) -> int:
        return await self._delete(_PURGE_HISTORY, _CHANGE_SETS_PURGED_AT_ONCE, older_than)

    async def purge_recorded_responses(self, older_than: timedelta) -> int:
        return await self._delete(_PURGE_RESPONSES, _PURGED_AT_ONCE, older_than)

    async def _delete(self, statement: str, at_most: int, older_than: timedelta) -> int:
        async with self._call() as connection:
            status = await connection.execute(statement, at_most, older_than)
        return int(status.rsplit(" ", 1)[-1])

    @asynccontextmanager
    async def _call(self) -> AsyncIterator[_Connection]:
        try:
            async with self._lock, self._guard.call():
                yield self._connection
        except DependencyUnavailable as error:
            raise LeadershipLost(str(error)) from error


def _record(row: asyncpg.Record) -> OutboxRecord:
    headers = msgspec.json.decode(row["headers"], type=dict[str, str])
    return OutboxRecord(row["id"], row["topic"], row["key"], headers, row["payload"])
