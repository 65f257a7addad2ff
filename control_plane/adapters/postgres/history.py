"""The history of change sets in PostgreSQL."""

from collections.abc import Sequence

import asyncpg

from control_plane.adapters.postgres import history_sql as sql
from control_plane.adapters.postgres.primary import Primary
from control_plane.adapters.postgres.route_columns import previous_from, value_from
from control_plane.adapters.postgres.tenant_history import KnownTenant, changes_of, find_tenant, require
from control_plane.domain.history import ChangeSetSummary, CommittedChanges, HistoryFilter
from control_plane.domain.routes import PastRoute, RouteFilter, RoutePosition
from control_plane.errors import SchemaChanged
from shared.runtime.retries import retried_once
from shared.schemas.events import RouteChange
from shared.schemas.identity import RouteKey


class PostgresHistory:
    """The History port. Every method reads one database snapshot, so that its result holds at one moment."""

    def __init__(self, primary: Primary) -> None:
        self._primary = primary

    @retried_once(SchemaChanged)
    async def page(
        self, tenant: str, matching: HistoryFilter, before: int | None, limit: int
    ) -> Sequence[ChangeSetSummary]:
        async with self._primary.snapshot(tenant) as connection:
            known = await find_tenant(connection, tenant)
            rows = await connection.fetch(sql.PAGE, known.id, matching.changed_by, matching.since, before, limit)
        return [_summary(row) for row in rows]

    @retried_once(SchemaChanged)
    async def get(self, tenant: str, revision: int) -> CommittedChanges:
        async with self._primary.snapshot(tenant) as connection:
            known = await find_tenant(connection, tenant)
            changes = await changes_of(connection, known, revision)
            row = await connection.fetchrow(sql.SUMMARY, known.id, revision)
        assert row is not None  # noqa: S101 - its changes were read in the same snapshot
        return CommittedChanges(_summary(row), tuple(changes))

    @retried_once(SchemaChanged)
    async def diff(
        self, tenant: str, first: int, last: int, after: RoutePosition | None, limit: int
    ) -> Sequence[RouteChange]:
        async with self._primary.snapshot(tenant) as connection:
            known = await find_tenant(connection, tenant)
            for revision in (first, last):
                await require(connection, known, revision, least=0)
            rows = await connection.fetch(sql.DIFF, known.id, first, last, *_start(after), limit)
        return [RouteChange.between(_key(known, row), previous_from(row), value_from(row)) for row in rows]

    @retried_once(SchemaChanged)
    async def routes_at(
        self, tenant: str, revision: int, matching: RouteFilter, after: RoutePosition | None, limit: int
    ) -> Sequence[PastRoute]:
        wanted = (matching.service, matching.env, matching.version, matching.is_active)
        async with self._primary.snapshot(tenant) as connection:
            known = await find_tenant(connection, tenant)
            await require(connection, known, revision, least=0)
            rows = await connection.fetch(sql.ROUTES_AT, known.id, revision, *wanted, *_start(after), limit)
        return [PastRoute(_key(known, row), value_from(row)) for row in rows]


def _start(after: RoutePosition | None) -> tuple[str | None, str | None, str | None]:
    return (after.service, after.env, after.version) if after else (None, None, None)


def _key(tenant: KnownTenant, row: asyncpg.Record) -> RouteKey:
    return RouteKey(tenant.name, row["service"], row["env"], row["version"])


def _summary(row: asyncpg.Record) -> ChangeSetSummary:
    return ChangeSetSummary(
        row["revision"], row["changed_by"], row["reason"], row["correlation_id"], row["committed_at"], row["size"]
    )
