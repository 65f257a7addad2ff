"""An operator's commands for access keys and quarantined records. Each opens the database, and closes it at its end."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from control_plane.adapters.postgres.access_keys import PostgresAccessKeys
from control_plane.adapters.postgres.key_topic import PostgresKeyTopic
from control_plane.adapters.postgres.primary import UNAVAILABLE, Primary
from control_plane.adapters.postgres.quarantine import PostgresQuarantine
from control_plane.domain.access_keys import NewKey
from control_plane.domain.outbox import QuarantinedRecord
from control_plane.settings import ControlPlaneSettings
from shared.runtime.access.tokens import AccessKey
from shared.runtime.clock import SystemClock
from shared.runtime.health import DependencyHealth
from shared.runtime.metrics import Metrics
from shared.runtime.resilience import Guard
from shared.runtime.service import Service
from shared.schemas.access import Role

_SECONDS = 10.0


async def create_admin_key(settings: ControlPlaneSettings, subject: str) -> AccessKey:
    """A new admin key of the platform, stored together with its record for all services. The first key comes from here.

    Raises DependencyUnavailable.
    """
    secret = AccessKey.new()
    created_by = "python -m control_plane create-admin-key"
    new = NewKey(secret.key_id, secret.sha256, subject, Role.ADMIN, None, created_by, expires_at=None)
    async with _primary(settings) as primary:
        await PostgresAccessKeys(primary, recorded_bytes=settings.tenant_recorded_bytes).create(new)
    return secret


async def republish_keys(settings: ControlPlaneSettings) -> int:
    """Send the record of every key to all services again, as a new generation of their topic. Returns how many.

    Raises DependencyUnavailable.
    """
    async with _primary(settings) as primary:
        return await PostgresKeyTopic(primary).republish()


async def quarantined_records(settings: ControlPlaneSettings) -> Sequence[QuarantinedRecord]:
    """The records that Kafka refused for good. Raises DependencyUnavailable."""
    async with _primary(settings) as primary:
        return await PostgresQuarantine(primary).list()


async def retry_quarantined(settings: ControlPlaneSettings, record_id: int) -> bool:
    """Let the relay publish a quarantined event again. False if there is no event of this id.

    Raises DependencyUnavailable.
    """
    async with _primary(settings) as primary:
        return await PostgresQuarantine(primary).retry(record_id)


async def drop_quarantined(settings: ControlPlaneSettings, record_id: int) -> bool:
    """Delete a quarantined record. False if there is none of this id. Raises DependencyUnavailable."""
    async with _primary(settings) as primary:
        return await PostgresQuarantine(primary).drop(record_id)


@asynccontextmanager
async def _primary(settings: ControlPlaneSettings) -> AsyncIterator[Primary]:
    guard = Guard(
        "postgres",
        timeout=_SECONDS,
        failures=UNAVAILABLE,
        clock=SystemClock(),
        health=DependencyHealth(required=True),
        metrics=Metrics(Service.CONTROL_PLANE),
        at_once=1,
    )
    async with Primary(settings.postgres_url, size=1, deadline_seconds=_SECONDS, guard=guard) as primary:
        yield primary
