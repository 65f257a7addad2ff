"""Transactions that read and write a tenant's change sets in PostgreSQL."""

import asyncio
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any
from weakref import WeakValueDictionary

import asyncpg
import msgspec

from control_plane.adapters.postgres import idempotency
from control_plane.adapters.postgres.change_set_sql import LOCK, WRITE
from control_plane.adapters.postgres.primary import Connection, Primary
from control_plane.adapters.postgres.route_columns import parameters_of
from control_plane.adapters.postgres.tenant_history import KnownTenant, find_tenant
from control_plane.adapters.postgres.tenant_state import read_state
from control_plane.domain.intents import Intent
from control_plane.domain.plans import TenantState
from control_plane.domain.requests import IdempotencyKey, RecordedResponse
from control_plane.errors import TenantBusy
from shared.runtime.metrics import Metrics
from shared.schemas.events import Action, RouteChanged
from shared.schemas.topics import ROUTE_EVENTS


class PostgresChangeSets:
    """The ChangeSets port. Change sets of one tenant run one after another, those of different tenants in parallel."""

    def __init__(
        self, primary: Primary, metrics: Metrics, *, recorded_bytes: int = idempotency.MAX_RECORDED_BYTES
    ) -> None:
        """`recorded_bytes`: of the responses recorded for one tenant."""
        self._primary = primary
        self._recorded_bytes = recorded_bytes
        # A tenant's writers wait here before they wait in the database: together they hold one connection of the pool.
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        self._durations = metrics.histogram("tm_commit_duration_seconds")

    @asynccontextmanager
    async def snapshot(self, tenant: str) -> AsyncIterator["PostgresTenantReader"]:
        async with self._primary.snapshot(tenant) as connection:
            yield PostgresTenantReader(connection, tenant)

    @asynccontextmanager
    async def transaction(self, tenant: str) -> AsyncIterator["PostgresChangeSetTransaction"]:
        async with self._locks.setdefault(tenant, asyncio.Lock()):
            started = time.perf_counter()
            async with self._primary.transaction(tenant) as connection:
                transaction = PostgresChangeSetTransaction(connection, tenant, self._recorded_bytes)
                yield transaction
            if transaction.has_written:
                self._durations.observe(time.perf_counter() - started)


class PostgresTenantReader:
    """The TenantReader port on one connection."""

    def __init__(self, connection: Connection, tenant: str) -> None:
        self._connection = connection
        self._tenant = tenant

    async def read_state(self, intent: Intent) -> TenantState:
        return await read_state(self._connection, await find_tenant(self._connection, self._tenant), intent)


class PostgresChangeSetTransaction:
    """The ChangeSetTransaction port on one connection."""

    def __init__(self, connection: Connection, tenant: str, recorded_bytes: int) -> None:
        self._connection = connection
        self._name = tenant
        self._recorded_bytes = recorded_bytes
        self._locked: KnownTenant | None = None
        self.has_written = False

    async def lock_tenant(self) -> None:
        try:
            self._locked = await find_tenant(self._connection, self._name, LOCK)
        except asyncpg.LockNotAvailableError as error:
            raise TenantBusy(self._name) from error

    async def recorded_response(self, key: IdempotencyKey[Any]) -> RecordedResponse | None:
        return await idempotency.recorded_response(self._connection, self._tenant.id, key)

    async def read_state(self, intent: Intent) -> TenantState:
        return await read_state(self._connection, self._tenant, intent)

    async def write_change_set(self, event: RouteChanged, payload: bytes, headers: Mapping[str, str]) -> None:
        changes = event.changes
        await self._connection.execute(
            WRITE,
            self._tenant.id,
            event.revision,
            event.occurred_at,
            event.changed_by,
            event.reason,
            event.correlation_id,
            ROUTE_EVENTS.name,
            event.tenant,
            msgspec.json.encode(headers).decode(),
            payload,
            sum(each.action is Action.CREATED for each in changes),
            *parameters_of(changes),
        )
        self.has_written = True

    async def record_response(self, key: IdempotencyKey[Any], response: RecordedResponse, at: datetime) -> None:
        await idempotency.record_response(
            self._connection, self._tenant.id, key, response, at, max_bytes=self._recorded_bytes
        )

    @property
    def _tenant(self) -> KnownTenant:
        if self._locked is None:
            raise RuntimeError(f"the transaction has not locked tenant {self._name}; call lock_tenant first")
        return self._locked
