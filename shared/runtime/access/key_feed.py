"""Follows the `access-keys` topic: all access keys before the service is ready, and then every change."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import structlog

from shared.runtime.access.assembly import Access
from shared.runtime.access.key_snapshot_fallback import NO_AGE_LIMITS, KeySnapshotFallback, SnapshotAgeLimits
from shared.runtime.access.key_snapshot_file import KeySnapshotFile
from shared.runtime.access.key_usage import reporting_usage
from shared.runtime.access.keyring import Keyring
from shared.runtime.access.topic_trust import TopicTrust
from shared.runtime.background import Interrupted, in_background
from shared.runtime.backoff import Backoff
from shared.runtime.clock import Clock
from shared.runtime.health import DependencyHealth, Health
from shared.runtime.kafka.lag_watchdog import LagWatchdog
from shared.runtime.kafka.topic_tail import OPEN_SECONDS, Records, TopicTail, open_tail
from shared.runtime.metrics import Metrics
from shared.runtime.settings import ServiceSettings
from shared.schemas.access import COMPLETION_KEY, AccessRecord, UndecodableAccessRecord, decode, decode_completion
from shared.schemas.topics import ACCESS_KEYS

CHECK_SECONDS = 1.0
START_SECONDS = 3.0
"""Deadline of the first attempt where the service can start from a key snapshot instead."""
RECONNECT_SECONDS = 5.0
"""Longest pause before the topic is opened again."""

_NOTE = "access"
_log = structlog.get_logger(__name__)


class AccessFeed:
    """Keeps a keyring equal to the topic. Every connection reads the topic from its beginning: compaction may remove the
    record of a revoked key while this process is not connected.

    While the topic is not complete (see TopicTrust), its records are applied, but no key is removed because its record is
    missing, and the key snapshot is not renewed. A service without any keys is not ready then.

    While Kafka is unavailable, the keys stay as they are, or, on start, as they are in the key snapshot; the metric
    `tm_access_watermark_age_seconds` shows their age.
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
        snapshot_file: KeySnapshotFile | None = None,
        age_limits: SnapshotAgeLimits = NO_AGE_LIMITS,
    ) -> None:
        self._bootstrap = bootstrap
        self._client_id = f"{client_id}-access"
        self._keyring = keyring
        self._health = keys_health
        self._notes = health.notes
        self._clock = clock
        self._watchdog = LagWatchdog(clock, metrics)
        self._fallback = (
            KeySnapshotFallback(snapshot_file, keyring, age_limits=age_limits, health=keys_health, clock=clock)
            if snapshot_file
            else None
        )
        self._active_ids: set[str] = set()
        self._trust = TopicTrust()
        self._is_complete = False
        """Whether the topic that is followed holds every key."""
        self.backoff = Backoff(RECONNECT_SECONDS)

    async def run(self) -> None:
        """Follow the topic until it is interrupted; to be run again, after a pause of `backoff`. Raises Interrupted."""
        try:
            await self._follow()
        except Exception:
            # Readiness shows notes to every caller; a driver's message has addresses.
            self._notes[_NOTE] = "changes of access keys are not received: the log says why"
            if self._fallback is not None:
                await self._fallback.start_from_snapshot()
            raise

    async def _follow(self) -> None:
        patience = self._patience_seconds()
        opening = open_tail(
            self._bootstrap,
            self._client_id,
            ACCESS_KEYS.name,
            clock=self._clock,
            interruption=Interrupted,
            watchdog=self._watchdog,
            check_seconds=CHECK_SECONDS,
            within_seconds=patience,
        )
        async with opening as tail:
            await self._restart(tail)
            tail.start_at(tail.beginnings)
            await tail.read_to_end(self._apply, patience_seconds=patience)
            while True:
                await self._note_state()
                self._apply(await tail.poll())
                await self._check(tail)

    def _patience_seconds(self) -> float:
        return START_SECONDS if self._fallback is not None and self._fallback.is_untried else OPEN_SECONDS

    async def _restart(self, tail: TopicTail) -> None:
        known = await self._fallback.known_generation() if self._fallback is not None else 0
        self._trust.restart(known, has_records=any(tail.ends.values()))
        self._active_ids.clear()
        self._is_complete = False

    async def _note_state(self) -> None:
        """After the topic was read to its end: whether it holds every key. Raises Interrupted for another generation."""
        if self._is_complete:
            if self._trust.is_renewed:
                raise Interrupted(f"{ACCESS_KEYS.name} has another generation; it is read again from its beginning")
            return
        doubt = self._trust.doubt()
        if doubt is None:
            self._note_complete()
        elif self._notes.get(_NOTE) != doubt:
            await self._note_incomplete(doubt)

    def _note_complete(self) -> None:
        self._is_complete = True
        self._trust.adopt()
        self._keyring.keep_only(self._active_ids)
        self._keyring.note_complete(self._clock.monotonic())
        self._health.mark_up()
        self._notes.pop(_NOTE, None)
        self.backoff.reset()
        _log.info("access keys loaded", keys=len(self._active_ids), generation=self._trust.generation)

    async def _note_incomplete(self, doubt: str) -> None:
        _log.error("access keys are not believed", why=doubt, keys_in_topic=len(self._active_ids))
        self._notes[_NOTE] = doubt
        if self._fallback is not None:
            await self._fallback.start_from_snapshot()
        if not self._health.up:
            self._health.detail = "not all keys are known; the note `access` says why"

    async def _check(self, tail: TopicTail) -> None:
        checked_at = self._clock.monotonic()
        ends = await tail.check_if_due()
        if ends is None:
            return
        if any(tail.positions[number] > end for number, end in ends.items()):
            raise Interrupted(f"{ACCESS_KEYS.name} ends before the position that was read: it was made anew")
        is_at_end = all(tail.positions[number] >= end for number, end in ends.items())
        if is_at_end and self._is_complete and not self._trust.is_renewed:
            self._keyring.note_complete(checked_at)
            if self._fallback is not None:
                await self._fallback.renew_snapshot(self._trust.generation)

    def _apply(self, records: Records) -> None:
        for record in (each for partition in records.values() for each in partition):
            self._apply_one(record)

    def _apply_one(self, record: Any) -> None:
        key_id = (record.key or b"").decode("ascii", "replace")
        try:
            if record.key == COMPLETION_KEY:
                self._apply_completion(record.value)
            elif record.value is None:
                self._active_ids.discard(key_id)
                self._keyring.end(key_id)
            else:
                self._apply_key(decode(record.key, record.value))
        except UndecodableAccessRecord as error:
            _log.warning(
                "record of an access key skipped: it cannot be decoded", offset=record.offset, why=str(error)[:300]
            )

    def _apply_completion(self, value: bytes | None) -> None:
        if value is not None:
            self._trust.note_completion(decode_completion(value))

    def _apply_key(self, key: AccessRecord) -> None:
        self._trust.note_writer(has_completion=key.has_completion)
        self._keyring.put(key)
        self._active_ids.add(key.key_id)


@asynccontextmanager
async def following(
    access: Access,
    settings: ServiceSettings,
    *,
    health: Health,
    clock: Clock,
    metrics: Metrics,
    snapshot: Path | None = None,
) -> AsyncIterator[None]:
    """Keep the service's keys equal to the topic for as long as the block runs, and report those that are used.

    The service is not ready before it has the keys. With a `snapshot` file, the service can start while Kafka is unavailable.
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
        snapshot_file=KeySnapshotFile(snapshot) if snapshot else None,
        age_limits=SnapshotAgeLimits(
            3600 * settings.key_snapshot_max_age_hours, 3600 * settings.key_snapshot_privileged_max_age_hours
        ),
    )
    reporting = reporting_usage(access.used_keys, settings, health=health, clock=clock, metrics=metrics)
    async with in_background(feed.run, "access keys", backoff=feed.backoff), reporting:
        yield
