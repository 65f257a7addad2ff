"""The quarantine in PostgreSQL, for an operator: list, retry and drop records that Kafka refused for good."""

from collections.abc import Sequence

from control_plane.adapters.postgres.primary import Primary
from control_plane.adapters.postgres.quarantine_sql import DROP, LIST, RETRY
from control_plane.domain.outbox import QuarantinedRecord
from shared.schemas.topics import ROUTE_EVENTS


class PostgresQuarantine:
    """The records in quarantine, of all tenants. Every method raises DependencyUnavailable."""

    def __init__(self, primary: Primary) -> None:
        self._primary = primary

    async def list(self) -> Sequence[QuarantinedRecord]:
        """All records by id."""
        async with self._primary.platform("tm_relay") as connection:
            return [QuarantinedRecord(**row) for row in await connection.fetch(LIST)]

    async def retry(self, record_id: int) -> bool:
        """Move an event back to the outbox, from where the relay publishes it. False if there is no event of this id."""
        async with self._primary.platform("tm_relay") as connection:
            return await connection.fetchval(RETRY, record_id, ROUTE_EVENTS.name) is not None

    async def drop(self, record_id: int) -> bool:
        """Delete a record for good. False if there is none of this id."""
        async with self._primary.platform("tm_relay") as connection:
            return await connection.fetchval(DROP, record_id) is not None
