"""Starts a service from the key snapshot when the access key topic cannot be read, and keeps the snapshot up to date."""

import asyncio
import math
from collections.abc import Sequence
from dataclasses import dataclass

import structlog

from shared.runtime.access.key_snapshot_file import KeySnapshot, KeySnapshotFile, UnusableKeySnapshot, age_seconds
from shared.runtime.access.keyring import Keyring
from shared.runtime.clock import Clock
from shared.runtime.health import DependencyHealth
from shared.schemas.access import AccessRecord, Role

RENEW_SECONDS = 60.0
"""Longest time between two snapshots while no key changes, so that a snapshot's age is the time this process was down."""

_PRIVILEGED = (Role.ADMIN, Role.EDITOR)

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class SnapshotAgeLimits:
    """The greatest ages, in seconds, at which a snapshot's keys are accepted: a key may have been revoked since.

    `privileged_seconds`: of keys that can change something (admin and editor).
    """

    all_seconds: float
    privileged_seconds: float

    def accepted(self, records: Sequence[AccessRecord], age_seconds: float) -> Sequence[AccessRecord]:
        """Those of the records that are accepted at this age."""
        if age_seconds > self.all_seconds:
            return ()
        if age_seconds > self.privileged_seconds:
            return [each for each in records if each.role not in _PRIVILEGED]
        return records


NO_AGE_LIMITS = SnapshotAgeLimits(math.inf, math.inf)


class KeySnapshotFallback:
    """Copies the keyring to the snapshot, and, at most once, the snapshot to the keyring."""

    def __init__(
        self,
        file: KeySnapshotFile,
        keyring: Keyring,
        *,
        age_limits: SnapshotAgeLimits,
        health: DependencyHealth,
        clock: Clock,
    ) -> None:
        self._file = file
        self._age_limits = age_limits
        self._keyring = keyring
        self._health = health
        self._clock = clock
        self._saved: tuple[tuple[int, int], float] | None = None
        """The keyring's version and the generation in the snapshot, and when it was saved, on the monotonic clock."""
        self.is_untried = True
        """Whether no attempt to start has ended yet, neither from the topic nor from the snapshot."""

    async def start_from_snapshot(self) -> None:
        """Load the snapshot, unless the topic was read before. Does nothing after the first call."""
        is_untried, self.is_untried = self.is_untried, False
        if not is_untried or self._keyring.is_loaded:
            return
        try:
            keys = await asyncio.to_thread(self._file.load)
        except UnusableKeySnapshot as error:
            _log.warning("no access keys until the topic can be read: there is no usable key snapshot", why=str(error))
            return
        age = age_seconds(keys, self._clock.now())
        records = self._age_limits.accepted(keys.records, age)
        if len(records) < len(keys.records):
            _log.warning(
                "keys of the key snapshot are too old to be accepted; they are again once the topic is read",
                refused=len(keys.records) - len(records),
                age_seconds=round(age),
            )
        if keys.records and not records:
            return
        self._keyring.start_from(records, keys.ended, age)
        self._health.mark_up()
        self._health.detail = (
            f"from the key snapshot of {keys.as_of.isoformat(timespec='seconds')}; later changes are not received"
        )
        _log.warning(
            "started from the key snapshot: keys revoked since then are still accepted",
            keys=len(records),
            age_seconds=round(age),
        )

    async def known_generation(self) -> int:
        """The generation of the topic that the snapshot's keys were read from; 0 without a usable snapshot."""
        try:
            return (await asyncio.to_thread(self._file.load)).generation
        except UnusableKeySnapshot:
            return 0

    async def renew_snapshot(self, generation: int) -> None:
        """Save the keys when they changed, and once a minute. Call this while no change is missing.

        `generation`: of the topic that they were read from.
        """
        self.is_untried = False
        now, version = self._clock.monotonic(), (self._keyring.version, generation)
        if self._saved is not None and self._saved[0] == version and now - self._saved[1] < RENEW_SECONDS:
            return
        records, ended = self._keyring.contents()
        keys = KeySnapshot(as_of=self._clock.now(), records=records, ended=ended, generation=generation)
        try:
            await asyncio.to_thread(self._file.save, keys)
        except OSError as error:
            _log.warning("the key snapshot was not renewed", file=str(self._file.path), why=str(error))
        self._saved = version, now
