"""Faults of Kafka."""

import asyncio
import time

import asyncpg

from bench.faults.broker import LISTENER, PROXY
from bench.faults.proxies import Acknowledgements, proxy
from bench.faults.row import Row
from bench.faults.trial import Trial
from deploy.local.ports import LOOPBACK
from tests.support.waiting import eventually

DRAINED_SECONDS, STALE_SECONDS = 30.0, 60.0
CURRENT = "SELECT count(*) FROM outbox WHERE sent_at IS NULL AND created_at < clock_timestamp() - interval '2 s'"
SWALLOWED_SECONDS, PASSED_SECONDS = 8.0, 4.0
"""Longer than a request of the producer may take, and long enough for some records to be acknowledged in between."""


async def _down(trial: Trial) -> None:
    """SIGKILL of the broker."""
    kafka = trial.stack.kafka
    async with trial.load.running() as phase:
        await asyncio.sleep(trial.calm_seconds)
        async with trial.broken(kafka.kill, kafka.start):
            await asyncio.sleep(trial.seconds)
        drained = await _seconds_until_drained(trial)
    trial.judged(phase)
    trial.none_of("every write is accepted", phase.written.refused)
    trial.at_most("the staleness of an answer", phase.judge.longest_wrong, STALE_SECONDS)
    trial.at_most("the outbox is drained after", drained, DRAINED_SECONDS)
    trial.at_least("answers that were wrong for a while, so the fault was felt", phase.judge.wrong, 1)


async def _seconds_until_drained(trial: Trial) -> float:
    """Seconds from now until no event older than 2 s is unsent. Infinite if that takes far too long."""
    begun = time.monotonic()
    connection = await asyncpg.connect(trial.stack.urls.postgres)

    async def drained() -> bool:
        return not await connection.fetchval(CURRENT)

    try:
        await eventually(drained, within=3 * DRAINED_SECONDS, every=0.1)
    except AssertionError:
        return float("inf")
    finally:
        await connection.close()
    return time.monotonic() - begun


async def _swallowed(trial: Trial) -> None:
    """A control plane whose produce requests reach the broker and whose acknowledgements do not come back, again and again."""
    ports, acknowledgements = trial.stack.state, Acknowledgements()
    usual = trial.system.services.control_plane
    async with proxy(ports.port(PROXY), ports.port(LISTENER), acknowledgements.connection):
        proxied = await trial.extra_instance(
            "control_plane", "faults-swallowed", TM_KAFKA_BOOTSTRAP=f"{LOOPBACK}:{ports.port(PROXY)}"
        )
        await usual.stop()
        try:
            async with trial.load.writing_to(proxied.urls[0]), trial.load.running() as phase:
                ends = time.monotonic() + trial.seconds
                while time.monotonic() < ends:
                    acknowledgements.swallowed = True
                    await asyncio.sleep(SWALLOWED_SECONDS)
                    acknowledgements.swallowed = False
                    await asyncio.sleep(PASSED_SECONDS)
                drained = await _seconds_until_drained(trial)
            await proxied.stop()
        finally:
            await usual.start()
    trial.judged(phase)
    trial.none_of("every write is accepted", phase.written.refused)
    trial.at_least("acknowledgements were swallowed, so the fault was felt", acknowledgements.count, 1)
    trial.at_most("the outbox is drained after", drained, DRAINED_SECONDS)


ROWS = (
    Row(
        8,
        "Kafka down",
        "writes 100 %; staleness <= 60 s; drained <= 30 s after; nothing lost or reordered per route",
        300,
        10,
        _down,
    ),
    Row(9, "Kafka's acknowledgements swallowed, flapping", "duplicates allowed, losses 0", 120, 20, _swallowed),
)
