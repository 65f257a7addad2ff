"""Why a route is answered as it is: what every layer holds of it, without touching any.

Which layer answers is told by the same rules as in `load.py`, in the same order.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace

from data_plane.domain.answer import Layer
from data_plane.domain.entry import Entry, State, TtlPolicy
from data_plane.domain.remote_clock import PrimaryTime
from data_plane.domain.stream_coverage import StreamCoverage
from data_plane.domain.watermarks import Watermarks
from data_plane.errors import UnreadableEntry
from data_plane.ports import RouteCache, RouteSource
from data_plane.service.cache.freshness import Freshness
from data_plane.service.cache.l1 import L1Cache
from data_plane.service.cache.l2 import L2Cache
from data_plane.service.cache.staleness import StalenessBounds
from data_plane.service.loading.replica_pool import ReplicaPool
from shared.runtime.clock import Clock
from shared.runtime.resilience import DependencyUnavailable
from shared.schemas.identity import RouteKey

_LACKS_CHANGES = "not read now: changes heard here could not be written to it yet"
_OLDER = "passed over: older than what this process has held"
_LEFT_OUT = "; left out for lagging or silence, so asked as the last"
_BEHIND = "; passed over: behind what was heard here"


@dataclass(frozen=True, slots=True)
class View:
    """What one layer holds. Times in seconds; `bound` as in an answer. Without an entry, `note` says why.

    `is_passed_over`: it does not answer, whatever it holds, and `note` says why.
    """

    layer: Layer
    entry: Entry | None
    is_fresh: bool
    age: float
    remaining: float
    bound: float | None
    tenant_revision: int
    note: str
    is_passed_over: bool = False


@dataclass(frozen=True, slots=True)
class Explanation:
    """The layers in the order in which they are asked; the first with a fresh entry, and not passed over, is the one
    that answers.

    `applied`: the tenant's revisions that came by events, without a gap. `heard_until`: POSIX seconds on the primary's
    clock up to which all of them did; -inf when that is not known.
    """

    key: RouteKey
    views: tuple[View, ...]
    applied: range
    heard_until: PrimaryTime

    @property
    def answering(self) -> View | None:
        return next((each for each in self.views if each.is_fresh and not each.is_passed_over), None)

    @property
    def why(self) -> str:
        """In words, what is answered and why."""
        if (view := self.answering) is not None and view.entry is not None:
            return _told(view.entry, view.tenant_revision)
        held = [(each.entry, each.tenant_revision) for each in self.views if each.entry is not None]
        if not held:
            return "No layer holds anything: nobody can tell."
        last = max(held, key=lambda each: each[0].revision)
        return f"No layer holds a fresh entry. The last that is known, answered as stale if at all: {_told(*last)}"


class Explainer:
    """Looks at every layer for a person who wants to know. Nothing is stored, counted as used or waited for long."""

    def __init__(
        self,
        *,
        local: L1Cache,
        cache: RouteCache,
        shared: L2Cache,
        replicas: ReplicaPool,
        sources: Sequence[tuple[Layer, RouteSource]],
        freshness: Freshness,
        coverage: StalenessBounds,
        watermarks: Watermarks,
        heard: StreamCoverage,
        lives: TtlPolicy,
        clock: Clock,
        deadline: float,
    ) -> None:
        """`sources`: the replicas and the primary; `deadline`: seconds for each layer."""
        self._local = local
        self._cache = cache
        self._shared = shared
        self._replicas = replicas
        self._sources = tuple(sources)
        self._freshness = freshness
        self._coverage = coverage
        self._watermarks = watermarks
        self._heard = heard
        self._lives = lives
        self._clock = clock
        self._deadline = deadline

    async def explain(self, key: RouteKey) -> Explanation:
        """What is known of the route, layer by layer. Never fails: a layer that does not answer says so."""
        views = [self._view(Layer.L1, self._local.held(key), "nothing is held"), await self._redis(key)]
        views += [
            await self._database(layer, source, key) for layer, source in sorted(self._sources, key=self._is_left_out)
        ]
        return Explanation(key, tuple(views), self._watermarks.applied(key.tenant), self._heard.until)

    async def _redis(self, key: RouteKey) -> View:
        try:
            async with asyncio.timeout(self._deadline):
                entry = await self._cache.get(key)
        except (DependencyUnavailable, UnreadableEntry, TimeoutError) as error:
            return self._view(Layer.REDIS, None, _no_answer(Layer.REDIS, error))
        if entry is None:
            return self._view(Layer.REDIS, None, "nothing is held")
        view = self._view(Layer.REDIS, self._lives.cap(entry), "")
        if not self._shared.is_read():
            return replace(view, is_passed_over=True, note=_LACKS_CHANGES)
        if entry.tenant_revision < self._local.min_revision(key):
            return replace(view, is_passed_over=True, note=_OLDER)
        return view

    def _is_left_out(self, asked: tuple[Layer, RouteSource]) -> bool:
        layer, source = asked
        return layer is Layer.REPLICA and not self._replicas.is_usable(source.name)

    async def _database(self, layer: Layer, source: RouteSource, key: RouteKey) -> View:
        try:
            async with asyncio.timeout(self._deadline):
                reading = await source.read(key)
        except (DependencyUnavailable, TimeoutError) as error:
            return self._view(layer, None, _no_answer(source.name, error))
        note = f"{source.name}{_LEFT_OUT}" if self._is_left_out((layer, source)) else source.name
        view = self._view(layer, reading.entry(self._lives, self._clock.monotonic()), note)
        if layer is Layer.REPLICA and reading.tenant_revision < self._local.newest_revision(key.tenant):
            return replace(view, is_passed_over=True, note=note + _BEHIND)
        return view

    def _view(self, layer: Layer, entry: Entry | None, note: str) -> View:
        now = self._clock.monotonic()
        if entry is None:
            return View(layer, None, False, 0.0, 0.0, None, 0, note)
        return View(
            layer,
            entry,
            self._freshness.is_fresh(entry, now),
            max(0.0, now - entry.read_at),
            entry.expires_at - now,
            self._coverage.bound(entry, now),
            self._coverage.revision(entry),
            "" if layer in (Layer.L1, Layer.REDIS) else note,
        )


def _told(entry: Entry, tenant_revision: int) -> str:
    if entry.state is State.ABSENT:
        return (
            f"Never created, up to revision {tenant_revision} of the tenant." if tenant_revision else "No such tenant."
        )
    return f"{entry.state.name.capitalize()} since revision {entry.revision} of the tenant."


def _no_answer(name: str, error: Exception) -> str:
    """Without what the error says, which may name servers."""
    match error:
        case UnreadableEntry():
            return f"what {name} holds is no entry"
        case TimeoutError():
            return f"{name} did not answer in time"
        case _:
            return f"{name} cannot be reached now, or is not asked for having failed too often"
