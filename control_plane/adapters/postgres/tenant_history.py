"""A tenant, and how far back its history is kept, as one transaction sees it."""

from collections.abc import Sequence
from dataclasses import dataclass

from control_plane.adapters.postgres.history_sql import CHANGES_OF, FIRST_CHANGES_AFTER, OLDEST, TENANT
from control_plane.adapters.postgres.primary import Connection
from control_plane.adapters.postgres.route_columns import change_from
from control_plane.errors import HistoryPurged, NoSuchRevision, NoSuchTenant
from shared.schemas.events import RouteChange


@dataclass(frozen=True, slots=True)
class KnownTenant:
    """A tenant's row. `routes`: how many it has, active and inactive."""

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
    """What a change set changed. Raises NoSuchRevision, HistoryPurged."""
    rows = await connection.fetch(CHANGES_OF, tenant.id, revision)
    await require(connection, tenant, revision, least=1)  # last, so that what is purged meanwhile is noticed
    return [change_from(row) for row in rows]


async def first_changes_after(connection: Connection, tenant: KnownTenant, revision: int) -> Sequence[RouteChange]:
    """Of every route that changed after a revision, the first change. Raises NoSuchRevision, HistoryPurged."""
    rows = await connection.fetch(FIRST_CHANGES_AFTER, tenant.id, revision)
    await require(connection, tenant, revision, least=0)
    return [change_from(row) for row in rows]


async def require(connection: Connection, tenant: KnownTenant, revision: int, *, least: int) -> None:
    """Check that the revision can be asked for; `least`: 1 for what it changed, 0 for how things were at it.

    How things were is known one revision further back than what changed. Raises NoSuchRevision, HistoryPurged.
    """
    if not least <= revision <= tenant.revision:
        raise NoSuchRevision(tenant.name, revision, tenant.revision)
    first = await connection.fetchval(OLDEST, tenant.id)
    oldest = (tenant.revision + 1 if first is None else first) - 1 + least
    if revision < oldest:
        raise HistoryPurged(tenant.name, revision, oldest)
