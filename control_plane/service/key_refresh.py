"""Keeps this process's access keys in step with the database, so that no request has to read them."""

from datetime import datetime, timedelta

from control_plane.ports.access_keys import AccessKeys
from shared.runtime.access.keyring import Keyring
from shared.runtime.clock import Clock
from shared.runtime.health import DependencyHealth

_OVERLAP = timedelta(seconds=90)
"""A change is dated before it commits, and so may become visible this much later: a request lasts at most 60 s."""
REFRESH_SECONDS = 1.0
"""Pause between two refreshes."""


class KeyRefresh:
    """Reads the changed keys. While PostgreSQL is unavailable, the keys in memory stay as they are."""

    def __init__(self, keys: AccessKeys, keyring: Keyring, *, health: DependencyHealth, clock: Clock) -> None:
        self._keys = keys
        self._keyring = keyring
        self._health = health
        self._clock = clock
        self._since: datetime | None = None

    async def refresh(self) -> None:
        """Apply the changes since the last refresh. Raises DependencyUnavailable."""
        started_at = self._clock.monotonic()
        changed = await self._keys.changed_since(self._since and self._since - _OVERLAP)
        for each in changed.keys:
            if each.revoked_at is not None:
                self._keyring.end(each.key_id)
            else:
                self._keyring.put(each.record)
        self._since = changed.read_at
        self._keyring.note_complete(started_at)
        self._health.mark_up()
