"""Which resolver processes have applied a change set, and waiting until all have."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from control_plane.domain.propagation import Propagation, Publication, propagation_of
from control_plane.errors import PropagationUnknown, TooManyWaiting, TooManyWaitingOfTenant
from control_plane.ports.propagation import Publications
from control_plane.service.resolver_monitor import ResolverMonitor
from shared.runtime.clock import Clock
from shared.runtime.deadlines import time_limit
from shared.runtime.fair_places import FairPlaces

CHECK_SECONDS = 0.5
"""Longest pause between two checks without a report: a process becomes gone by its silence."""
_FIRST_POLL_SECONDS = 0.01
_LONGEST_POLL_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class WaitLimits:
    """How long one call may wait, and how many calls may wait at the same time in this process."""

    max_seconds: float
    max_concurrent: int


class PropagationService:
    """Answers propagation requests. Each database read has the deadline; a waiting call holds no connection."""

    def __init__(
        self,
        publications: Publications,
        resolvers: ResolverMonitor,
        *,
        deadline_seconds: float,
        limits: WaitLimits,
        is_draining: Callable[[], bool],
        clock: Clock,
    ) -> None:
        """`is_draining`: whether this process is about to stop, which ends all waits."""
        self._publications = publications
        self._resolvers = resolvers
        self._deadline_seconds = deadline_seconds
        self._limits = limits
        self._is_draining = is_draining
        self._clock = clock
        self._places = FairPlaces(limits.max_concurrent)

    def max_wait_seconds(self, requested_seconds: float) -> float:
        """The longest wait of a call that requests this wait."""
        return min(requested_seconds, self._limits.max_seconds)

    async def propagation(self, tenant: str, revision: int, wait_seconds: float) -> Propagation:
        """The progress of every resolver process, as soon as the change set is live everywhere or the wait is over.

        Raises PropagationUnknown, TooManyWaiting, TooManyWaitingOfTenant, and what the Publications port raises.
        """
        until = self._clock.monotonic() + self.max_wait_seconds(wait_seconds)
        with self._waiting_slot(tenant, wait_seconds):
            return await self._check_until(until, tenant, revision)

    async def _check_until(self, until: float, tenant: str, revision: int) -> Propagation:
        poll = _FIRST_POLL_SECONDS
        publication, read_at = await self._read(tenant, revision), self._clock.monotonic()
        while True:
            propagation = self._propagation(publication, read_at)
            left = until - self._clock.monotonic()
            if left <= 0 or self._is_draining() or (propagation is not None and propagation.is_live_everywhere):
                break
            if publication.is_published:
                await self._resolvers.wait_for_report(min(left, CHECK_SECONDS))
            else:
                await asyncio.sleep(min(left, poll))
                poll = min(2 * poll, _LONGEST_POLL_SECONDS)
                publication, read_at = await self._read(tenant, revision), self._clock.monotonic()
        if propagation is None:
            raise PropagationUnknown(tenant, revision, published=publication.is_published)
        return propagation

    def _propagation(self, publication: Publication, read_at: float) -> Propagation | None:
        members = self._resolvers.members()
        if members is None:
            return None
        return propagation_of(publication, members, publication.age_seconds + self._clock.monotonic() - read_at)

    async def _read(self, tenant: str, revision: int) -> Publication:
        async with time_limit(self._deadline_seconds):
            return await self._publications.get(tenant, revision)

    @contextmanager
    def _waiting_slot(self, tenant: str, wait_seconds: float) -> Iterator[None]:
        if wait_seconds <= 0:
            yield
            return
        if self._places.is_full:
            raise TooManyWaiting(self._places.taken)
        if not self._places.may_enter(tenant):
            raise TooManyWaitingOfTenant(tenant, self._places.held(tenant))
        self._places.enter(tenant)
        try:
            yield
        finally:
            self._places.leave(tenant)
