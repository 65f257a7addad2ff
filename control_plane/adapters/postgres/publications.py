"""The positions of change sets in Kafka, as stored in the outbox."""

import asyncpg

from control_plane.adapters.postgres.primary import Primary
from control_plane.adapters.postgres.tenant_history import KnownTenant, find_tenant, require
from control_plane.domain.propagation import Position, Publication
from control_plane.errors import SchemaChanged
from shared.runtime.retries import retried_once

# A change set without an outbox row was published: only sent rows are purged, and a change set from before the column
# `outbox_id` existed was sent long ago.
_PUBLICATION = """
SELECT change_sets.committed_at,
       greatest(0, extract(epoch FROM clock_timestamp() - change_sets.committed_at))::float8 AS age_seconds,
       outbox.id IS NULL OR outbox.sent_at IS NOT NULL AS is_published,
       outbox.kafka_partition, outbox.kafka_offset
FROM change_sets LEFT JOIN outbox ON outbox.id = change_sets.outbox_id
WHERE change_sets.tenant_id = $1 AND change_sets.revision = $2
"""


class PostgresPublications:
    """The Publications port."""

    def __init__(self, primary: Primary) -> None:
        self._primary = primary

    @retried_once(SchemaChanged)
    async def get(self, tenant: str, revision: int) -> Publication:
        async with self._primary.snapshot(tenant) as connection:
            known = await find_tenant(connection, tenant)
            await require(connection, known, revision, least=1)
            row = await connection.fetchrow(_PUBLICATION, known.id, revision)
        assert row is not None  # noqa: S101 - `require` found the change set in the same snapshot
        return _publication(known, revision, row)


def _publication(tenant: KnownTenant, revision: int, row: asyncpg.Record) -> Publication:
    position = None if row["kafka_offset"] is None else Position(row["kafka_partition"], row["kafka_offset"])
    return Publication(tenant.name, revision, row["committed_at"], row["age_seconds"], row["is_published"], position)
