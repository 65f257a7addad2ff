"""Ingestion stores one document per change, and sends unstorable records to the dead letter queue."""

import random
from collections.abc import Sequence
from datetime import timedelta

import pytest

from audit_consumer.domain.events import MAX_REVISION
from audit_consumer.domain.records import DeadLetterReason, Record, RecordPosition
from audit_consumer.service.ingestion import Ingestion
from shared.runtime.metrics import Metrics
from shared.runtime.resilience import DependencyUnavailable
from shared.runtime.service import Service
from shared.schemas.events import MAX_CHANGES, ChangesWithheld, Heartbeat, RouteChanged, RouteEvent, encode
from tests.fakes.audit_dead_letters import FakeDeadLetters
from tests.fakes.audit_trail import FakeAuditTrail
from tests.support.audit import EPOCH, audited
from tests.support.clocks import MovableClock
from tests.support.factories import a_change, a_change_set, a_tenant, history


class IngestionFixture:
    """An ingestion on fakes."""

    def __init__(self) -> None:
        self.trail = FakeAuditTrail()
        self.dead_letters = FakeDeadLetters()
        self.clock = MovableClock()
        self.metrics = Metrics(Service.AUDIT_CONSUMER)
        self.ingestion = Ingestion(self.trail, self.dead_letters, self.clock, self.metrics)

    async def ingest(self, *values: bytes | RouteEvent | None) -> None:
        await self.ingestion.ingest(records_of(*values))

    def counted(self, outcome: str) -> float:
        name = f'tm_audit_events_total{{outcome="{outcome}"}} '
        lines = self.metrics.exposition().decode().splitlines()
        return next(float(line.removeprefix(name)) for line in lines if line.startswith(name))


def records_of(*values: bytes | RouteEvent | None) -> list[Record]:
    encoded = [each if isinstance(each, bytes | None) else encode(each) for each in values]
    return [
        Record(RecordPosition("route-events", 3, 100 + offset), b"key", value, (("traceparent", b"00-1"),))
        for offset, value in enumerate(encoded)
    ]


def ids(events: Sequence[RouteChanged]) -> set[str]:
    return {each.id for event in events for each in audited(event)}


async def test_replayed_duplicated_and_shuffled_events_are_stored_once_per_change() -> None:
    bench = IngestionFixture()
    events = [each for _ in range(3) for each in history(a_tenant(), 20)]
    deliveries = events + random.choices(events, k=60)
    random.shuffle(deliveries)
    for start in range(0, len(deliveries), 7):
        await bench.ingest(*deliveries[start : start + 7])
    assert set(bench.trail.events) == ids(events)
    assert (bench.counted("stored"), bench.counted("duplicate")) == (60, 60)


async def test_replay_completes_a_partly_stored_batch() -> None:
    bench = IngestionFixture()
    events = history(a_tenant(), 10)
    bench.trail.is_down, bench.trail.stores_before_failing = True, 4
    with pytest.raises(DependencyUnavailable):
        await bench.ingest(*events)
    assert len(bench.trail.events) == 4
    bench.trail.is_down = False
    await bench.ingest(*events)
    assert set(bench.trail.events) == ids(events)


async def test_large_change_set_is_stored_in_several_writes() -> None:
    bench = IngestionFixture()
    changes = [a_change(service=f"service-{number}") for number in range(MAX_CHANGES)]
    events = [a_change_set(*changes) for _ in range(3)]
    await bench.ingest(*events)
    assert len(bench.trail.events) == 3 * MAX_CHANGES
    assert bench.trail.writes == 2, "1,500 changes, at most 1,000 at once"


async def test_heartbeats_and_unknown_event_types_are_skipped() -> None:
    bench = IngestionFixture()
    await bench.ingest(Heartbeat(as_of=EPOCH), b'{"schema": 9, "event_type": "route_renamed"}')
    assert not bench.trail.events
    assert not bench.dead_letters.letters
    assert bench.counted("skipped") == 1, "a heartbeat is no event to audit, and is not counted"


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (b"no json", DeadLetterReason.MALFORMED),
        (None, DeadLetterReason.MALFORMED),
        (b'{"schema": 1, "event_type": "route_changed"}', DeadLetterReason.MALFORMED),
        (b'{"event_type": "route_changed", "x": ' + b"[" * 100_000, DeadLetterReason.MALFORMED),
        (b'{"schema": 2, "event_type": "route_changed"}', DeadLetterReason.UNSUPPORTED_SCHEMA),
        (encode(a_change_set(revision=MAX_REVISION + 1)), DeadLetterReason.MALFORMED),
        (encode(ChangesWithheld(tenant="team-a", revision=7)), DeadLetterReason.WITHHELD),
    ],
    ids=["no json", "no value", "fields missing", "nested", "later schema", "revision too large", "withheld"],
)
async def test_undecodable_record_goes_to_the_dead_letter_queue_and_others_are_stored(
    value: bytes | None, reason: DeadLetterReason
) -> None:
    bench = IngestionFixture()
    good = history(a_tenant(), 2)
    await bench.ingest(good[0], value, good[1])
    assert set(bench.trail.events) == ids(good)
    (letter,) = bench.dead_letters.letters
    assert (letter.record.value, letter.record.key, letter.reason) == (value, b"key", reason)
    assert letter.record.position == RecordPosition("route-events", 3, 101)
    assert letter.record.headers == (("traceparent", b"00-1"),)
    assert letter.detail


async def test_record_with_a_rejected_change_goes_to_the_dead_letter_queue() -> None:
    bench = IngestionFixture()
    event = a_change_set(a_change(service="payments"), a_change(service="carts"))
    bench.trail.rejected_ids = {f"{event.event_id}:1"}
    await bench.ingest(event, event)
    assert set(bench.trail.events) == {f"{event.event_id}:0"}
    assert [each.reason for each in bench.dead_letters.letters] == [DeadLetterReason.UNSTORABLE] * 2
    assert "change 1" in bench.dead_letters.letters[0].detail


async def test_batch_waits_for_the_dead_letter_queue_and_keeps_the_time_of_its_first_failure() -> None:
    bench = IngestionFixture()
    bench.dead_letters.is_down = True
    with pytest.raises(DependencyUnavailable):
        await bench.ingest(b"poison")
    bench.clock.advance(60)
    bench.dead_letters.is_down = False
    await bench.ingest(b"poison")
    (letter,) = bench.dead_letters.letters
    assert letter.last_failed_at - letter.first_failed_at == timedelta(seconds=60)
    assert bench.counted("dead_lettered") == 1
    bench.clock.advance(60)
    await bench.ingest(b"poison")
    assert bench.dead_letters.letters[1].first_failed_at == bench.clock.now(), "a later record at that place is new"
