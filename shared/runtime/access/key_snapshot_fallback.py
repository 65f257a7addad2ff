"""What a service knows of access keys when it starts and the topic cannot be read."""

import asyncio

import structlog

from shared.runtime.access.key_snapshot_file import KeySnapshot, KeySnapshotFile, UnusableCopy, age_of
from shared.runtime.access.keyring import Keyring
from shared.runtime.clock import Clock
from shared.runtime.health import DependencyHealth

RENEW_SECONDS = 60.0
"""Longest time between two copies while no key changes, so that a copy's age tells how long this process was away."""

_log = structlog.get_logger(__name__)


class KeySnapshotFallback:
    """Keeps the copy on disk like the keys in memory; and, once, the keys like the copy."""

    def __init__(self, copy: KeySnapshotFile, keyring: Keyring, *, health: DependencyHealth, clock: Clock) -> None:
        self._copy = copy
        self._keyring = keyring
        self._health = health
        self._clock = clock
        self._copied: tuple[int, float] | None = None
        self.is_untried = True
        """Whether no attempt to start was made yet, neither with the topic nor with the copy."""

    async def start_from_snapshot(self) -> None:
        """Take the keys of the copy, unless the topic was read before. Does nothing after the first time."""
        untried, self.is_untried = self.is_untried, False
        if not untried or self._keyring.is_loaded:
            return
        try:
            keys = await asyncio.to_thread(self._copy.load)
        except UnusableCopy as error:
            _log.warning("no access key is known until the topic can be read", why=str(error))
            return
        age = age_of(keys, self._clock.now())
        self._keyring.start_from(keys.records, keys.ended, age)
        self._health.mark_up()
        self._health.detail = (
            f"from the copy of {keys.as_of.isoformat(timespec='seconds')}; changes since are not heard"
        )
        _log.warning(
            "started with a copy of the access keys: what was revoked since is still accepted",
            keys=len(keys.records),
            age_seconds=round(age),
        )

    async def renew_snapshot(self) -> None:
        """Copy the keys when they changed, and once a minute. To be called while no change is missing."""
        self.is_untried = False
        now, version = self._clock.monotonic(), self._keyring.version
        if self._copied is not None and self._copied[0] == version and now - self._copied[1] < RENEW_SECONDS:
            return
        records, ended = self._keyring.as_heard()
        try:
            await asyncio.to_thread(self._copy.save, KeySnapshot(as_of=self._clock.now(), records=records, ended=ended))
        except OSError as error:
            _log.warning("the copy of the access keys was not renewed", file=str(self._copy.path), why=str(error))
        self._copied = version, now
