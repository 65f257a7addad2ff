"""Reports which access keys a process has accepted, to tell keys in use from forgotten ones."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from functools import partial

from shared.runtime.background import in_background
from shared.runtime.clock import Clock
from shared.runtime.health import DependencyHealth, Health
from shared.runtime.kafka.producer import KAFKA_FAILURES, ReplaceableProducer
from shared.runtime.metrics import Metrics
from shared.runtime.resilience import DependencyUnavailable, Guard
from shared.runtime.settings import ServiceSettings
from shared.schemas.key_usage import MAX_KEYS, KeyUsage, encode_usage
from shared.schemas.topics import ACCESS_KEY_USAGE

REPORT_SECONDS = 300.0
"""Time between two reports of a process."""
LAST_REPORT_SECONDS = 1.0
"""Deadline of the report of a process that ends."""
CALL_SECONDS = 6.0
"""Deadline of a report to Kafka, connecting included."""
_NAME = "key_usage_reports"


class UsedKeys:
    """The ids of the keys accepted since the last report, at most MAX_KEYS of them.

    The authenticator adds a key when it verifies the key's secret, which is once a minute for a key in use, and not with
    every request.
    """

    def __init__(self) -> None:
        self._ids: set[str] = set()

    def add(self, key_id: str) -> None:
        """Note the use of a key; beyond MAX_KEYS it is noted after the next report."""
        if len(self._ids) < MAX_KEYS:
            self._ids.add(key_id)

    def take(self) -> tuple[str, ...]:
        """The ids noted since the last call."""
        ids, self._ids = self._ids, set()
        return tuple(sorted(ids))


class KeyUsageReporter:
    """Passes the used keys on. A report that cannot be written is dropped: keys in use are in the next one."""

    def __init__(self, used: UsedKeys, write: Callable[[KeyUsage], Awaitable[None]], *, clock: Clock) -> None:
        self._used = used
        self._write = write
        self._clock = clock

    async def report(self) -> None:
        """Report the keys used since the last report, if there are any. Raises DependencyUnavailable."""
        as_of = self._clock.now()
        if keys := self._used.take():
            await self._write(KeyUsage(as_of=as_of, keys=keys))

    @asynccontextmanager
    async def running(self, every_seconds: float = REPORT_SECONDS) -> AsyncIterator[None]:
        """Report for as long as the block runs, and once more at its end."""
        async with in_background(partial(self._report_after, every_seconds), "key usage reports"):
            yield
        with suppress(DependencyUnavailable, TimeoutError):
            async with asyncio.timeout(LAST_REPORT_SECONDS):
                await self.report()

    async def _report_after(self, seconds: float) -> None:
        await asyncio.sleep(seconds)
        await self.report()


class KafkaKeyUsageLog:
    """Writes reports to the topic `access-key-usage`."""

    def __init__(self, bootstrap: str, client_id: str, guard: Guard) -> None:
        self._producer = ReplaceableProducer(bootstrap, f"{client_id}-key-usage", guard)

    async def write(self, usage: KeyUsage) -> None:
        """Raises DependencyUnavailable."""
        async with self._producer.connected() as producer:
            await producer.send_and_wait(ACCESS_KEY_USAGE.name, encode_usage(usage))

    async def close(self) -> None:
        """Close the connection."""
        await self._producer.close()


@asynccontextmanager
async def reporting_usage(
    used: UsedKeys, settings: ServiceSettings, *, health: Health, clock: Clock, metrics: Metrics
) -> AsyncIterator[None]:
    """Report the used keys on the topic for as long as the block runs."""
    watched = health.dependencies.setdefault(_NAME, DependencyHealth(required=False))
    guard = Guard(
        _NAME, timeout=CALL_SECONDS, failures=KAFKA_FAILURES, clock=clock, health=watched, metrics=metrics, at_once=1
    )
    log = KafkaKeyUsageLog(settings.kafka_bootstrap, settings.instance_id, guard)
    try:
        async with KeyUsageReporter(used, log.write, clock=clock).running():
            yield
    finally:
        await log.close()
