"""The relay's guarantees, on fakes."""

import asyncio
from datetime import timedelta

from control_plane.service.relay import RelayTiming
from shared.runtime.metrics import Metrics
from shared.runtime.service import Service
from shared.schemas.events import Heartbeat
from tests.fakes.control_plane_event_log import FakeEventLog
from tests.fakes.control_plane_outbox import FakeOutbox
from tests.support.relay import running_relay
from tests.support.waiting import eventually

BY_SIGNAL_ONLY = RelayTiming(poll_seconds=60, heartbeat_seconds=60, follow_seconds=0.01)


async def _all_sent(outbox: FakeOutbox) -> bool:
    return set(outbox.sent) == set(outbox.records)


async def test_committed_events_are_published_in_commit_order_and_marked() -> None:
    outbox, events = FakeOutbox(batch=3), FakeEventLog()
    committed = [outbox.commit("team-a", b"%d" % n) for n in range(10)]
    async with running_relay(outbox, events):
        await eventually(lambda: _all_sent(outbox))
    assert events.records == committed


async def test_commit_in_this_process_is_published_before_the_next_poll() -> None:
    outbox, events = FakeOutbox(), FakeEventLog()
    async with running_relay(outbox, events, BY_SIGNAL_ONLY) as relay:
        await eventually(lambda: _has_heartbeat(events))
        outbox.commit("team-a", b"1")
        relay.wake()
        await eventually(lambda: _all_sent(outbox))


async def test_commit_in_another_process_is_published_by_the_leader() -> None:
    outbox, events, unused = FakeOutbox(), FakeEventLog(), FakeEventLog()
    async with running_relay(outbox, events, BY_SIGNAL_ONLY):
        await eventually(lambda: _has_heartbeat(events))
        async with running_relay(outbox, unused, BY_SIGNAL_ONLY) as follower:
            outbox.commit("team-a", b"1")
            follower.wake()
            await eventually(lambda: _all_sent(outbox))
    assert unused.log == []


async def test_failed_event_is_retried_and_delays_only_later_events_of_its_tenant() -> None:
    outbox, events = FakeOutbox(), FakeEventLog(refused={"team-a"})
    waiting = [outbox.commit("team-a", b"1"), outbox.commit("team-a", b"2")]
    passing = outbox.commit("team-b", b"1")
    async with running_relay(outbox, events):
        await eventually(lambda: _published(events, 1))
        assert events.records == [passing]
        assert set(outbox.sent) == {passing.id}
        events.refused.clear()
        await eventually(lambda: _all_sent(outbox))
    assert events.records == [passing, *waiting]


async def test_heartbeat_follows_all_events_committed_before_it_was_due() -> None:
    outbox, events = FakeOutbox(batch=2), FakeEventLog()
    async with running_relay(outbox, events):
        await eventually(lambda: _has_heartbeat(events))
        for n in range(50):
            outbox.commit("team-a", b"%d" % n)
            await asyncio.sleep(0)
        await eventually(lambda: _all_sent(outbox))
        beats = len(outbox.beats)
        await eventually(lambda: _heartbeats(events, beats))
    last = max(place for place, each in enumerate(events.log) if each in events.records)
    assert any(isinstance(each, Heartbeat) for each in events.log[last:])


async def test_heartbeat_waits_for_unpublished_events() -> None:
    outbox, events = FakeOutbox(), FakeEventLog(refused={"team-a"})
    outbox.commit("team-a", b"1")
    async with running_relay(outbox, events):
        await eventually(lambda: _beaten(outbox, 5))
        assert events.log == []
        events.refused.clear()
        await eventually(lambda: _has_heartbeat(events))
    assert isinstance(events.log[1], Heartbeat)


async def test_heartbeat_row_is_updated_while_kafka_does_not_answer() -> None:
    outbox, events = FakeOutbox(), FakeEventLog()
    events.available.clear()
    outbox.commit("team-a", b"1")
    async with running_relay(outbox, events):
        await eventually(lambda: _beaten(outbox, 5))
        assert outbox.sent == {}
        events.available.set()


