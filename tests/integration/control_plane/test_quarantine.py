"""Records that Kafka refuses for good, on real servers, and the operator's commands for them."""

from contextlib import suppress

import asyncpg
import pytest

from control_plane.__main__ import main
from control_plane.adapters.postgres.outbox import PostgresOutbox
from control_plane.commands import drop_quarantined, quarantined_records, retry_quarantined
from control_plane.settings import ControlPlaneSettings
from deploy.local.stack import Stack
from shared.runtime.metrics import Metrics
from shared.runtime.service import Service
from shared.schemas.events import ChangesWithheld, Heartbeat, RouteChanged, UndecodableEvent, decode, encode
from shared.schemas.topics import ROUTE_EVENTS
from tests.support.control_plane import all_published, control_plane, new_guard, open_primary
from tests.support.factories import a_change_set, a_tenant
from tests.support.kafka import read_all
from tests.support.postgres import Database
from tests.support.waiting import eventually

_COMMIT = """
INSERT INTO outbox (topic, key, headers, payload, created_at)
VALUES ($1, $2, '{"correlation_id": "req-1"}', $3, clock_timestamp()) RETURNING id
"""


async def _commit(database: Database, topic: str, key: str, payload: bytes) -> int:
    connection = await asyncpg.connect(database.url)
    record_id: int = await connection.fetchval(_COMMIT, topic, key, payload)
    await connection.close()
    return record_id


def _settings(database: Database) -> ControlPlaneSettings:
    return ControlPlaneSettings(postgres_url=database.url)


async def _published(stack: Stack, tenant: str) -> list[tuple[int, RouteChanged | ChangesWithheld | Heartbeat]]:
    """Partition and event of everything published for the tenant, with the heartbeats of the partition."""
    records = await read_all(stack.urls.kafka, ROUTE_EVENTS.name)
    of_tenant = {each.partition for each in records if each.key == tenant.encode()}
    events: list[tuple[int, RouteChanged | ChangesWithheld | Heartbeat]] = []
    for each in records:
        # Other tests put records without a key on the topic, and some that are no events.
        with suppress(UndecodableEvent):
            if each.partition in of_tenant:
                event = decode(each.value)
                if each.key == tenant.encode() or isinstance(event, Heartbeat):
                    events.append((each.partition, event))
    return events


async def test_refused_event_is_replaced_by_a_marker_and_published_after_a_retry(
    stack: Stack, database: Database
) -> None:
    refused_tenant, other = a_tenant(), a_tenant()
    refused = a_change_set(tenant=refused_tenant, revision=1, reason="x" * 5_000_000)
    record_id = await _commit(database, ROUTE_EVENTS.name, refused_tenant, encode(refused))
    later = a_change_set(tenant=refused_tenant, revision=2)
    await _commit(database, ROUTE_EVENTS.name, refused_tenant, encode(later))
    elsewhere = a_change_set(tenant=other, revision=1)
    await _commit(database, ROUTE_EVENTS.name, other, encode(elsewhere))
    async with control_plane(database.url, stack.urls.kafka, heartbeat_seconds=0.1) as client:
        await eventually(lambda: all_published(database.url))
        [listed] = await quarantined_records(_settings(database))
        assert (listed.id, listed.key, "TooLarge" in listed.reason) == (record_id, refused_tenant, True)
        metrics = (await client.get("http://test/metrics")).text
        assert 'tm_outbox_quarantined_total{topic="route-events"} 1.0' in metrics
        await eventually(lambda: _has_heartbeat_after(stack, refused_tenant))

        await _shrink(database, record_id, encode(a_change_set(tenant=refused_tenant, revision=1)))
        assert await retry_quarantined(_settings(database), record_id)
        await eventually(lambda: all_published(database.url))
    assert not await quarantined_records(_settings(database))
    events = [event for _, event in await _published(stack, refused_tenant) if not isinstance(event, Heartbeat)]
    assert events[0] == ChangesWithheld(tenant=refused_tenant, event_id=refused.event_id, revision=1)
    assert events[1] == later
    assert isinstance(events[2], RouteChanged)
    assert events[2].revision == 1


async def _shrink(database: Database, record_id: int, payload: bytes) -> None:
    """What raising the broker's limit would do for the record."""
    connection = await asyncpg.connect(database.url)
    await connection.execute("UPDATE quarantined_records SET payload = $2 WHERE id = $1", record_id, payload)
    await connection.close()


async def _has_heartbeat_after(stack: Stack, tenant: str) -> bool:
    events = [event for _, event in await _published(stack, tenant)]
    return bool(events) and isinstance(events[-1], Heartbeat)


async def test_full_quarantine_keeps_a_record_without_its_value_and_admits_the_marker(database: Database) -> None:
    tenant, marker = a_tenant(), b"marker"
    for payload in (b"x" * 60, b"y" * 60):
        await _commit(database, ROUTE_EVENTS.name, tenant, payload)
    guard = new_guard("outbox_relay", Metrics(Service.CONTROL_PLANE))
    async with open_primary(database.url) as primary:
        outbox = PostgresOutbox(primary, database.url, guard, quarantine_bytes=100)
        async with outbox.session(lambda: None) as session:
            await session.try_lead()
            records = (await session.unsent()).records
            assert [await session.quarantine(each, "too large", marker) for each in records] == [True, True]
            assert [each.payload for each in (await session.unsent()).records] == [marker, marker]
    listed = await quarantined_records(_settings(database))
    assert [each.bytes for each in listed] == [60, 0]
    assert [await retry_quarantined(_settings(database), each.id) for each in listed] == [True, False]
    assert await drop_quarantined(_settings(database), listed[1].id)


async def test_quarantined_record_of_an_access_key_can_be_dropped_but_not_retried(database: Database) -> None:
    connection = await asyncpg.connect(database.url)
    await connection.execute(
        """
        INSERT INTO quarantined_records (id, topic, key, headers, payload, committed_at, reason)
        VALUES (7, 'access-keys', 'k', '{}', 'x', clock_timestamp(), 'too large')
        """
    )
    await connection.close()
    assert not await retry_quarantined(_settings(database), 7)
    assert [each.id for each in await quarantined_records(_settings(database))] == [7]
    assert await drop_quarantined(_settings(database), 7)
    assert not await drop_quarantined(_settings(database), 7)


def test_commands_print_records_and_explain_what_is_missing(
    database: Database, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TM_POSTGRES_URL", database.url)
    assert main(["quarantine", "list"]) == 0
    assert main(["quarantine", "retry", "12"]) == 1
    assert "no event with id 12" in capsys.readouterr().err
    assert main(["quarantine", "drop", "12"]) == 1
    assert "no record with id 12" in capsys.readouterr().err
