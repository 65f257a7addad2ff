"""Change sets into PostgreSQL: the tenant's lock, the plan, and everything it changes, in one transaction."""

import time
from collections.abc import Mapping
from datetime import datetime

import asyncpg
import msgspec

from control_plane.adapters.postgres.change_set_sql import LOCK, WRITE
from control_plane.adapters.postgres.idempotency import record, recorded_answer
from control_plane.adapters.postgres.primary import Connection, Primary
from control_plane.adapters.postgres.tenant_history import KnownTenant, find_tenant
from control_plane.adapters.postgres.tenant_locks import Turns
from control_plane.adapters.postgres.tenant_state import read_standing
from control_plane.domain.plans import Plan, make_plan
from control_plane.domain.quota import DEFAULT_ROUTES, keep_quota
from control_plane.domain.requests import ChangeRequest, RecordedResponse
from control_plane.errors import TenantBusy
from shared.runtime.ids import new_id
from shared.runtime.metrics import Metrics
from shared.schemas.events import RouteChanged, encode
from shared.schemas.topics import ROUTE_EVENTS


class PostgresChangeSets:
    """The ChangeSets port: a tenant's change sets one after another, different tenants' side by side."""

    def __init__(self, primary: Primary, metrics: Metrics, *, most_routes: int = DEFAULT_ROUTES) -> None:
        self._primary = primary
        self._most_routes = most_routes
        self._turns = Turns()
        self._durations = metrics.histogram("tm_commit_duration_seconds")

    async def plan(self, request: ChangeRequest) -> Plan:
        # In a snapshot, so that looking does not hold up those who write.
        async with self._primary.snapshot(request.intent.tenant) as connection:
            tenant = await find_tenant(connection, request.intent.tenant)
            standing = await read_standing(connection, tenant, request.intent)
            return keep_quota(make_plan(request.intent, request.terms, standing), tenant.routes, self._most_routes)

    async def apply(self, request: ChangeRequest, headers: Mapping[str, str]) -> Plan | RecordedResponse:
        async with self._turns.of(request.intent.tenant):
            started = time.perf_counter()
            async with self._primary.transaction(request.intent.tenant) as connection:
                done = await self._apply(connection, request, headers)
            if isinstance(done, Plan) and done.committed:
                self._durations.observe(time.perf_counter() - started)
        return done

    async def _apply(
        self, connection: Connection, request: ChangeRequest, headers: Mapping[str, str]
    ) -> Plan | RecordedResponse:
        tenant = await _lock(connection, request.intent.tenant)
        once = request.once
        if once is not None and (recorded := await recorded_answer(connection, tenant.id, once)):
            return recorded
        standing = await read_standing(connection, tenant, request.intent)
        plan = make_plan(request.intent, request.terms, standing)
        plan = keep_quota(plan, tenant.routes, self._most_routes).as_committed()
        if plan.committed:
            await _write(connection, tenant, _event(plan, request, standing.now), headers, plan.created)
        if once is not None:
            await record(connection, tenant.id, once, once.answer(plan), standing.now)
        return plan


async def _lock(connection: Connection, name: str) -> KnownTenant:
    try:
        return await find_tenant(connection, name, LOCK)
    except asyncpg.LockNotAvailableError as error:
        raise TenantBusy(name) from error


def _event(plan: Plan, request: ChangeRequest, now: datetime) -> RouteChanged:
    by = request.attribution
    return RouteChanged(
        event_id=new_id(),
        tenant=plan.tenant,
        revision=plan.revision,
        changes=plan.changes,
        changed_by=by.changed_by,
        reason=by.reason,
        occurred_at=now,
        correlation_id=by.correlation_id,
    )


async def _write(
    connection: Connection, tenant: KnownTenant, event: RouteChanged, headers: Mapping[str, str], created: int
) -> None:
    changes = event.changes
    await connection.execute(
        WRITE,
        tenant.id,
        event.revision,
        [each.service for each in changes],
        [each.env for each in changes],
        [each.version for each in changes],
        [each.url for each in changes],
        [each.is_active for each in changes],
        event.occurred_at,
        event.changed_by,
        event.reason,
        event.correlation_id,
        ROUTE_EVENTS.name,
        event.tenant,
        msgspec.json.encode(headers).decode(),
        encode(event),
        [each.action for each in changes],
        [each.previous_url for each in changes],
        [each.previous_state for each in changes],
        created,
    )