async def test_lost_session_is_replaced_without_losing_events() -> None:
    outbox, events, metrics = FakeOutbox(), FakeEventLog(), Metrics(Service.CONTROL_PLANE)
    async with running_relay(outbox, events, metrics=metrics):
        for n in range(5):
            await eventually(lambda: _leads(metrics))
            outbox.end_sessions()
            outbox.commit("team-a", b"%d" % n)
        await eventually(lambda: _all_sent(outbox))


async def test_unexpected_error_does_not_end_the_relay() -> None:
    outbox, events = FakeOutbox(broken=RuntimeError("a mistake of ours")), FakeEventLog()
    outbox.commit("team-a", b"1")
    async with running_relay(outbox, events):
        await eventually(lambda: _looked(outbox, 3))
        assert outbox.sent == {}
        outbox.broken = None
        await eventually(lambda: _all_sent(outbox))


async def test_relay_stops_waiting_for_kafka_when_its_session_ends() -> None:
    outbox, silent, other = FakeOutbox(), FakeEventLog(), FakeEventLog()
    silent.available.clear()
    outbox.commit("team-a", b"1")
    async with running_relay(outbox, silent):
        await eventually(lambda: _beaten(outbox, 1))
        outbox.end_sessions()
        async with running_relay(outbox, other):
            # Either of them may lead next; the one that can publish does as soon as it does.
            await eventually(lambda: _ended_until_sent(outbox))
        silent.available.set()
    assert [each.payload for each in other.records] == [b"1"]


async def test_two_relays_never_lead_at_the_same_time() -> None:
    outbox, events = FakeOutbox(), FakeEventLog()
    first, second = Metrics(Service.CONTROL_PLANE), Metrics(Service.CONTROL_PLANE)
    async with running_relay(outbox, events, metrics=first):
        await eventually(lambda: _leads(first))
        async with running_relay(outbox, events, metrics=second):
            assert not await _leads(second)
    assert not await _leads(first)


async def test_stopped_relay_publishes_all_committed_events_first() -> None:
    outbox, events = FakeOutbox(), FakeEventLog()
    async with running_relay(outbox, events, BY_SIGNAL_ONLY):
        await eventually(lambda: _has_heartbeat(events))
        outbox.commit("team-a", b"1")
    assert await _all_sent(outbox)


async def test_sent_events_are_purged_after_their_retention() -> None:
    outbox, events = FakeOutbox(), FakeEventLog()
    outbox.commit("team-a", b"1")
    async with running_relay(
        outbox,
        events,
        RelayTiming(poll_seconds=0.01, heartbeat_seconds=0.01, purge_seconds=0, outbox_retention=timedelta()),
    ):
        await eventually(lambda: _published(events, 1))
        await eventually(lambda: _empty(outbox))


async def test_failures_are_counted_by_reason() -> None:
    outbox, events, metrics = FakeOutbox(), FakeEventLog(reachable=False), Metrics(Service.CONTROL_PLANE)
    outbox.commit("team-a", b"1")
    async with running_relay(outbox, events, metrics=metrics):
        await eventually(lambda: _counts_failures(metrics))
        events.reachable = True
        await eventually(lambda: _shows(metrics, 'tm_outbox_published_total{topic="route-events"} 1.0'))


async def _has_heartbeat(events: FakeEventLog) -> bool:
    return any(isinstance(each, Heartbeat) for each in events.log)


async def _heartbeats(events: FakeEventLog, least: int) -> bool:
    return sum(isinstance(each, Heartbeat) for each in events.log) > least


async def _published(events: FakeEventLog, least: int) -> bool:
    return len(events.records) >= least


async def _beaten(outbox: FakeOutbox, least: int) -> bool:
    return len(outbox.beats) >= least


async def _looked(outbox: FakeOutbox, least: int) -> bool:
    return outbox.looks >= least


async def _empty(outbox: FakeOutbox) -> bool:
    return not outbox.records


async def _ended_until_sent(outbox: FakeOutbox) -> bool:
    if not await _all_sent(outbox):
        outbox.end_sessions()
        return False
    return True


async def _shows(metrics: Metrics, line: str) -> bool:
    return line in metrics.exposition().decode()


async def _counts_failures(metrics: Metrics) -> bool:
    return not await _shows(metrics, 'failures_total{reason="unavailable",topic="route-events"} 0.0')


async def _leads(metrics: Metrics) -> bool:
    return await _shows(metrics, "tm_outbox_relay_leader 1.0")
