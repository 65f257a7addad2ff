"""Resolving the catalogue: each layer answers what the layers before it lack."""

import time
from collections import Counter
from statistics import median

from rich.table import Table

from examples.demo.resolver_restarts import restart, restart_with_empty_caches
from examples.demo.stage import Stage, require


async def apply_catalogue(stage: Stage) -> None:
    """Apply the catalogue over HTTP"""
    started = time.perf_counter()
    statuses = Counter(
        [(await stage.client.put(route, route.url, "sample catalogue")).status_code for route in stage.routes]
    )
    require(set(statuses) <= {200, 201}, f"unexpected statuses: {dict(statuses)}")
    seconds = time.perf_counter() - started
    tenants = len({route.tenant for route in stage.routes})
    stage.say(
        f"{len(stage.routes)} routes of {tenants} tenants in {seconds:.2f} s: {statuses[201]} created, "
        f"{statuses[200]} updated or unchanged"
    )


async def resolve_through_every_layer(stage: Stage) -> None:
    """Resolve every route twice, starting with empty caches"""
    await restart_with_empty_caches()
    table = Table("resolver", "pass", "answered by", "p50 ms", "max ms", box=None)
    layers_by_resolver = zip(stage.client.urls.data_planes, (("replica", "l1"), ("redis", "l1")), strict=True)
    for resolver, layers in layers_by_resolver:
        for number, layer in enumerate(layers, start=1):
            counts, times = await _resolve_all(stage, resolver)
            # The most frequent layer, since on a busy machine a cache can time out and the next layer answers.
            (most_frequent, _), *_ = counts.most_common()
            require(most_frequent == layer, f"{resolver} pass {number}: expected {layer}, got {dict(counts)}")
            answered_by = ", ".join(f"{name} {count}" for name, count in counts.most_common())
            table.add_row(resolver, str(number), answered_by, f"{median(times):.2f}", f"{times[-1]:.2f}")
    stage.console.print(table)


async def restart_from_snapshot(stage: Stage) -> None:
    """Restart the resolvers: they answer from their snapshots"""
    await restart()
    for resolver in stage.client.urls.data_planes:
        counts, times = await _resolve_all(stage, resolver)
        require(set(counts) == {"l1"}, f"{resolver} after its restart: expected l1, got {dict(counts)}")
        stage.say(f"{resolver}: {counts['l1']} of {len(stage.routes)} routes from memory, p50 {median(times):.2f} ms")


async def _resolve_all(stage: Stage, resolver: str) -> tuple[Counter[str], list[float]]:
    """The number of answers by layer, and the sorted latencies in milliseconds."""
    counts: Counter[str] = Counter()
    times = []
    for route in stage.routes:
        started = time.perf_counter()
        response = await stage.client.resolve(resolver, route)
        times.append((time.perf_counter() - started) * 1000)
        is_right = response.status_code == 200 and response.json()["url"] == route.url
        require(is_right, f"{route.path}: {response.status_code} {response.text}")
        counts[response.headers["x-cache"]] += 1
    return counts, sorted(times)
