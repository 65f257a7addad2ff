"""Records that cannot be published, and everything else on its way past them."""

from functools import partial

import pytest
from opentelemetry.trace import StatusCode

from control_plane.domain.outbox import OutboxRecord
from shared.runtime.metrics import Metrics
from shared.runtime.service import Service
from shared.schemas.events import ChangesWithheld, Heartbeat, decode, encode
from shared.schemas.topics import ACCESS_KEYS, ROUTE_EVENTS
from tests.fakes.control_plane_event_log import FakeEventLog
from tests.fakes.control_plane_outbox import FakeOutbox
from tests.support.factories import a_change_set
from tests.support.recorded_spans import NOT_SAMPLED, SAMPLED, TRACE_ID, RecordedSpans
from tests.support.recorded_spans import spans as spans
from tests.support.relay import running_relay
from tests.support.waiting import eventually

TENANTS = [f"team-{number}" for number in range(40)]


@pytest.fixture
def outbox() -> FakeOutbox:
    return FakeOutbox()


async def test_refused_record_is_quarantined_and_everything_else_is_published(outbox: FakeOutbox) -> None:
    events, metrics = FakeEventLog(max_bytes=1_000), Metrics(Service.CONTROL_PLANE)
    refused = a_change_set(tenant="team-a", revision=7, reason="x" * 2_000)
    large = outbox.commit("team-a", encode(refused))
    later, other = outbox.commit("team-a", b"8"), outbox.commit("team-b", b"1")
    async with running_relay(outbox, events, metrics=metrics):
        await eventually(lambda: _all_sent(outbox))
        await eventually(lambda: _has_heartbeats(events, 2))
    assert [record for record, _ in outbox.quarantined.values()] == [large]
    of_tenant = [each.payload for each in events.records if each.key == "team-a"]
    assert decode(of_tenant[0]) == ChangesWithheld(tenant="team-a", event_id=refused.event_id, revision=7)
    assert of_tenant[1:] == [later.payload]
    assert other in events.records
    assert 'tm_outbox_quarantined_total{topic="route-events"} 1.0' in metrics.exposition().decode()


async def test_heartbeat_follows_the_marker_of_a_record_that_was_withheld(outbox: FakeOutbox) -> None:
    events = FakeEventLog(max_bytes=1_000)
    async with running_relay(outbox, events):
        await eventually(lambda: _has_heartbeats(events, 1))
        outbox.commit("team-a", b"x" * 2_000)
        beats = len(outbox.beats)
        await eventually(lambda: _has_heartbeats(events, beats + 2))
    marker = next(place for place, each in enumerate(events.log) if each in events.records)
    committed_after = outbox.beats[beats]
    assert all(each.as_of < committed_after for each in events.log[:marker] if isinstance(each, Heartbeat))
    assert any(each.as_of >= committed_after for each in events.log[marker:] if isinstance(each, Heartbeat))


async def test_record_that_is_not_decodable_leaves_a_marker_without_a_revision(outbox: FakeOutbox) -> None:
    events = FakeEventLog(max_bytes=1_000)
    outbox.commit("team-a", b"x" * 2_000)
    async with running_relay(outbox, events):
        await eventually(lambda: _all_sent(outbox))
    assert decode(events.records[0].payload) == ChangesWithheld(tenant="team-a")


async def test_refused_marker_stays_in_the_outbox_and_delays_its_tenant_only(outbox: FakeOutbox) -> None:
    events = FakeEventLog(max_bytes=10)
    large, other = outbox.commit("team-a", b"x" * 2_000), outbox.commit("team-b", b"1")
    async with running_relay(outbox, events):
        await eventually(lambda: _is(lambda: other in events.records))
        await eventually(lambda: _is(lambda: outbox.looks > 10))
        assert set(outbox.sent) == {other.id}
        assert list(outbox.quarantined) == [large.id]
        assert not events.heartbeats
        events.max_bytes = 1_000
        await eventually(lambda: _all_sent(outbox))


async def test_attempt_that_fails_is_a_failed_span_and_the_next_one_names_the_record(
    outbox: FakeOutbox, spans: RecordedSpans
) -> None:
    events = FakeEventLog(refused={"team-a"})
    outbox.records[1] = OutboxRecord(1, ROUTE_EVENTS.name, "team-a", {"traceparent": SAMPLED}, b"1")
    outbox.records[2] = OutboxRecord(2, ROUTE_EVENTS.name, "team-b", {"traceparent": NOT_SAMPLED}, b"1")
    async with running_relay(outbox, events):
        await eventually(lambda: _is(lambda: outbox.looks > 3))
        events.refused.clear()
        await eventually(lambda: _all_sent(outbox))
    first, *_, last = [each for each in spans.all() if each.name == "send route-events"]
    assert (first.status.status_code, last.status.status_code) == (StatusCode.ERROR, StatusCode.UNSET)
    assert (first.attributes or {})["messaging.batch.message_count"] == 2
    assert (last.attributes or {})["messaging.kafka.offset"] == 1
    assert [f"{each.context.trace_id:032x}" for each in last.links] == [TRACE_ID]


async def test_refused_revocation_is_retried_and_never_set_aside(outbox: FakeOutbox) -> None:
    events = FakeEventLog(max_bytes=-1)
    outbox.records[1] = type(outbox.commit("k", b""))(1, ACCESS_KEYS.name, "k", {}, None)
    async with running_relay(outbox, events):
        await eventually(lambda: _is(lambda: outbox.looks > 10))
        assert not outbox.quarantined
        events.max_bytes = 0
        await eventually(lambda: _all_sent(outbox))


async def test_refused_record_of_an_access_key_leaves_no_marker(outbox: FakeOutbox) -> None:
    events = FakeEventLog(max_bytes=1_000)
    outbox.commit("k", b"x" * 2_000, ACCESS_KEYS.name)
    async with running_relay(outbox, events):
        await eventually(lambda: _is(lambda: bool(outbox.quarantined)))
    assert not events.records
    assert not outbox.records


async def test_partition_without_a_leader_stops_neither_the_others_nor_their_heartbeats(outbox: FakeOutbox) -> None:
    events = FakeEventLog(partitions=4, leaderless={2})
    stuck = [tenant for tenant in TENANTS if events.partition_of(tenant) == 2]
    free = [tenant for tenant in TENANTS if events.partition_of(tenant) != 2]
    for number in range(2 * outbox.batch):  # twice as many as the relay reads at once, before any of the others
        outbox.commit(stuck[number % len(stuck)], b"%d" % number)
    async with running_relay(outbox, events):
        for number in range(20):
            outbox.commit(free[number % len(free)], b"%d" % number)
            await eventually(partial(_has_records, events, number + 1))
        await eventually(lambda: _is(lambda: set(events.heartbeats) == {0, 1, 3}))
        assert {each.key for each in events.records} <= set(free)
        events.leaderless.clear()
        await eventually(lambda: _all_sent(outbox))
        await eventually(lambda: _is(lambda: 2 in events.heartbeats))
    for tenant in stuck:
        published = [int(each.payload or b"") for each in events.records if each.key == tenant]
        assert published == sorted(published)


async def _all_sent(outbox: FakeOutbox) -> bool:
    return set(outbox.sent) == set(outbox.records)


async def _has_records(events: FakeEventLog, count: int) -> bool:
    return len(events.records) == count


async def _has_heartbeats(events: FakeEventLog, least: int) -> bool:
    return len(events.heartbeats.get(0, ())) >= least


async def _is(condition: object) -> bool:
    assert callable(condition)
    return bool(condition())
