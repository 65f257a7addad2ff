"""A tenant's row and its stored history, as one transaction sees them."""

from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import asyncpg

from control_plane.adapters.postgres.history_sql import CHANGES_OF, FIRST_CHANGES_AFTER, OLDEST, TENANT
from control_plane.adapters.postgres.primary import Connection
from control_plane.adapters.postgres.route_columns import change_from
from control_plane.errors import HistoryPurged, NoSuchRevision, NoSuchTenant
from shared.runtime.off_loop import MANY_ROUTES, off_loop
from shared.schemas.events import RouteChange

_R = TypeVar("_R")
_SLICE_ROWS = 500


@dataclass(frozen=True, slots=True)
class KnownTenant:
    """A tenant's row. `routes` counts its routes, active and inactive."""

    id: int
    name: str
    revision: int
    routes: int


async def find_tenant(connection: Connection, name: str, statement: str = TENANT) -> KnownTenant:
    """Raises NoSuchTenant."""
    found = await connection.fetchrow(statement, name)
    if found is None:
        raise NoSuchTenant(name)
    return KnownTenant(found["id"], name, found["revision"], found["routes"])


async def changes_of(connection: Connection, tenant: KnownTenant, revision: int) -> Sequence[RouteChange]:
    """The changes of a change set. Raises NoSuchRevision, HistoryPurged."""
    rows = await connection.fetch(CHANGES_OF, tenant.id, revision)
    await require(connection, tenant, revision, least=1)  # last, to notice a purge between the two statements
    return [change_from(row) for row in rows]


async def first_changes_after(connection: Connection, tenant: KnownTenant, revision: int) -> Sequence[RouteChange]:
    """For each route that changed after a revision, its first change. Raises NoSuchRevision, HistoryPurged."""
    changes: list[RouteChange] = []
    async for rows in in_slices(connection, tenant.routes, FIRST_CHANGES_AFTER, tenant.id, revision):
        changes += [change_from(row) for row in rows]
    await require(connection, tenant, revision, least=0)
    return changes


async def in_slices(
    connection: Connection, expected_rows: int, statement: str, *parameters: object
) -> AsyncIterator[Sequence[asyncpg.Record]]:
    """The rows, some at a time when many are expected: neither the loop nor the memory has to bear all of them at once."""
    if expected_rows <= MANY_ROUTES:
        yield await connection.fetch(statement, *parameters)
        return
    cursor = await connection.cursor(statement, *parameters)
    while rows := await cursor.fetch(_SLICE_ROWS):
        yield rows


async def per_row(tenant: KnownTenant, rows: Sequence[object], compute: Callable[[], _R]) -> _R:
    """The result of a computation that visits each row: off the loop when they are many."""
    return compute() if len(rows) <= MANY_ROUTES else await off_loop(tenant.name, compute)


async def require(connection: Connection, tenant: KnownTenant, revision: int, *, least: int) -> None:
    """Check that the revision is stored. `least`: 1 to read its changes, 0 to read the routes at it.

    The routes at a revision are known one revision further back than its changes. Raises NoSuchRevision, HistoryPurged.
    """
    if not least <= revision <= tenant.revision:
        raise NoSuchRevision(tenant.name, revision, tenant.revision)
    first = await connection.fetchval(OLDEST, tenant.id)
    oldest = (tenant.revision + 1 if first is None else first) - 1 + least
    if revision < oldest:
        raise HistoryPurged(tenant.name, revision, oldest)
