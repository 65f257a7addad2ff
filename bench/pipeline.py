"""What one relay, one resolver process and one audit consumer carry, and what 200 resolver processes cost a control plane.

Run on an idle local stack (`make up`): `.venv/bin/python -m bench.pipeline [events]`. Two measurements:

- Backlog: the control plane is frozen while this process commits change sets of one route each for 32 tenants. Then it
  continues, and the counters of each service tell how many events a second it works off: the relay publishes, each resolver
  applies and writes to Redis, the audit consumer stores. All of them work at the same time, on the same processors.
- Fleet: this process reports for 200 resolver processes on `resolver-status`, once a second each. It prints the processor
  time of the control plane without and with them, and the time until a change is live everywhere by their reports.
"""

import asyncio
import statistics
import sys
import time
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import httpx2
import psutil
import uvloop
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from prometheus_client.parser import text_string_to_metric_families
from rich.console import Console
from rich.table import Table

from bench.change_writer import change_writer, postgres_url
from deploy.local.process import family
from deploy.local.services import Services
from deploy.local.settings import DEFAULT_STATE
from deploy.local.stack import open_stack
from examples.local_urls import LocalUrls
from shared.runtime.kafka.clients import new_consumer, new_producer
from shared.schemas.resolver_status import PartitionStatus, ResolverStatus, encode_status
from shared.schemas.topics import RESOLVER_STATUS, ROUTE_EVENTS

TENANTS = [f"bench-pipeline-{number}" for number in range(32)]
POLL_SECONDS = 0.1
DEADLINE_SECONDS = 300.0
INSTANCES = 200
FLEET_SECONDS = 15
CHANGES = 10


class Counted:
    """A counter of a running service, and its values over time."""

    def __init__(self, name: str, url: str, metric: str, **labels: str) -> None:
        self.name = name
        self._url = f"{url}/metrics"
        self._metric = metric
        self._labels = labels.items()
        self._values: list[tuple[float, float]] = []

    async def read(self, http: httpx2.AsyncClient) -> float:
        """The current value, which is kept."""
        text = (await http.get(self._url)).raise_for_status().text
        value = sum(
            sample.value
            for each in text_string_to_metric_families(text)
            for sample in each.samples
            if sample.name == self._metric and self._labels <= sample.labels.items()
        )
        self._values.append((time.perf_counter(), value))
        return value

    def per_second(self) -> float:
        """The rate from the last value before the counter grew to the first value that it kept."""
        first, last = self._values[0][1], self._values[-1][1]
        began = max(moment for moment, value in self._values if value == first)
        ended = min(moment for moment, value in self._values if value == last)
        return (last - first) / (ended - began)


async def main(events: int) -> None:
    """Measure both and print a table for each."""
    urls = LocalUrls.read(DEFAULT_STATE)
    stack = open_stack(DEFAULT_STATE)
    services = Services(stack, DEFAULT_STATE)
    console = Console()
    async with httpx2.AsyncClient(trust_env=False, timeout=60, headers=urls.admin) as http:
        for tenant in TENANTS:
            (await http.put(f"{urls.control_plane}/api/v1/tenants/{tenant}")).raise_for_status()
        console.print(await _backlog(http, urls, services, events))
        console.print(await _fleet(http, urls, services, stack.urls.kafka))


async def _backlog(http: httpx2.AsyncClient, urls: LocalUrls, services: Services, events: int) -> Table:
    counters = [
        Counted("relay, published", urls.control_plane, "tm_outbox_published_total", topic="route-events"),
        *(
            Counted(f"resolver {number}, applied", url, "tm_events_total", outcome="applied")
            for number, url in enumerate(urls.data_planes, start=1)
        ),
        Counted("audit consumer, stored", urls.audit, "tm_audit_events_total", outcome="stored"),
    ]
    goals = [await each.read(http) + events for each in counters]
    await services.control_plane.freeze()
    try:
        async with change_writer(postgres_url(DEFAULT_STATE)) as writer:
            await writer.write(TENANTS, lambda begun: begun < events)
    finally:
        await services.control_plane.thaw()
    async with asyncio.timeout(DEADLINE_SECONDS), asyncio.TaskGroup() as group:
        for each, goal in zip(counters, goals, strict=True):
            group.create_task(_until(each, goal, http))
    table = Table("part", "events/s", title=f"a backlog of {events:,} events")
    for each in counters:
        table.add_row(each.name, f"{each.per_second():,.0f}")
    return table


