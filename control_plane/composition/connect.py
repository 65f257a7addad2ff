"""The adapters on PostgreSQL and Kafka: builds each from the settings, and opens none."""

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from control_plane.adapters.kafka.event_log import KafkaEventLog
from control_plane.adapters.kafka.key_topic import KafkaKeyTopic
from control_plane.adapters.kafka.key_usage import KafkaKeyUsageReports
from control_plane.adapters.kafka.status_reports import KafkaStatusReports
from control_plane.adapters.postgres.access_keys import PostgresAccessKeys
from control_plane.adapters.postgres.change_sets import PostgresChangeSets
from control_plane.adapters.postgres.history import PostgresHistory
from control_plane.adapters.postgres.installation import PostgresInstallation
from control_plane.adapters.postgres.key_topic import PostgresKeyTopic
from control_plane.adapters.postgres.outbox import PostgresOutbox
from control_plane.adapters.postgres.primary import UNAVAILABLE as POSTGRES_UNAVAILABLE
from control_plane.adapters.postgres.primary import Primary
from control_plane.adapters.postgres.publications import PostgresPublications
from control_plane.adapters.postgres.routes import PostgresRoutes
from control_plane.adapters.postgres.tenants import PostgresTenants
from control_plane.ports.bundle import Ports
from control_plane.settings import ControlPlaneSettings
from shared.runtime.access.assembly import Access, build_access
from shared.runtime.clock import SystemClock
from shared.runtime.deadlines import Deadlines
from shared.runtime.health import DependencyHealth, Health
from shared.runtime.http.application import Lifespan
from shared.runtime.kafka.producer import KAFKA_FAILURES, ReplaceableProducer
from shared.runtime.metrics import Metrics
from shared.runtime.resilience import Guard
from shared.runtime.service import Service

_RELAY_CALL_SECONDS = 5.0
_PUBLISH_SECONDS = 6.0
"""Longer than one request to a broker may take, so that the Kafka client retries once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Connections:
    """The ports on real servers, and what watches over them. `opened` is a block in which the adapters are open."""

    ports: Ports
    health: Health
    metrics: Metrics
    access: Access
    opened: Lifespan


def new_health() -> Health:
    """PostgreSQL counts as down until its first answer. Kafka is optional: without it the outbox grows.

    Reads are no reason to take a process out of service: slow ones may be one caller's.
    """
    return Health(
        {
            "postgres": DependencyHealth(required=True, up=False, detail="not reached yet"),
            "postgres_reads": DependencyHealth(required=False),
            "outbox_relay": DependencyHealth(required=False),
            "kafka": DependencyHealth(required=False),
            "kafka_revocations": DependencyHealth(required=False),
        }
    )


def _primary(settings: ControlPlaneSettings, guard: Callable[..., Guard]) -> Primary:
    """The pool, half of it for reads: neither reads nor writes can use the connections, or open the breaker, of the others."""
    deadline, size = settings.request_deadline_seconds, settings.postgres_pool_size
    reads = size // 2
    seconds = Deadlines(deadline).call_seconds
    return Primary(
        settings.postgres_url,
        size=size,
        deadline_seconds=deadline,
        guard=guard("postgres", seconds, POSTGRES_UNAVAILABLE, size - reads),
        read_guard=guard("postgres_reads", seconds, POSTGRES_UNAVAILABLE, reads),
    )


def connect(settings: ControlPlaneSettings) -> Connections:
    """The adapters on the servers that the settings name."""
    health, metrics, clock = new_health(), Metrics(Service.CONTROL_PLANE), SystemClock()

    def guard(name: str, seconds: float, failures: tuple[type[Exception], ...], at_once: int = 64) -> Guard:
        watched = health.dependencies[name]
        return Guard(
            name, timeout=seconds, failures=failures, clock=clock, health=watched, metrics=metrics, at_once=at_once
        )

    url = settings.postgres_url
    primary = _primary(settings, guard)
    # A guard of its own: failing requests must not cost the relay its lock, nor the other way round.
    relay_guard = guard("outbox_relay", _RELAY_CALL_SECONDS, POSTGRES_UNAVAILABLE)
    kafka_guard = guard("kafka", _PUBLISH_SECONDS, KAFKA_FAILURES)
    # A guard of its own: failing change events must not open the breaker that revocations of access keys pass.
    revocations_guard = guard("kafka_revocations", _PUBLISH_SECONDS, KAFKA_FAILURES)
    bootstrap, instance = settings.kafka_bootstrap, settings.instance_id
    events = KafkaEventLog(ReplaceableProducer(bootstrap, instance, kafka_guard))
    revocations = KafkaEventLog(
        ReplaceableProducer(bootstrap, f"{instance}-revocations", revocations_guard), pauses_partitions=False
    )

    @asynccontextmanager
    async def opened() -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            await stack.enter_async_context(primary)
            stack.push_async_callback(events.close)
            stack.push_async_callback(revocations.close)
            yield

    key_topic = PostgresKeyTopic(primary)
    ports = Ports(
        tenants=PostgresTenants(primary),
        routes=PostgresRoutes(primary),
        change_sets=PostgresChangeSets(primary, metrics, recorded_bytes=settings.tenant_recorded_bytes),
        history=PostgresHistory(primary),
        access_keys=PostgresAccessKeys(primary, recorded_bytes=settings.tenant_recorded_bytes),
        key_topic=KafkaKeyTopic(bootstrap, instance, clock=clock),
        key_publications=key_topic,
        key_use=key_topic,
        key_usage_reports=KafkaKeyUsageReports(bootstrap, instance, clock=clock),
        outbox=PostgresOutbox(primary, url, relay_guard, quarantine_bytes=settings.quarantine_bytes),
        events=events,
        revocations=revocations,
        publications=PostgresPublications(primary),
        status_reports=KafkaStatusReports(bootstrap, instance, clock=clock, metrics=metrics),
        installation=PostgresInstallation(primary),
    )
    access = build_access(settings, clock=clock, health=health, metrics=metrics)
    return Connections(ports=ports, health=health, metrics=metrics, access=access, opened=opened)
