"""Faults of the replica."""

import asyncio
import time

import httpx2

from bench.database_load import watching
from bench.faults.measures import seconds_until
from bench.faults.row import Row
from bench.faults.server_faults import lagging
from bench.faults.trial import Trial
from deploy.local.server import Server

UNKNOWN_SECONDS = 0.25
EJECTED_SECONDS = 10.0
NOTICED_SECONDS = 4.0
"""A lag of 10 s is seen after the next heartbeat (2 s) and the next look (1 s)."""
PRIMARY_CONNECTIONS = 4
"""Of one resolver, by default."""


async def _killed(trial: Trial) -> None:
    """SIGKILL of the replica; for the last third of the time also of the primary, so that no database is left."""
    replica, primary = trial.stack.replica, trial.stack.postgres
    found: list[tuple[int, float]] = []
    # It has seen no event of the routes that it is asked for, and loaded none.
    fresh = await trial.extra_instance("data_plane", "faults-knows-nothing", TM_WARMUP_SECONDS="0")
    await trial.empty_redis()
    async with trial.load.running() as phase:
        await asyncio.sleep(trial.calm_seconds)
        async with trial.broken(replica.kill, replica.start), asyncio.TaskGroup() as group:
            asking = group.create_task(_ask_cold(trial, fresh, found))
            await asyncio.sleep(2 * trial.seconds / 3)
            with_primary = len(found)
            async with trial.broken(primary.kill, primary.start):
                await asyncio.sleep(trial.seconds / 3)
                asking.cancel()
        await asyncio.sleep(6)
    trial.judged(phase)
    statuses = {status for status, _ in found}
    trial.expect(
        "routes that exist and were never loaded: 200 or 503, never 404", statuses, kept=statuses <= {200, 503}
    )
    trial.at_least("of them answered by the primary", sum(status == 200 for status, _ in found[:with_primary]), 1)
    refusals = [took for status, took in found if status == 503]
    trial.at_least("of them refused, without any database", len(refusals), 1)
    trial.at_most("the slowest refusal", max(refusals, default=0.0), UNKNOWN_SECONDS)
    answers = [await trial.load.readers.answer_of(fresh.urls[0], route) for route in trial.load.cold_routes]
    trial.none_of("afterwards every such route is found", [each for each in answers if each.status != 200])


async def _ask_cold(trial: Trial, resolver: Server, found: list[tuple[int, float]]) -> None:
    """Ask for one route after the other that the resolver has not loaded; records status and seconds."""
    pause = trial.seconds / len(trial.load.cold_routes)
    async with httpx2.AsyncClient(trust_env=False, headers=trial.http.headers, timeout=5) as http:
        for route in trial.load.cold_routes:
            begun = time.monotonic()
            answer = await http.get(f"{resolver.urls[0]}/api/v1/resolve/{trial.load.path_of(route)}")
            took = time.monotonic() - begun
            found.append((answer.status_code, took))
            await asyncio.sleep(max(0.0, pause - took))


async def _lagging(trial: Trial) -> None:
    """The replica replays nothing, and answers."""
    instances = trial.load.instances
    async with trial.load.running() as phase, watching({"primary": trial.stack.urls.postgres}) as seen:
        await asyncio.sleep(trial.calm_seconds)
        begun = time.monotonic()
        async with asyncio.TaskGroup() as group:
            group.create_task(lagging(trial.stack.replica, trial.seconds))
            ejected = [
                group.create_task(
                    seconds_until(
                        trial.http,
                        each,
                        lambda measures: measures.total("tm_replica_usable") == 0,
                        since=begun,
                        within=trial.seconds,
                    )
                )
                for each in instances
            ]
        await asyncio.sleep(6)
    trial.judged(phase)
    for each in ejected:
        trial.at_most("the replica is ejected", each.result(), EJECTED_SECONDS + NOTICED_SECONDS)
    limit = PRIMARY_CONNECTIONS * len(instances)
    trial.at_most("concurrent queries of the resolvers on the primary", max(seen["primary"], default=0), limit, "")


ROWS = (
    Row(
        3,
        "replica SIGKILL, in the end with the primary",
        "known keys 100 %; unknown 503 within 250 ms; never an error turned into 404 or a negative entry",
        120,
        6,
        _killed,
    ),
    Row(
        4,
        "replay paused",
        "replica ejected at lag > 10 s; age <= 60 s through the bulkheaded primary; no revision goes back on any instance",
        90,
        17,
        _lagging,
    ),
)
