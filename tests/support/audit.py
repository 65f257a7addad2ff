"""Audit events with default values, and an HTTP client of the application in this process."""

import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx2

from audit_consumer.domain.events import AuditEvent, audit_events
from shared.runtime.http.telemetry import TelemetryMiddleware
from shared.schemas.events import Action, RouteChanged
from tests.support.factories import a_change, a_change_set

EPOCH = datetime(2026, 1, 1, tzinfo=UTC)


def audited(change_set: RouteChanged, processed_at: datetime = EPOCH) -> list[AuditEvent]:
    """The events of a change set."""
    return list(audit_events(change_set, processed_at))


def an_event(action: Action = Action.CREATED, *, seconds: float = 0, revision: int = 1, **values: Any) -> AuditEvent:
    """One audit event, `seconds` after EPOCH. `values`: `tenant`, `correlation_id`, `event_id` or values of the change."""
    of_set = {name: values.pop(name) for name in ("tenant", "correlation_id", "event_id") if name in values}
    change_set = a_change_set(
        a_change(action, **values), revision=revision, occurred_at=EPOCH + timedelta(seconds=seconds), **of_set
    )
    return audited(change_set)[0]


def a_name() -> str:
    """A unique name for a database, a consumer group or a client."""
    return f"audit-{secrets.token_hex(6)}"


@asynccontextmanager
async def client_of(app: TelemetryMiddleware) -> AsyncIterator[httpx2.AsyncClient]:
    """A client of the application in this process. The application's lifespan is not started."""
    transport = httpx2.ASGITransport(app=app, raise_app_exceptions=False)  # type: ignore[arg-type]
    async with httpx2.AsyncClient(transport=transport, base_url="http://audit") as client:
        yield client
