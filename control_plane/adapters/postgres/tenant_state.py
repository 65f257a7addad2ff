"""What an intent needs to know of a tenant, read in its transaction."""

from collections.abc import Sequence
from dataclasses import replace

import asyncpg

from control_plane.adapters.postgres.change_set_sql import ACTIVE, CURRENT, IN_SCOPE
from control_plane.adapters.postgres.primary import Connection
from control_plane.adapters.postgres.rows import route_from
from control_plane.adapters.postgres.tenant_history import KnownTenant, changes_of, first_changes_after
from control_plane.domain.changes import WantedChangeSet
from control_plane.domain.intents import DesiredSet, Intent, Revert, undoing
from control_plane.domain.plans import TenantState
from shared.schemas.events import RouteChange
from shared.schemas.identity import RouteKey


async def read_standing(connection: Connection, tenant: KnownTenant, intent: Intent) -> TenantState:
    """Raises NoSuchRevision and HistoryPurged where the intent goes back to a revision."""
    if isinstance(intent, WantedChangeSet):
        return await _of_keys(connection, tenant, [each.key for each in intent.routes])
    if isinstance(intent, DesiredSet):
        return await _within(connection, tenant, intent)
    past = changes_of if isinstance(intent, Revert) else first_changes_after
    undone = await past(connection, tenant, intent.revision)
    keys = [each.key for each in undoing(tenant.name, undone)]
    standing = await _of_keys(connection, tenant, keys, undone)
    if isinstance(intent, Revert):
        return standing
    return replace(standing, active=(await _counted(connection, tenant))["active"])


async def _of_keys(
    connection: Connection, tenant: KnownTenant, keys: Sequence[RouteKey], undone: Sequence[RouteChange] = ()
) -> TenantState:
    rows = await connection.fetch(
        CURRENT,
        tenant.id,
        [each.service for each in keys],
        [each.env for each in keys],
        [each.version for each in keys],
    )
    now = rows[0]["now"] if rows else await connection.fetchval("SELECT clock_timestamp()")
    routes = {key: route_from(key, row) for key, row in zip(keys, rows, strict=True) if row["url"] is not None}
    return TenantState(tenant.revision, now, routes, undone=undone)


async def _within(connection: Connection, tenant: KnownTenant, wanted: DesiredSet) -> TenantState:
    rows = await connection.fetch(IN_SCOPE, tenant.id, wanted.scope.service, wanted.scope.env)
    routes = {key: route_from(key, row) for row in rows for key in [_key(tenant, row)]}
    counted = await _counted(connection, tenant)
    return TenantState(tenant.revision, counted["now"], routes, active=counted["active"])


async def _counted(connection: Connection, tenant: KnownTenant) -> asyncpg.Record:
    counted = await connection.fetchrow(ACTIVE, tenant.id)
    assert counted is not None  # noqa: S101 - an aggregate has one row
    return counted


def _key(tenant: KnownTenant, row: asyncpg.Record) -> RouteKey:
    return RouteKey(tenant.name, row["service"], row["env"], row["version"])
