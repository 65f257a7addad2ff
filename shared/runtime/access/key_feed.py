"""The `access-keys` topic into a service's memory: all of it before the service is ready, and then every change."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import structlog
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from shared.runtime.access.assembly import Access
from shared.runtime.access.key_snapshot_fallback import KeySnapshotFallback
from shared.runtime.access.key_snapshot_file import KeySnapshotFile
from shared.runtime.access.keyring import Keyring
from shared.runtime.background import Interrupted, in_background
from shared.runtime.backoff import Backoff
from shared.runtime.clock import Clock
from shared.runtime.health import DependencyHealth, Health
from shared.runtime.kafka.clients import (
    STALLED_AFTER_SECONDS,
    ProgressWatchdog,
    new_consumer,
    raise_on_disconnect,
    start_client,
)
from shared.runtime.metrics import Metrics
from shared.runtime.settings import ServiceSettings
from shared.schemas.access import UndecodableAccessRecord, decode
from shared.schemas.topics import ACCESS_KEYS

POLL_MS = 250
CHECK_SECONDS = 1.0
CALL_SECONDS = 6.0
START_SECONDS = 3.0
"""How long the first attempt may take where there is a copy to start from instead."""
RECONNECT_SECONDS = 5.0

_PARTITION = TopicPartition(ACCESS_KEYS.name, 0)
_NOTE = "access"
_log = structlog.get_logger(__name__)


class AccessFeed:
    """Reads the topic from its beginning each time it connects: how a key ended may be cleaned away while it is not.

    While Kafka is away the keys stay as they were, or, at a start, as they were copied; the metric
    `tm_access_watermark_age_seconds` tells how old that is.
    """

    def __init__(
        self,
        bootstrap: str,
        client_id: str,
        keyring: Keyring,
        *,
        keys_health: DependencyHealth,
        health: Health,
        clock: Clock,
        metrics: Metrics,
        copy: KeySnapshotFile | None = None,
    ) -> None:
        self._bootstrap = bootstrap
        self._client_id = f"{client_id}-access"
        self._keyring = keyring
        self._health = keys_health
        self._notes = health.notes
        self._clock = clock
        self._watchdog = ProgressWatchdog(clock, metrics)
        self._fallback = KeySnapshotFallback(copy, keyring, health=keys_health, clock=clock) if copy else None
        self._heard: set[str] = set()
        self._position = 0
        self.backoff = Backoff(RECONNECT_SECONDS)

    async def run(self) -> None:
        """Follow the topic until it is interrupted; to be run again, after a pause of `backoff`. Raises Interrupted."""
        try:
            with raise_on_disconnect():
                await self._follow()
        except (KafkaError, OSError, TimeoutError, Interrupted) as error:
            why = f"{type(error).__name__}: {error}"
            self._notes[_NOTE] = f"changes of access keys are not received: {why}"
            await self._use_fallback()
            raise Interrupted(why) from error
        except Exception:
            await self._use_fallback()
            raise

    async def _use_fallback(self) -> None:
        if self._fallback is not None:
            await self._fallback.start_from_copy()

    async def _follow(self) -> None:
        consumer = new_consumer(self._bootstrap, self._client_id)
        try:
            async with asyncio.timeout(self._patience()):
                await start_client(consumer)
                end = await self._begin(consumer)
            await self._read_to(consumer, end)
            self._know_all()
            self.backoff.reset()
            await self._keep_following(consumer)
        finally:
            await _stop(consumer)

    def _patience(self) -> float:
        return START_SECONDS if self._fallback is not None and self._fallback.is_untried else 2 * CALL_SECONDS

    async def _read_to(self, consumer: AIOKafkaConsumer, end: int) -> None:
        moved = self._clock.monotonic()
        while (before := self._position) < end:
            await self._take(consumer)
            if self._position != before:
                moved = self._clock.monotonic()
            elif self._clock.monotonic() - moved > self._patience():
                raise Interrupted(f"the topic was read to offset {before} of {end}, and then no more came")

    async def _begin(self, consumer: AIOKafkaConsumer) -> int:
        """Start over; returns the offset up to which everything has to be read."""
        if ACCESS_KEYS.name not in await consumer.topics():
            raise Interrupted(f"there is no topic {ACCESS_KEYS.name}; create it, and this goes on by itself")
        end: int = (await consumer.end_offsets([_PARTITION]))[_PARTITION]
        if end == 0 and not self._keyring.is_empty:
            raise Interrupted(
                f"the topic {ACCESS_KEYS.name} was lost: it is new and empty. Keys stay as they are. Send them again with "
                "`python -m control_plane republish-keys`"
            )
        self._heard.clear()
        self._watchdog.forget()
        self._position = (await consumer.beginning_offsets([_PARTITION]))[_PARTITION]
        consumer.assign([_PARTITION])
        consumer.seek(_PARTITION, self._position)
        return end

    async def _take(self, consumer: AIOKafkaConsumer) -> None:
        fetched = await consumer.getmany(_PARTITION, timeout_ms=POLL_MS)
        self._apply(fetched.get(_PARTITION, ()))
        # Past what compaction left out at the end, too.
        self._position = await consumer.position(_PARTITION)

    async def _keep_following(self, consumer: AIOKafkaConsumer) -> None:
        checked = self._clock.monotonic()
        while True:
            await self._take(consumer)
            if self._clock.monotonic() - checked >= CHECK_SECONDS:
                checked = self._clock.monotonic()
                await self._check(consumer, checked)

    async def _check(self, consumer: AIOKafkaConsumer, now: float) -> None:
        async with asyncio.timeout(CALL_SECONDS):
            ends = await consumer.end_offsets([_PARTITION])
        if self._position >= ends[_PARTITION]:
            self._keyring.note_complete(now)
            if self._fallback is not None:
                await self._fallback.renew_copy()
        stalled = self._watchdog.observe(ends, lambda _: self._position)
        if stalled >= STALLED_AFTER_SECONDS:
            raise Interrupted(f"no progress for {stalled:.0f} s although there are changes to read")

    def _know_all(self) -> None:
        self._keyring.keep_only(self._heard)
        self._keyring.note_complete(self._clock.monotonic())
        self._health.mark_up()
        self._notes.pop(_NOTE, None)
        _log.info("access keys are here", keys=len(self._heard))

    def _apply(self, records: Sequence[Any]) -> None:
        for record in records:
            key_id = (record.key or b"").decode("ascii", "replace")
            if record.value is None:
                self._heard.discard(key_id)
                self._keyring.end(key_id)
                continue
            try:
                self._keyring.put(decode(record.key, record.value))
                self._heard.add(key_id)
            except UndecodableAccessRecord as error:
                _log.warning("skipped a record of an access key", offset=record.offset, why=str(error)[:300])


@asynccontextmanager
async def following(
    access: Access,
    settings: ServiceSettings,
    *,
    health: Health,
    clock: Clock,
    metrics: Metrics,
    copy: Path | None = None,
) -> AsyncIterator[None]:
    """The service's keys are those of the topic while the block runs; it is not ready before they are here.

    With a `copy`, a file, it can start without Kafka.
    """
    if access.keyring is None or access.keys_health is None:
        yield
        return
    feed = AccessFeed(
        settings.kafka_bootstrap,
        settings.instance_id,
        access.keyring,
        keys_health=access.keys_health,
        health=health,
        clock=clock,
        metrics=metrics,
        copy=KeySnapshotFile(copy) if copy else None,
    )
    async with in_background(feed.run, "access keys", backoff=feed.backoff):
        yield


async def _stop(consumer: AIOKafkaConsumer) -> None:
    try:
        # Closing, it waits for fetches that a broken connection has cancelled.
        with raise_on_disconnect():
            async with asyncio.timeout(CALL_SECONDS):
                await consumer.stop()
    except (KafkaError, OSError, TimeoutError) as error:
        _log.warning("the Kafka consumer of access keys did not close in order", why=f"{type(error).__name__}: {error}")
