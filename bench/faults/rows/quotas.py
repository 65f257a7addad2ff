"""One tenant far beyond its quota, and a dependency that fails half of its calls."""

import asyncio
import json
import sys
import time
from asyncio.subprocess import PIPE
from collections import Counter
from urllib.parse import urlsplit

import httpx2

from bench.faults.proxies import Coin, proxy
from bench.faults.row import Row
from bench.faults.trial import Trial
from bench.paced import write
from deploy.local.ports import LOOPBACK
from shared.schemas.access import Role

QUOTA, LOADS, TIMES = 20, 100, 20
"""Writes and loads per second that a tenant may have, and how many times as much the noisy one asks for."""
WARM_LOADS = 2_000
"""A burst with which the routes of the other tenants can be loaded first."""
FAILING = 0.5
ATTEMPTS = 1.2
PROXIED_RATE = 40.0
"""Writes per second to the control plane with the failing dependency."""
LIMITS = {
    "TM_TENANT_WRITES_PER_SECOND": str(QUOTA),
    "TM_TENANT_WRITE_BURST": str(QUOTA),
    "TM_TENANT_LOADS_PER_SECOND": str(LOADS),
    "TM_TENANT_LOAD_BURST": str(WARM_LOADS),
}


async def _noisy(trial: Trial) -> None:
    """Redis is down and one tenant writes and loads at 20 times its quota; then a database and Redis that fail half of their calls."""
    noisy = await trial.system.new_tenant()
    editor = await trial.system.access_key(noisy, Role.EDITOR)
    control = await trial.extra_instance("control_plane", "faults-limited", **LIMITS)
    resolver = await trial.extra_instance("data_plane", "faults-limited-resolver", **LIMITS)
    readers = trial.load.readers_of(resolver.urls)
    redis = trial.stack.redis
    await readers.ask_each_once()
    async with trial.load.writing_to(control.urls[0]), trial.load.running(readers=readers) as phase:
        await asyncio.sleep(trial.calm_seconds)
        async with trial.broken(redis.kill, redis.start), asyncio.TaskGroup() as group:
            writing = group.create_task(write(control.urls[0], noisy, editor, QUOTA * TIMES, trial.seconds))
            loading = group.create_task(_load_noisily(resolver.urls[0], noisy, editor, trial.seconds))
    trial.judged(phase)
    writes, loads = Counter(each.status for each in writing.result()), loading.result()
    trial.notes.append(f"the noisy tenant's writes: {dict(writes)}, its loads: {dict(loads)}")
    trial.at_least("writes of the noisy tenant refused with 429", writes[429], 1)
    trial.at_least("loads of the noisy tenant refused with 429", loads[429], 1)
    trial.none_of("the others' writes are accepted", phase.written.refused)
    await _failing_database(trial)
    await _failing_redis(trial)


async def _load_noisily(instance: str, tenant: str, key: str, seconds: float) -> Counter[int]:
    """The responses by status."""
    command = (
        sys.executable,
        "-m",
        "bench.faults.noisy_client",
        instance,
        tenant,
        key,
        str(LOADS * TIMES),
        str(seconds),
    )
    process = await asyncio.create_subprocess_exec(*command, stdout=PIPE)
    output, _ = await process.communicate()
    return Counter({int(status): count for status, count in json.loads(output).items()})


async def _failing_database(trial: Trial) -> None:
    """A control plane whose database fails half of the transactions: attempts per write, compared with a healthy one."""
    coin, url = Coin(FAILING), trial.stack.urls.postgres
    port = trial.stack.state.port("faults-postgres-proxy")
    upstream = urlsplit(url).port or 0
    proxied = url.replace(f"{LOOPBACK}:{upstream}", f"{LOOPBACK}:{port}")
    tenant = await trial.system.new_tenant()
    key = await trial.system.access_key(tenant, Role.EDITOR)
    healthy = Coin(0)
    usual = await _attempts_per_write(trial, "faults-healthy-database", proxied, port, upstream, healthy, (tenant, key))
    failing = await _attempts_per_write(trial, "faults-failing-database", proxied, port, upstream, coin, (tenant, key))
    trial.at_least("transactions broken by the proxy", coin.failed, 1)
    trial.at_most(
        f"calls to a failing database per write ({usual:.2f} to a healthy one)",
        round(failing / usual, 3),
        ATTEMPTS,
        "x",
    )


async def _attempts_per_write(
    trial: Trial, name: str, url: str, port: int, upstream: int, coin: Coin, caller: tuple[str, str]
) -> float:
    tenant, key = caller
    async with proxy(port, upstream, coin.postgres):
        control = await trial.extra_instance("control_plane", name, TM_POSTGRES_URL=url)
        before = await trial.measures(control)
        answers = await write(control.urls[0], tenant, key, PROXIED_RATE, trial.seconds)
        grown = (await trial.measures(control)).since(before)
        await control.stop()
    trial.notes.append(f"{name}: {dict(Counter(each.status for each in answers))}")
    outcomes = [
        grown.total("tm_dependency_requests_total", dependency="postgres", outcome=each)
        for each in ("ok", "error", "timeout")
    ]
    return sum(outcomes) / len(answers)


async def _failing_redis(trial: Trial) -> None:
    """A resolver whose Redis fails half of the calls: calls per lookup, and no error at callers."""
    coin, url = Coin(FAILING), trial.stack.urls.redis
    port, upstream = trial.stack.state.port("faults-redis-proxy"), urlsplit(trial.stack.urls.redis).port or 0
    async with proxy(port, upstream, coin.redis):
        resolver = await trial.extra_instance(
            "data_plane",
            "faults-failing-redis",
            TM_REDIS_URL=url.replace(f":{upstream}", f":{port}"),
            TM_POSITIVE_TTL_SECONDS="1",
            TM_NEGATIVE_TTL_SECONDS="1",
        )
        before = await trial.measures(resolver)
        answers = await _ask_for(trial, resolver.urls[0])
        grown = (await trial.measures(resolver)).since(before)
        await resolver.stop()
    calls = sum(
        grown.total("tm_dependency_requests_total", dependency="redis", outcome=each)
        for each in ("ok", "error", "timeout")
    )
    lookups = grown.total("tm_load_batch_keys_count", source="redis")
    trial.at_least("calls broken by the proxy", coin.failed, 1)
    trial.none_of("every resolve is answered", [status for status in answers if status not in (200, 404)])
    trial.at_most(f"calls to a failing Redis, for {lookups:.0f} lookups", calls, ATTEMPTS * lookups, "")


async def _ask_for(trial: Trial, instance: str) -> list[int]:
    """The statuses of the usual load at an instance that the judge does not look at."""
    found: list[int] = []
    async with httpx2.AsyncClient(trust_env=False, headers=trial.http.headers, timeout=5) as http:
        ends = time.monotonic() + trial.seconds
        for route in range(trial.load.rates.routes):
            if time.monotonic() > ends:
                break
            found.append((await http.get(f"{instance}/api/v1/resolve/{trial.load.path_of(route)}")).status_code)
    return found


ROWS = (
    Row(
        25,
        "one tenant at 20x its quota with Redis down; dependencies failing half of their calls",
        "429 only for it; attempts <= 1.2x",
        60,
        8,
        _noisy,
    ),
)
