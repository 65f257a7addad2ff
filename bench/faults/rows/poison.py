"""Records that are no events, or whose values no event may have."""

import asyncio
import time
import uuid
from collections import Counter
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

import msgspec

from audit_consumer.settings import AuditSettings
from bench.faults.row import Row
from bench.faults.trial import Trial
from shared.schemas.topics import ROUTE_EVENTS_DLQ
from tests.support.kafka import RawRecord, RecordPosition, committed_offsets, end_offsets, produce_raw, read_all
from tests.support.waiting import eventually

SHARE = 0.01
TRIES, MOVED_ON_SECONDS = 3, 5.0
LARGE = 2 * 1024 * 1024


def event(tenant: str, route: int, **fields: Any) -> dict[str, Any]:
    """An event as JSON would have it, of a route that exists; `fields` replace its own."""
    change = {"action": "updated", "service": f"s-{route}", "env": "prod", "version": "v1", "is_active": True}
    return {
        "schema": 1,
        "event_type": "route_changed",
        "event_id": str(uuid.uuid4()),
        "tenant": tenant,
        "revision": 1,
        "changes": [{**change, "url": "http://poison", "previous_url": "http://first", "previous_state": "active"}],
        "changed_by": "faults",
        "occurred_at": datetime.now(UTC).isoformat(),
        "correlation_id": "req-poison",
        **fields,
    }


def _encoded(**fields: Any) -> Callable[[str, int], bytes]:
    return lambda tenant, route: msgspec.json.encode(event(tenant, route, **fields))


POISON: Mapping[str, Callable[[str, int], bytes | None]] = {
    "bad JSON": lambda *_: b'{"schema": 1, "event_type": "route_changed"',
    "null": lambda *_: None,
    "2 MB of no JSON": lambda *_: b"x" * LARGE,
    "2 MB of nesting": lambda *_: b"[" * LARGE,
    "revision -1": _encoded(revision=-1),
    "revision 2^63": _encoded(revision=2**63),
    "revision 2^64": _encoded(revision=2**64),
    "blank tenant": lambda _, route: msgspec.json.encode(event("", route)),
    "no changes": _encoded(changes=[]),
    "blank fields of a change": _encoded(
        changes=[{"action": "updated", "service": "", "env": "", "version": "", "url": "", "is_active": True}]
    ),
    "a later schema": _encoded(schema=2),
    "no time": _encoded(occurred_at="yesterday"),
}
"""By name: the value of a record about this tenant's route."""


async def _poisoned(trial: Trial) -> None:
    """Records of every kind, 1 % of all at least, in the partitions of all tenants, while the usual events go on."""
    kafka = trial.stack.urls.kafka
    dlq_start = await end_offsets(kafka, ROUTE_EVENTS_DLQ.name)
    written: dict[RecordPosition, str] = {}
    moved_on: list[float] = []
    async with trial.load.running() as phase:
        await asyncio.sleep(trial.calm_seconds)
        times = max(1, int(SHARE * trial.load.rates.writes * trial.seconds / len(POISON)))
        for _ in range(times):
            positions = await _produce_each(trial)
            written |= positions
            moved_on.append(await _seconds_until_moved_on(trial, positions))
            await asyncio.sleep(max(0.0, trial.seconds / times - moved_on[-1]))
    trial.judged(phase)
    letters = await read_all(kafka, ROUTE_EVENTS_DLQ.name, dlq_start)
    headers = [dict(each.headers) for each in letters]
    found = Counter(
        RecordPosition(int(each["dlq.source_partition"]), int(each["dlq.source_offset"])) for each in headers
    )
    trial.none_of(
        f"each of {len(written)} poison records of {len(POISON)} kinds is a dead letter",
        sorted({kind for position, kind in written.items() if not found[position]}),
    )
    trial.at_most("deliveries of one of them to the dead letter queue", max(found.values(), default=0), TRIES, "")
    again = sum(each["dlq.first_failed_at"] != each["dlq.last_failed_at"] for each in headers)
    trial.notes.append(f"{again} of {len(headers)} dead letters needed more than one try")
    trial.at_most("the partition moves on after", max(moved_on), MOVED_ON_SECONDS)


async def _produce_each(trial: Trial) -> Mapping[RecordPosition, str]:
    """One record of every kind, each with the key of another tenant; returns their kinds by position."""
    tenants = trial.load.tenants
    records = []
    for number, value in enumerate(POISON.values()):
        tenant = tenants[number % len(tenants)]
        records.append(RawRecord(value(tenant, number % len(tenants)), tenant.encode()))
    positions = await produce_raw(trial.stack.urls.kafka, *records)
    return dict(zip(positions, POISON, strict=True))


async def _seconds_until_moved_on(trial: Trial, positions: Mapping[RecordPosition, str]) -> float:
    """Seconds until the audit consumer has committed the offsets after all of them, and the resolvers lag behind nothing."""
    begun = time.monotonic()

    async def moved_on() -> bool:
        committed = await committed_offsets(trial.stack.urls.kafka, AuditSettings().audit_group)
        if any(committed.get(each.partition, 0) <= each.offset for each in positions):
            return False
        return (await trial.measures()).highest("tm_consumer_lag_seconds") < MOVED_ON_SECONDS

    try:
        await eventually(moved_on, within=60, every=0.1)
    except AssertionError:
        return float("inf")
    return time.monotonic() - begun


ROWS = (
    Row(
        16,
        "1 % poison records",
        "dead letter within 3 tries; the partition moves on within 5 s",
        60,
        6,
        _poisoned,
    ),
)
