"""The `access-keys` topic as PostgreSQL knows it. Its records are sent through the outbox, in the order of their changes."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime

import asyncpg
import msgspec

from control_plane.adapters.postgres.key_columns import KEY_COLUMNS, stored_key
from control_plane.adapters.postgres.primary import Connection, Primary
from control_plane.domain.key_topic import KeyTopicState, KeyVersion
from control_plane.errors import SchemaChanged
from shared.runtime import correlation
from shared.runtime.retries import retried_once
from shared.schemas.access import COMPLETION_KEY, KeysComplete, encode
from shared.schemas.events import CORRELATION_ID_HEADER
from shared.schemas.topics import ACCESS_KEYS

_SENT_AT_ONCE = 500
"""Keys whose rows are locked at the same time."""

_STATE = """
SELECT coalesce(max(generation), 0) AS generation, coalesce(bool_or(is_requested), false) AS is_requested
FROM access_key_topic
"""
_VERSIONS = """
SELECT id, version, revoked_at IS NOT NULL AS revoked, coalesce(expires_at <= clock_timestamp(), false) AS expired
FROM access_keys WHERE id > $1 ORDER BY id LIMIT $2
"""
# Locked, so that a concurrent revocation either precedes this statement or writes its record after this one.
_LOCK = f"""
SELECT {KEY_COLUMNS}, revoked_at IS NOT NULL OR coalesce(expires_at <= clock_timestamp(), false) AS ended
FROM access_keys LEFT JOIN tenants ON tenants.id = tenant_id
WHERE $1::text[] IS NULL OR access_keys.id = ANY ($1) ORDER BY access_keys.id FOR UPDATE OF access_keys
"""  # noqa: S608 - constants only
_KNOWN = "SELECT id FROM access_keys WHERE id = ANY ($1::text[])"
_REQUEST = """
INSERT INTO access_key_topic (is_requested) VALUES (true) ON CONFLICT (only_row) DO UPDATE SET is_requested = true
"""
_COMPLETE = """
INSERT INTO access_key_topic (generation) VALUES ($1)
ON CONFLICT (only_row) DO UPDATE SET generation = excluded.generation, is_requested = false
RETURNING clock_timestamp()
"""
_PUBLISH = "INSERT INTO outbox (topic, key, headers, payload, created_at) VALUES ($1, $2, $3, $4, clock_timestamp())"
# Locked in the order of ids, as all others lock several keys. A key in use is written once in ten minutes.
_NOTE_USED = """
WITH used AS (
    SELECT id, date_bin('10 minutes', least(at, clock_timestamp()), timestamptz '2000-01-01 00:00Z') AS at
    FROM unnest($1::text[], $2::timestamptz[]) AS reported (id, at)
), newer AS (
    SELECT access_keys.id, used.at FROM access_keys JOIN used USING (id)
    WHERE last_used_at IS NULL OR last_used_at < used.at ORDER BY access_keys.id FOR UPDATE OF access_keys
)
UPDATE access_keys SET last_used_at = newer.at FROM newer WHERE access_keys.id = newer.id
"""


class PostgresKeyTopic:
    """The KeyPublications and KeyUse ports on the primary, and the operator's command."""

    def __init__(self, primary: Primary) -> None:
        self._primary = primary

    @retried_once(SchemaChanged)
    async def state(self) -> KeyTopicState:
        async with self._primary.read(None) as connection:
            row = await connection.fetchrow(_STATE)
        assert row is not None  # noqa: S101 - an aggregate has one row
        return KeyTopicState(row["generation"], row["is_requested"])

    @retried_once(SchemaChanged)
    async def versions(self, after: str, limit: int) -> Sequence[KeyVersion]:
        async with self._primary.read(None) as connection:
            rows = await connection.fetch(_VERSIONS, after, limit)
        return [KeyVersion(row["id"], row["version"], row["revoked"], row["expired"]) for row in rows]

    @retried_once(SchemaChanged)
    async def send(self, key_ids: Sequence[str]) -> int:
        sent = 0
        for start in range(0, len(key_ids), _SENT_AT_ONCE):
            async with self._primary.platform() as connection:
                sent += await _send(connection, key_ids[start : start + _SENT_AT_ONCE])
        return sent

    @retried_once(SchemaChanged)
    async def republish(self) -> int:
        """Send the records of all keys, and let the leading control plane write the next generation. Returns how many."""
        async with self._primary.platform() as connection:
            sent = await _send(connection, None)
            await connection.execute(_REQUEST)
        return sent

    async def end_unknown(self, key_ids: Collection[str]) -> None:
        async with self._primary.platform() as connection:
            known = {row["id"] for row in await connection.fetch(_KNOWN, list(key_ids))}
            await _publish(connection, [(key_id, None) for key_id in sorted(set(key_ids) - known)])

    async def complete(self, generation: int, keys: int) -> None:
        async with self._primary.platform() as connection:
            as_of = await connection.fetchval(_COMPLETE, generation)
            record = KeysComplete(generation=generation, keys=keys, as_of=as_of)
            await _publish(connection, [(COMPLETION_KEY.decode(), encode(record))])

    async def note_used(self, used_at: Mapping[str, datetime]) -> None:
        async with self._primary.platform() as connection:
            await connection.execute(_NOTE_USED, list(used_at), list(used_at.values()))


async def _send(connection: Connection, key_ids: Sequence[str] | None) -> int:
    rows: Sequence[asyncpg.Record] = await connection.fetch(_LOCK, key_ids)
    await _publish(connection, [(row["id"], None if row["ended"] else encode(stored_key(row).record)) for row in rows])
    return len(rows)


async def _publish(connection: Connection, records: Sequence[tuple[str, bytes | None]]) -> None:
    headers = msgspec.json.encode({CORRELATION_ID_HEADER: correlation.current() or correlation.generate()}).decode()
    await connection.executemany(_PUBLISH, [(ACCESS_KEYS.name, key, headers, payload) for key, payload in records])
