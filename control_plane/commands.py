"""An operator's commands for access keys. Each opens the database, and closes it at its end."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from control_plane.adapters.postgres.access_keys import PostgresAccessKeys
from control_plane.adapters.postgres.primary import UNAVAILABLE, Primary
from control_plane.domain.access_keys import NewKey
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
    async with _access_keys(settings) as keys:
        await keys.create(new)
    return secret


async def republish_keys(settings: ControlPlaneSettings) -> int:
    """Send the record of every valid key to all services again, after their topic was lost. Returns how many.

    Raises DependencyUnavailable.
    """
    async with _access_keys(settings) as keys:
        return await keys.republish()


@asynccontextmanager
async def _access_keys(settings: ControlPlaneSettings) -> AsyncIterator[PostgresAccessKeys]:
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
        yield PostgresAccessKeys(primary, recorded_bytes=settings.tenant_recorded_bytes)
