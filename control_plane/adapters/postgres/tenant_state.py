"""Reads the state of a tenant that an intent needs, inside the intent's transaction."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

import asyncpg

from control_plane.adapters.postgres.change_set_sql import COUNT_ACTIVE, CURRENT, IN_SCOPE
from control_plane.adapters.postgres.primary import Connection
from control_plane.adapters.postgres.route_columns import route_from
from control_plane.adapters.postgres.tenant_history import (
    KnownTenant,
    changes_of,
    first_changes_after,
    in_slices,
    per_row,
)
from control_plane.domain.changes import WantedChangeSet
from control_plane.domain.intents import DesiredSet, Intent, Revert, undoing
from control_plane.domain.plans import TenantState
from control_plane.domain.routes import Route
from shared.schemas.events import RouteChange
from shared.schemas.identity import RouteKey


async def read_state(connection: Connection, tenant: KnownTenant, intent: Intent) -> TenantState:
    """Raises NoSuchRevision and HistoryPurged for an intent that goes back to a revision."""
    if isinstance(intent, WantedChangeSet):
        return await _state_of(connection, tenant, [each.key for each in intent.routes])
    if isinstance(intent, DesiredSet):
        return await _state_in_scope(connection, tenant, intent)
    read_changes = changes_of if isinstance(intent, Revert) else first_changes_after
    changes = await read_changes(connection, tenant, intent.revision)
    keys = await per_row(tenant, changes, lambda: [each.key for each in undoing(tenant.name, changes)])
    state = await _state_of(connection, tenant, keys, changes)
    if isinstance(intent, Revert):
        return state
    return replace(state, active_count=(await _count_active(connection, tenant))["active"])


async def _state_of(
    connection: Connection, tenant: KnownTenant, keys: Sequence[RouteKey], to_undo: Sequence[RouteChange] = ()
) -> TenantState:
    routes: dict[RouteKey, Route] = {}
    services, envs, versions = ([getattr(each, part) for each in keys] for part in ("service", "env", "version"))
    now, done = None, 0
    async for rows in in_slices(connection, len(keys), CURRENT, tenant.id, services, envs, versions):
        routes |= _existing(keys[done : done + len(rows)], rows)
        done += len(rows)
        now = rows[0]["now"] if rows else None
    now = now or await connection.fetchval("SELECT clock_timestamp()")
    return TenantState(tenant.revision, now, tenant.routes, routes, changes_to_undo=to_undo)


async def _state_in_scope(connection: Connection, tenant: KnownTenant, desired: DesiredSet) -> TenantState:
    routes: dict[RouteKey, Route] = {}
    scope = desired.scope.service, desired.scope.env
    async for rows in in_slices(connection, tenant.routes, IN_SCOPE, tenant.id, *scope):
        routes |= _existing((_key(tenant, row) for row in rows), rows)
    counted = await _count_active(connection, tenant)
    return TenantState(tenant.revision, counted["now"], tenant.routes, routes, active_count=counted["active"])


def _existing(keys: Iterable[RouteKey], rows: Sequence[asyncpg.Record]) -> Mapping[RouteKey, Route]:
    return {key: route_from(key, row) for key, row in zip(keys, rows, strict=True) if row["revision"] is not None}


def _key(tenant: KnownTenant, row: asyncpg.Record) -> RouteKey:
    return RouteKey(tenant.name, row["service"], row["env"], row["version"])


async def _count_active(connection: Connection, tenant: KnownTenant) -> asyncpg.Record:
    counted = await connection.fetchrow(COUNT_ACTIVE, tenant.id)
    assert counted is not None  # noqa: S101 - an aggregate has one row
    return counted
