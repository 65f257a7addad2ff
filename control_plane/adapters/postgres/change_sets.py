"""Change sets into PostgreSQL: the tenant's lock, the decision, and everything it changes, in one transaction."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import asyncpg
import msgspec

from control_plane.adapters.postgres.change_set_sql import CURRENT, LOCK, WRITE
from control_plane.adapters.postgres.primary import Connection, Primary
from control_plane.adapters.postgres.rows import route_from
from control_plane.adapters.postgres.turns import Turns
from control_plane.domain.changes import Attribution, Outcome, WantedChangeSet, decide
from control_plane.domain.routes import Route
from control_plane.errors import NoSuchTenant, TenantBusy
from shared.runtime.ids import new_id
from shared.runtime.metrics import Metrics
from shared.schemas.events import RouteChanged, encode
from shared.schemas.identity import RouteKey
from shared.schemas.topics import ROUTE_EVENTS


@dataclass(frozen=True, slots=True)
class _LockedTenant:
    id: int
    name: str
    revision: int


class ChangeSets:
    """Applies change sets, a tenant's one after another and different tenants' side by side."""

    def __init__(self, primary: Primary, metrics: Metrics) -> None:
        self._primary = primary
        self._turns = Turns()
        self._durations = metrics.histogram("tm_commit_duration_seconds")

    async def apply(
        self, wanted: WantedChangeSet, attribution: Attribution, headers: Mapping[str, str]
    ) -> Sequence[Outcome]:
        """As the Routes port promises."""
        async with self._turns.of(wanted.tenant):
            started = time.perf_counter()
            async with self._primary.transaction(wanted.tenant) as connection:
                tenant = await _lock(connection, wanted.tenant)
                now, current = await _read_current(connection, tenant, wanted)
                outcomes = decide(wanted, current, tenant.revision + 1, now)
                event = _event(tenant, outcomes, attribution, now)
                if event is not None:
                    await _write(connection, tenant, event, headers)
            if event is not None:
                self._durations.observe(time.perf_counter() - started)
        return outcomes


async def _lock(connection: Connection, name: str) -> _LockedTenant:
    try:
        found = await connection.fetchrow(LOCK, name)
    except asyncpg.LockNotAvailableError as error:
        raise TenantBusy(name) from error
    if found is None:
        raise NoSuchTenant(name)
    return _LockedTenant(found["id"], name, found["revision"])


async def _read_current(
    connection: Connection, tenant: _LockedTenant, wanted: WantedChangeSet
) -> tuple[datetime, list[Route | None]]:
    keys = [each.key for each in wanted.routes]
    rows = await connection.fetch(
        CURRENT,
        tenant.id,
        [each.service for each in keys],
        [each.env for each in keys],
        [each.version for each in keys],
    )
    return rows[0]["now"], [_route(key, row) for key, row in zip(keys, rows, strict=True)]


def _event(
    tenant: _LockedTenant, outcomes: Sequence[Outcome], attribution: Attribution, now: datetime
) -> RouteChanged | None:
    changes = tuple(each.change for each in outcomes if each.change is not None)
    if not changes:
        return None
    return RouteChanged(
        event_id=new_id(),
        tenant=tenant.name,
        revision=tenant.revision + 1,
        changes=changes,
        changed_by=attribution.changed_by,
        reason=attribution.reason,
        occurred_at=now,
        correlation_id=attribution.correlation_id,
    )


async def _write(
    connection: Connection, tenant: _LockedTenant, event: RouteChanged, headers: Mapping[str, str]
) -> None:
    await connection.execute(
        WRITE,
        tenant.id,
        event.revision,
        [each.service for each in event.changes],
        [each.env for each in event.changes],
        [each.version for each in event.changes],
        [each.url for each in event.changes],
        [each.is_active for each in event.changes],
        event.occurred_at,
        event.changed_by,
        event.reason,
        event.correlation_id,
        ROUTE_EVENTS.name,
        event.tenant,
        msgspec.json.encode(headers).decode(),
        encode(event),
    )


def _route(key: RouteKey, row: asyncpg.Record) -> Route | None:
    return None if row["url"] is None else route_from(key, row)
