"""Keeps this process's keys as the database has them, so that no request has to ask for them."""

import asyncio
from datetime import datetime, timedelta

import structlog

from control_plane.ports import AccessKeys
from shared.runtime.access.keyring import Keyring
from shared.runtime.clock import Clock
from shared.runtime.health import DependencyHealth
from shared.runtime.resilience import DependencyUnavailable

_OVERLAP = timedelta(seconds=90)
"""A change gets its time before it commits: it may come to light this much later. A request may last 60 s at most."""

_log = structlog.get_logger(__name__)


class KeyRefresh:
    """Asks for what changed, every second. While PostgreSQL is away, the keys stay as they were."""

    def __init__(
        self, keys: AccessKeys, keyring: Keyring, *, health: DependencyHealth, clock: Clock, every: float = 1.0
    ) -> None:
        self._keys = keys
        self._keyring = keyring
        self._health = health
        self._clock = clock
        self._every = every
        self._since: datetime | None = None

    async def run(self) -> None:
        """Refresh until cancelled."""
        while True:
            try:
                await self.refresh()
            except DependencyUnavailable as error:
                _log.debug("access keys not refreshed", why=str(error))
            except Exception:  # noqa: BLE001 - logged whole; the keys must not stay as they are for good
                _log.exception("unexpected error while refreshing access keys")
            await asyncio.sleep(self._every)

    async def refresh(self) -> None:
        """Take in what changed since the last time. Raises DependencyUnavailable."""
        asked_at = self._clock.monotonic()
        news = await self._keys.changed_since(self._since and self._since - _OVERLAP)
        for each in news.keys:
            if each.revoked_at is not None:
                self._keyring.end(each.key_id)
            else:
                self._keyring.put(each.record)
        self._since = news.as_of
        self._keyring.note_complete(asked_at)
        self._health.mark_up()