async def _until(counter: Counted, goal: float, http: httpx2.AsyncClient) -> None:
    while await counter.read(http) < goal:  # noqa: ASYNC110 - another process counts
        await asyncio.sleep(POLL_SECONDS)


async def _fleet(http: httpx2.AsyncClient, urls: LocalUrls, services: Services, bootstrap: str) -> Table:
    alone = await _processor_share(services, FLEET_SECONDS)
    async with _reports(bootstrap) as first_reports:
        await first_reports
        busy = await _processor_share(services, FLEET_SECONDS)
        seconds = [await _until_live(http, urls, number) for number in range(CHANGES)]
    table = Table("control plane", "value", title=f"{INSTANCES} resolver processes that report once a second")
    table.add_row("processor time, no more than the local resolvers", f"{alone:.1%} of a core")
    table.add_row(f"processor time, with {INSTANCES} more", f"{busy:.1%} of a core")
    table.add_row("write to live everywhere, p50", f"{statistics.median(seconds) * 1000:,.0f} ms")
    table.add_row("write to live everywhere, largest", f"{max(seconds) * 1000:,.0f} ms")
    return table


async def _processor_share(services: Services, seconds: float) -> float:
    """Processor time of the control plane during these seconds, in cores."""
    pid = services.control_plane.pid
    if pid is None:
        raise SystemExit("the control plane is not running; run make up")
    before = _processor_seconds(pid)
    await asyncio.sleep(seconds)
    return (_processor_seconds(pid) - before) / seconds


def _processor_seconds(pid: int) -> float:
    return sum(each.cpu_times().user + each.cpu_times().system for each in family(psutil.Process(pid)))


async def _until_live(http: httpx2.AsyncClient, urls: LocalUrls, number: int) -> float:
    tenant = f"{urls.control_plane}/api/v1/tenants/{TENANTS[0]}"
    written = await http.put(f"{tenant}/routes/fleet/prod/v1", json={"url": f"http://fleet/{time.time_ns()}-{number}"})
    revision = written.raise_for_status().headers["x-revision"]
    answered = time.perf_counter()
    live = await http.get(f"{tenant}/changes/{revision}/propagation", params={"wait": 30})
    if not live.raise_for_status().json()["live_everywhere"]:
        raise SystemExit(f"not live everywhere within 30 s: {live.text}")
    return time.perf_counter() - answered


@asynccontextmanager
async def _reports(bootstrap: str) -> AsyncIterator[Awaitable[None]]:
    """Reports for the instances, once a second; each instance has applied all records that the topic has then.

    What it yields is done after the first reports. The instances leave the fleet at the end.
    """
    names = [f"bench-resolver-{number}" for number in range(INSTANCES)]
    producer, consumer = new_producer(bootstrap, "bench-fleet"), new_consumer(bootstrap, "bench-fleet")
    await producer.start()
    await consumer.start()
    first: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def report() -> None:
        while True:
            began = time.perf_counter()
            partitions = await _ends(consumer)
            for name in names:
                status = ResolverStatus(instance=name, version="bench", started_at=_STARTED, partitions=partitions)
                await _send(producer, name, encode_status(status))
            await producer.flush()
            if not first.done():
                first.set_result(None)
            await asyncio.sleep(max(0.0, began + 1 - time.perf_counter()))

    reporting = asyncio.create_task(report())
    try:
        yield first
    finally:
        reporting.cancel()
        for name in names:
            await _send(producer, name, None)
        await producer.stop()
        await consumer.stop()


_STARTED = datetime.now(UTC)


async def _ends(consumer: AIOKafkaConsumer) -> tuple[PartitionStatus, ...]:
    partitions = [TopicPartition(ROUTE_EVENTS.name, number) for number in range(ROUTE_EVENTS.partitions)]
    ends = await consumer.end_offsets(partitions)
    return tuple(PartitionStatus(partition=each.partition, next_offset=ends[each]) for each in partitions)


async def _send(producer: AIOKafkaProducer, name: str, value: bytes | None) -> None:
    await producer.send(RESOLVER_STATUS.name, key=name.encode(), value=value)


if __name__ == "__main__":
    uvloop.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else 20_000))
