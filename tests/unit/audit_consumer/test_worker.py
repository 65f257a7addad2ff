"""The worker commits offsets after the write, survives outages, and stops in order."""

import asyncio
from collections.abc import Sequence

from audit_consumer.composition.connect import new_health
from audit_consumer.domain.records import Record
from audit_consumer.service.ingestion import Ingestion
from audit_consumer.worker import INDEXES, AuditWorker
from shared.runtime.metrics import Metrics
from shared.runtime.service import Service
from shared.schemas.events import encode
from tests.fakes.audit_dead_letters import FakeDeadLetters
from tests.fakes.audit_records import FakeRecords, FakeTopic
from tests.fakes.audit_trail import FakeAuditTrail
from tests.support.audit import audited
from tests.support.clocks import MovableClock
from tests.support.factories import a_tenant, history
from tests.support.kafka import RawRecord
from tests.support.waiting import eventually


class WorkerFixture:
    """A worker on fakes, with ten unread events."""

    def __init__(self) -> None:
        self.events = history(a_tenant(), 10)
        self.topic = FakeTopic()
        for event in self.events:
            self.topic.append(RawRecord(encode(event)))
        self.records = FakeRecords(self.topic, max_records=3)
        self.trail = FakeAuditTrail()
        self.dead_letters = FakeDeadLetters()
        self.health = new_health()
        metrics = Metrics(Service.AUDIT_CONSUMER)
        self.ingestion = Ingestion(self.trail, self.dead_letters, MovableClock(), metrics)

    def worker(self, ingestion: Ingestion | None = None) -> AuditWorker:
        return AuditWorker(
            source=self.records,
            ingestion=ingestion or self.ingestion,
            store=self.trail,
            health=self.health,
            longest_pause_seconds=0.01,
        )

    async def is_all_stored(self) -> bool:
        return set(self.trail.events) == {each.id for event in self.events for each in audited(event)}

    async def is_all_committed(self) -> bool:
        return await self.is_all_stored() and self.topic.committed == {0: 10}


async def test_worker_stores_and_then_commits_every_record() -> None:
    bench = WorkerFixture()
    async with bench.worker().running(grace_seconds=5):
        await eventually(bench.is_all_committed)


async def test_offsets_do_not_move_while_the_store_is_down_and_no_record_is_lost() -> None:
    bench = WorkerFixture()
    bench.trail.is_down, bench.trail.stores_before_failing = True, 2
    async with bench.worker().running(grace_seconds=5):
        tries = bench.records.polls
        await eventually(lambda: _is(bench.records.polls > tries + 3))
        assert bench.topic.committed == {}
        bench.trail.is_down = False
        await eventually(bench.is_all_committed)


async def test_offsets_do_not_move_while_the_dead_letter_queue_is_down() -> None:
    bench = WorkerFixture()
    bench.topic.append(RawRecord(b"poison"))
    bench.dead_letters.is_down = True
    async with bench.worker().running(grace_seconds=5):
        await eventually(lambda: _is(bench.topic.committed == {0: 9}))
        bench.dead_letters.is_down = False
        await eventually(lambda: _is(bench.topic.committed == {0: 11}))
    assert len(bench.dead_letters.letters) == 1


async def test_worker_starts_without_kafka() -> None:
    bench = WorkerFixture()
    bench.records.is_down = True
    async with bench.worker().running(grace_seconds=5):
        await eventually(lambda: _is(bench.trail.is_prepared))
        bench.records.is_down = False
        await eventually(bench.is_all_committed)


async def test_batch_from_before_a_rebalance_is_read_again_and_not_committed() -> None:
    bench = WorkerFixture()
    gate = GatedIngestion(bench.ingestion)
    async with bench.worker(gate).running(grace_seconds=5):
        await gate.reached.wait()
        bench.records.lose_assignment()
        gate.opened.set()
        await eventually(bench.is_all_committed)
    assert gate.offsets_seen[0] == gate.offsets_seen[1] == 0


async def test_readiness_waits_for_the_indexes() -> None:
    bench = WorkerFixture()
    bench.health.started = True
    bench.trail.is_down = True
    async with bench.worker().running(grace_seconds=5):
        await eventually(lambda: _is(bench.records.polls > 1))
        assert not bench.health.is_ready()
        bench.trail.is_down = False
        await eventually(lambda: _is(bench.health.is_ready()))
    assert bench.health.dependencies[INDEXES].up


async def test_stop_waits_for_the_current_batch_and_commits_it() -> None:
    bench = WorkerFixture()
    gate = GatedIngestion(bench.ingestion)
    async with bench.worker(gate).running(grace_seconds=5):
        await gate.reached.wait()
        asyncio.get_running_loop().call_soon(gate.opened.set)
    assert bench.topic.committed == {0: 3}


async def test_stop_gives_up_after_its_grace_period_without_moving_offsets() -> None:
    bench = WorkerFixture()
    gate = GatedIngestion(bench.ingestion)
    async with bench.worker(gate).running(grace_seconds=0.01):
        await gate.reached.wait()
    assert bench.topic.committed == {}


async def test_unexpected_failure_of_one_task_does_not_stop_ingestion() -> None:
    bench = WorkerFixture()
    faulty = FaultyIngestion(bench.ingestion)
    async with bench.worker(faulty).running(grace_seconds=5):
        await eventually(bench.is_all_committed)
    assert faulty.faults == 2


class GatedIngestion(Ingestion):
    """An ingestion that reports its start, and waits until the test lets it continue."""

    def __init__(self, real: Ingestion) -> None:
        self._real = real
        self.reached = asyncio.Event()
        self.opened = asyncio.Event()
        self.offsets_seen: list[int] = []

    async def ingest(self, records: Sequence[Record]) -> None:
        self.offsets_seen.append(records[0].position.offset)
        self.reached.set()
        await self.opened.wait()
        await self._real.ingest(records)


class FaultyIngestion(Ingestion):
    """An ingestion that fails twice with an unexpected error."""

    def __init__(self, real: Ingestion) -> None:
        self._real = real
        self.faults = 0

    async def ingest(self, records: Sequence[Record]) -> None:
        if self.faults < 2:
            self.faults += 1
            raise RuntimeError("a bug")
        await self._real.ingest(records)


async def _is(value: bool) -> bool:
    return value
