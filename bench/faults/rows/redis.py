"""Faults of Redis."""

import asyncio
from collections.abc import Sequence

from bench.asking import ask
from bench.faults.measures import measure, seconds_until
from bench.faults.row import Row
from bench.faults.server_faults import killed
from bench.faults.trial import Trial
from data_plane.settings import DataPlaneSettings

ADDED_SECONDS = 0.010
REPLICA_SHARE = 0.10
CALL_SECONDS, BREAKER_SECONDS, REQUEST_SECONDS = 0.025, 1.0, 0.100
FLAPS = 12
SAME_KEY, KEYS = 20, 20
"""Concurrent requests for one key at one instance, and the number of keys: together fewer than an instance sheds at."""


async def _killed(trial: Trial) -> None:
    """SIGKILL of Redis."""
    calm = await trial.calm()
    redis = trial.stack.redis
    async with trial.load.running() as phase:
        before = await trial.measures()
        async with trial.broken(redis.kill, redis.start):
            await asyncio.sleep(trial.seconds)
            grown = (await trial.measures()).since(before)
            asked = phase.judge.statuses.total()
    trial.judged(phase)
    trial.at_most(
        f"p99 of resolves, {1000 * calm.p99:.1f} ms before", 1000 * phase.p99, 1000 * (calm.p99 + ADDED_SECONDS), "ms"
    )
    queries = grown.total("tm_load_batch_keys_count", source="replica")
    trial.at_most("queries of the replica per resolve", round(queries / max(1, asked), 4), REPLICA_SHARE, "")


async def _frozen(trial: Trial) -> None:
    """SIGSTOP of Redis."""
    redis, instances = trial.stack.redis, trial.load.instances
    async with trial.load.running() as phase:
        await asyncio.sleep(trial.calm_seconds)
        async with trial.broken(redis.freeze, redis.thaw) as begun, asyncio.TaskGroup() as group:
            opened = [
                group.create_task(
                    seconds_until(
                        trial.http,
                        each,
                        lambda measures: measures.total("tm_breaker_state", dependency="redis") == 2,
                        since=begun,
                        within=trial.seconds,
                    )
                )
                for each in instances
            ]
            await asyncio.sleep(trial.seconds)
    trial.judged(phase)
    trial.at_most(
        "time-out of one call to Redis", DataPlaneSettings.model_fields["redis_timeout_seconds"].default, CALL_SECONDS
    )
    for each in opened:
        trial.at_most("an instance's breaker opens", each.result(), BREAKER_SECONDS)
    latencies = phase.latencies()
    slow = sum(each > REQUEST_SECONDS for each in latencies)
    trial.at_most("the slowest resolve", latencies[-1], REQUEST_SECONDS)
    trial.notes.append(f"{slow} of {len(latencies):,} resolves took more than {1000 * REQUEST_SECONDS:.0f} ms")


async def _flapping(trial: Trial) -> None:
    """Redis is killed and started again and again, and loses everything each time; then FLUSHALL under a rush for few keys."""
    flap = trial.seconds / FLAPS / 2
    flaps = FLAPS if flap >= 1 else max(1, int(trial.seconds / 2))
    async with trial.load.running() as phase:
        for _ in range(flaps):
            await killed(trial.stack.redis, max(flap, 1.0))
            await asyncio.sleep(max(flap, 1.0))
    trial.judged(phase)
    await _rush(trial)


async def _rush(trial: Trial) -> None:
    """Many concurrent requests for keys that neither Redis nor any instance has loaded."""
    fresh = [
        (await trial.extra_instance("data_plane", f"faults-rush-{number}", TM_WARMUP_SECONDS="0")).urls[0]
        for number in (1, 2)
    ]
    await trial.empty_redis()
    keys = [trial.load.path_of(route) for route in trial.load.cold_routes[:KEYS]]
    for instance in fresh:
        loaded, coalesced = await _loads(trial, instance, keys)
        trial.at_most(
            f"loads of {KEYS} keys for {SAME_KEY * KEYS} concurrent requests after FLUSHALL", loaded, KEYS, ""
        )
        trial.notes.append(f"{coalesced:.0f} requests shared a load")


async def _loads(trial: Trial, instance: str, keys: Sequence[str]) -> tuple[float, float]:
    before = await measure(trial.http, [instance])
    authorization = trial.http.headers["Authorization"]
    every = [key for key in keys for _ in range(SAME_KEY)]
    answers = await ask([instance], every, 1e6, authorization=authorization, connections=len(every))
    trial.none_of("each of them is answered", [each for each in answers if each.status != 200])
    grown = (await measure(trial.http, [instance])).since(before)
    return grown.total("tm_loads_total", outcome="loaded"), grown.total("tm_loads_total", outcome="coalesced")


ROWS = (
    Row(5, "Redis SIGKILL", "errors 0; p99 + 10 ms at most; replica queries <= 10 % of R", 120, 8, _killed),
    Row(6, "Redis SIGSTOP", "<= 25 ms a call; breaker within 1 s; no request > 100 ms", 30, 5, _frozen),
    Row(
        7,
        "Redis flaps 5 s / 5 s x 12, FLUSHALL",
        "one load per key and instance; no old revision is refilled",
        120,
        8,
        _flapping,
    ),
)
