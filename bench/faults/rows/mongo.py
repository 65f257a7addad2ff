"""Faults of MongoDB."""

import asyncio
import time

import httpx2

from audit_consumer.settings import AuditSettings
from bench.faults.row import Row
from bench.faults.trial import Trial
from tests.support.kafka import committed_offsets
from tests.support.waiting import eventually

REFUSED_SECONDS, CAUGHT_UP_SECONDS = 0.5, 60.0
NOTICED_SECONDS = 3.0


async def _down(trial: Trial) -> None:
    """SIGKILL of MongoDB."""
    mongo, group = trial.stack.mongo, AuditSettings().audit_group
    async with trial.load.running() as phase:
        await asyncio.sleep(trial.calm_seconds)
        async with trial.broken(mongo.kill, mongo.start):
            await asyncio.sleep(NOTICED_SECONDS)
            held = await committed_offsets(trial.stack.urls.kafka, group)
            refusals = await _queries(trial, trial.seconds - NOTICED_SECONDS)
            still_held = await committed_offsets(trial.stack.urls.kafka, group)
        back = time.monotonic()
        await eventually(lambda: _has_caught_up(trial), within=2 * CAUGHT_UP_SECONDS)
        caught_up = time.monotonic() - back
    trial.judged(phase)
    trial.expect("offsets are held", still_held, kept=still_held == held)
    trial.none_of("an audit query gets 503", [status for status, _ in refusals if status != 503])
    trial.at_most("the slowest of them", max((took for _, took in refusals), default=0.0), REFUSED_SECONDS)
    trial.at_most("the trail has caught up after", caught_up, CAUGHT_UP_SECONDS)
    trial.none_of("every write is accepted", phase.written.refused)


async def _queries(trial: Trial, seconds: float) -> list[tuple[int, float]]:
    """The status and seconds of an audit query every half second; 0: no answer."""
    found: list[tuple[int, float]] = []
    ends = time.monotonic() + seconds
    while time.monotonic() < ends:
        begun = time.monotonic()
        try:
            status = (
                await trial.http.get(f"{trial.system.audit_url}/api/v1/audit/recent", params={"limit": 1})
            ).status_code
        except httpx2.TransportError:
            status = 0
        found.append((status, time.monotonic() - begun))
        await asyncio.sleep(0.5)
    return found


async def _has_caught_up(trial: Trial) -> bool:
    measures = await trial.measures(trial.system.services.audit_consumer)
    return bool(measures.series) and measures.highest("tm_consumer_lag_seconds", topic="route-events") < 2


ROWS = (
    Row(
        10,
        "MongoDB down",
        "offsets held; audit API 503 within 500 ms; caught up within 60 s, sets of ids equal",
        600,
        10,
        _down,
    ),
)
