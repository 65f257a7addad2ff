"""Parts of the control plane on real servers, composed as a test needs them."""

import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import asyncpg
import httpx2

from control_plane.adapters.kafka.event_log import KafkaEventLog
from control_plane.adapters.postgres.change_sets import PostgresChangeSets
from control_plane.adapters.postgres.history import PostgresHistory
from control_plane.adapters.postgres.outbox import PostgresOutbox
from control_plane.adapters.postgres.primary import UNAVAILABLE, Primary
from control_plane.adapters.postgres.routes import PostgresRoutes
from control_plane.adapters.postgres.tenants import PostgresTenants
from control_plane.composition.app import connected_app
from control_plane.domain.changes import Attribution
from control_plane.domain.intents import Intent
from control_plane.domain.plans import NO_PRECONDITIONS, Plan, Preconditions
from control_plane.domain.requests import ChangeRequest
from control_plane.ports.change_sets import ChangeSets
from control_plane.ports.routes import History, Routes, Tenants
from control_plane.service.change_sets import ChangeSetService
from control_plane.settings import ControlPlaneSettings
from shared.runtime.clock import SystemClock
from shared.runtime.health import DependencyHealth
from shared.runtime.kafka.producer import KAFKA_FAILURES, ReplaceableProducer
from shared.runtime.metrics import Metrics
from shared.runtime.resilience import Guard
from shared.runtime.service import Service
from shared.schemas.events import RouteChanged, decode
from shared.schemas.topics import ROUTE_EVENTS
from tests.support.kafka import read_all
from tests.support.lifespan import lifespan_of

ROUTE_QUOTA = 100_000
"""Routes of a tenant: more than any test creates."""


def new_guard(
    name: str, metrics: Metrics, failures: tuple[type[Exception], ...] = UNAVAILABLE, *, timeout: float = 5.0
) -> Guard:
    """A guard as in production, with its own health."""
    return Guard(
        name,
        timeout=timeout,
        failures=failures,
        clock=SystemClock(),
        health=DependencyHealth(required=True),
        metrics=metrics,
    )


@asynccontextmanager
async def open_primary(
    url: str, *, size: int = 10, deadline_seconds: float = 5.0, metrics: Metrics | None = None
) -> AsyncIterator[Primary]:
    """A connection pool on the primary."""
    guard = new_guard("postgres", metrics or Metrics(Service.CONTROL_PLANE), timeout=deadline_seconds)
    async with Primary(url, size=size, deadline_seconds=deadline_seconds, guard=guard) as primary:
        yield primary


@dataclass(frozen=True, slots=True)
class Registry:
    """The ports of tenants, routes, change sets and history."""

    tenants: Tenants
    routes: Routes
    changes: ChangeSetService
    history: History

    async def apply(self, intent: Intent, by: Attribution, preconditions: Preconditions = NO_PRECONDITIONS) -> Plan:
        """Applies an intent without an idempotency key."""
        done = await self.changes.carry_out(ChangeRequest(intent, by, preconditions))
        assert isinstance(done, Plan)
        return done


def change_service(
    change_sets: ChangeSets, *, route_quota: int = ROUTE_QUOTA, metrics: Metrics | None = None
) -> ChangeSetService:
    """The use case of changing routes, as production has it, with a deadline that no test reaches."""
    return ChangeSetService(
        change_sets,
        route_quota=route_quota,
        on_commit=lambda: None,
        deadline_seconds=30.0,
        metrics=metrics or Metrics(Service.CONTROL_PLANE),
    )


@asynccontextmanager
async def open_registry(
    url: str, *, size: int = 10, deadline_seconds: float = 5.0, route_quota: int = ROUTE_QUOTA
) -> AsyncIterator[Registry]:
    """Tenants, routes and history on PostgreSQL."""
    metrics = Metrics(Service.CONTROL_PLANE)
    async with open_primary(url, size=size, deadline_seconds=deadline_seconds, metrics=metrics) as primary:
        yield Registry(
            PostgresTenants(primary),
            PostgresRoutes(primary),
            change_service(PostgresChangeSets(primary, metrics), route_quota=route_quota, metrics=metrics),
            PostgresHistory(primary),
        )


@asynccontextmanager
async def open_outbox(url: str, metrics: Metrics | None = None) -> AsyncIterator[PostgresOutbox]:
    """The outbox on PostgreSQL."""
    metrics = metrics or Metrics(Service.CONTROL_PLANE)
    async with open_primary(url, metrics=metrics) as primary:
        yield PostgresOutbox(primary, url, new_guard("outbox_relay", metrics))


@asynccontextmanager
async def open_event_log(bootstrap: str, *, publish_seconds: float = 6.0) -> AsyncIterator[KafkaEventLog]:
    """The relay's event log on Kafka."""
    guard = new_guard("kafka", Metrics(Service.CONTROL_PLANE), KAFKA_FAILURES, timeout=publish_seconds)
    events = KafkaEventLog(ReplaceableProducer(bootstrap, "tests", guard))
    try:
        yield events
    finally:
        await events.close()


@asynccontextmanager
async def control_plane(url: str, bootstrap: str, **settings: Any) -> AsyncIterator[httpx2.AsyncClient]:
    """Starts a control plane with its relay in this process; yields a client of its API."""
    all_settings = ControlPlaneSettings(
        **{
            "postgres_url": url,
            "kafka_bootstrap": bootstrap,
            "instance_id": f"cp-{secrets.token_hex(4)}",
            "access": "off",
            **settings,
        }
    )
    app = connected_app(all_settings)
    transport = httpx2.ASGITransport(app=app, raise_app_exceptions=False)  # type: ignore[arg-type]
    async with lifespan_of(app), httpx2.AsyncClient(transport=transport, base_url="http://test/api/v1") as client:
        yield client


async def leads(client: httpx2.AsyncClient) -> bool:
    """Whether the relay of this control plane is the active one."""
    metrics = client.base_url.copy_with(path="/metrics")
    return "tm_outbox_relay_leader 1.0" in (await client.get(metrics)).text


async def unpublished(url: str) -> int:
    """The number of events in the outbox of this database that are not published yet."""
    connection = await asyncpg.connect(url)
    try:
        waiting: int = await connection.fetchval("SELECT count(*) FROM outbox WHERE sent_at IS NULL")
    finally:
        await connection.close()
    return waiting


async def all_published(url: str) -> bool:
    """Whether Kafka has acknowledged every event in the outbox of this database."""
    return await unpublished(url) == 0


async def published_events(bootstrap: str, *tenants: str) -> list[RouteChanged]:
    """The events of these tenants on `route-events`, in offset order per tenant."""
    keys = {each.encode() for each in tenants}
    events = [decode(each.value) for each in await read_all(bootstrap, ROUTE_EVENTS.name) if each.key in keys]
    return [each for each in events if isinstance(each, RouteChanged)]
