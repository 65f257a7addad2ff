"""Where change sets landed in Kafka, as the outbox remembers."""

import asyncpg

from control_plane.adapters.postgres.primary import Primary
from control_plane.adapters.postgres.tenant_history import KnownTenant, find_tenant, require
from control_plane.domain.propagation import Position, Publication

# A change set whose outbox row is gone was published: rows are purged some time after that. Those of before the link
# was kept were published, too.
_DISPATCH = """
SELECT change_sets.committed_at,
       greatest(0, extract(epoch FROM clock_timestamp() - change_sets.committed_at))::float8 AS age_seconds,
       outbox.id IS NULL OR outbox.sent_at IS NOT NULL AS is_published,
       outbox.kafka_partition, outbox.kafka_offset
FROM change_sets LEFT JOIN outbox ON outbox.id = change_sets.outbox_id
WHERE change_sets.tenant_id = $1 AND change_sets.revision = $2
"""


class PostgresPublications:
    """The Dispatches port."""

    def __init__(self, primary: Primary) -> None:
        self._primary = primary

    async def get(self, tenant: str, revision: int) -> Publication:
        async with self._primary.snapshot(tenant) as connection:
            known = await find_tenant(connection, tenant)
            await require(connection, known, revision, least=1)
            row = await connection.fetchrow(_DISPATCH, known.id, revision)
        assert row is not None  # noqa: S101 - it was required
        return _dispatch(known, revision, row)


def _dispatch(tenant: KnownTenant, revision: int, row: asyncpg.Record) -> Publication:
    place = None if row["kafka_offset"] is None else Position(row["kafka_partition"], row["kafka_offset"])
    return Publication(tenant.name, revision, row["committed_at"], row["age_seconds"], row["is_published"], place)
