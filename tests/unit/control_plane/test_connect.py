"""The control plane's adapters, connected to servers that do not answer."""

import pytest

from control_plane.composition.connect import connect
from control_plane.domain.outbox import OutboxRecord
from control_plane.errors import NotPublished
from control_plane.ports.publishing import EventLog
from control_plane.settings import ControlPlaneSettings
from shared.schemas.topics import ACCESS_KEYS, ROUTE_EVENTS

UNREACHABLE = "127.0.0.1:1"


async def test_breaker_opened_by_change_events_does_not_stop_revocations() -> None:
    connections = connect(ControlPlaneSettings(kafka_bootstrap=UNREACHABLE))
    async with connections.opened():
        for _ in range(6):
            refused = await _failure(connections.ports.events, OutboxRecord(1, ROUTE_EVENTS.name, "team-a", {}, b"1"))
        assert "not called" in refused
        revocation = OutboxRecord(0, ACCESS_KEYS.name, "k" * 12, {}, None)
        assert "not called" not in await _failure(connections.ports.revocations, revocation)


async def _failure(events: EventLog, record: OutboxRecord) -> str:
    with pytest.raises(NotPublished) as failed:
        await events.publish([record], lambda _: None)
    return str(failed.value)
