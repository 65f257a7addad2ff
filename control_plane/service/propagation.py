"""Where a change set is live, and waiting until it is live everywhere."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from control_plane.domain.propagation import Propagation, Publication, propagation_of
from control_plane.errors import PropagationUnknown, TooManyWaiting
from control_plane.ports.propagation import Publications
from control_plane.service.resolver_monitor import ResolverMonitor
from shared.runtime.clock import Clock

LOOK_SECONDS = 0.5
"""Between looks without news: silence is none, and it tells that a process is gone."""
_FIRST_POLL = 0.01
_LONGEST_POLL = 1.0


@dataclass(frozen=True, slots=True)
class WaitLimits:
    """Seconds that one call may wait, and how many calls may wait at once in this process."""

    seconds: float
    at_once: int


class PropagationService:
    """Every look at the database within the deadline: TimeoutError after it. Nothing is held while waiting."""

    def __init__(
        self,
        publications: Publications,
        fleet: ResolverMonitor,
        *,
        deadline_seconds: float,
        limits: WaitLimits,
        is_ending: Callable[[], bool],
        clock: Clock,
    ) -> None:
        """`is_ending`: whether this process is about to stop, and nobody should wait in it any longer."""
        self._dispatches = publications
        self._fleet = fleet
        self._deadline = deadline_seconds
        self._limits = limits
        self._is_ending = is_ending
        self._clock = clock
        self._waiting = 0

    def longest(self, seconds: float) -> float:
        """How long a call that asks to wait so long does wait at most."""
        return min(seconds, self._limits.seconds)

    async def propagation(self, tenant: str, revision: int, wait: float) -> Propagation:
        """How every resolver process stands to the change set, as soon as it is live everywhere, or `wait` is over.

        Raises PropagationUnknown, TooManyWaiting, and what the Dispatches port does.
        """
        until = self._clock.monotonic() + self.longest(wait)
        with self._room(wait):
            return await self._look_until(until, tenant, revision)

    async def _look_until(self, until: float, tenant: str, revision: int) -> Propagation:
        poll = _FIRST_POLL
        publication, found_at = await self._find(tenant, revision), self._clock.monotonic()
        while True:
            seen = self._seen(publication, found_at)
            left = until - self._clock.monotonic()
            if left <= 0 or self._is_ending() or (seen is not None and seen.is_live_everywhere):
                break
            if publication.is_published:
                await self._fleet.news(min(left, LOOK_SECONDS))
            else:
                await asyncio.sleep(min(left, poll))
                poll = min(2 * poll, _LONGEST_POLL)
                publication, found_at = await self._find(tenant, revision), self._clock.monotonic()
        if seen is None:
            raise PropagationUnknown(tenant, revision, published=publication.is_published)
        return seen

    def _seen(self, publication: Publication, found_at: float) -> Propagation | None:
        members = self._fleet.members()
        if members is None:
            return None
        return propagation_of(publication, members, publication.age_seconds + self._clock.monotonic() - found_at)

    async def _find(self, tenant: str, revision: int) -> Publication:
        async with asyncio.timeout(self._deadline):
            return await self._dispatches.get(tenant, revision)

    @contextmanager
    def _room(self, wait: float) -> Iterator[None]:
        if wait > 0 and self._waiting >= self._limits.at_once:
            raise TooManyWaiting(self._waiting)
        self._waiting += wait > 0
        try:
            yield
        finally:
            self._waiting -= wait > 0
