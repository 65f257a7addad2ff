"""The servers that `bench.resolver` measures over HTTP."""

import asyncio
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

import httpx2

from bench import seeded
from deploy.local.server import Server
from deploy.local.services import Services

MILLION = 1_000_000
FILL_SECONDS = 300.0


@dataclass(frozen=True, slots=True, eq=False)
class Contender:
    """A server under load over HTTP, with this number of `routes`."""

    name: str
    module: str
    settings: Mapping[str, str]
    routes: int = 1000


CONSTANT = Contender("bare ASGI constant", "bench.constant", {})
PATIENT = {
    # A busy machine should show as a low rate, not as errors or as reloading.
    "positive_ttl_seconds": "3600",
    "negative_ttl_seconds": "3600",
    "resolve_deadline_seconds": "10",
    "database_timeout_seconds": "5",
    "redis_timeout_seconds": "2",
}
L1 = Contender("L1 hit", "data_plane", {f"TM_{name.upper()}": value for name, value in PATIENT.items()})
SMALL = Contender("cache of 1,000 routes", "bench.full_cache", {"TM_BENCH_ROUTES": "1000"})
LARGE = Contender("cache of 1,000,000 routes", "bench.full_cache", {"TM_BENCH_ROUTES": str(MILLION)}, MILLION)
CONTENDERS = (CONSTANT, L1, SMALL, LARGE)


def instance_of(services: Services, contender: Contender, shared: Mapping[str, str]) -> Server:
    name = f"bench-{contender.name.lower().replace(' ', '-').replace(',', '')}"
    return services.add_instance(contender.module, name, {**shared, **contender.settings})


async def until_known(url: str, contender: Contender, key: str) -> None:
    """Wait until the last route is found."""
    path = str(seeded.key(contender.routes - 1)).replace(":", "/")
    async with (
        httpx2.AsyncClient(trust_env=False, timeout=10, headers={"Authorization": f"Bearer {key}"}) as http,
        asyncio.timeout(FILL_SECONDS),
    ):
        while (await http.get(f"{url}/api/v1/resolve/{path}")).status_code != 200:  # noqa: ASYNC110 - another process fills it
            await asyncio.sleep(0.5)


async def all_are_found(url: str, contender: Contender, key: str) -> None:
    """Request all of its routes at once. Raises RuntimeError if one is not found."""
    body = {"keys": [str(seeded.key(number)) for number in range(contender.routes)]}
    async with httpx2.AsyncClient(trust_env=False, timeout=10, headers={"Authorization": f"Bearer {key}"}) as http:
        answers = (await http.post(f"{url}/api/v1/resolve", json=body)).raise_for_status().json()["answers"]
    results = Counter(each["result"] for each in answers)
    if results != {"found": contender.routes}:
        raise RuntimeError(f"Of {contender.routes} routes asked for in one request became: {dict(results)}")
