"""Explains an answer: the content of every layer, read without changing any, and which layer answers."""

import asyncio
from dataclasses import dataclass

from data_plane.domain.answer import Layer
from data_plane.domain.entry import Entry, State, TtlPolicy
from data_plane.domain.remote_clock import PrimaryTime
from data_plane.domain.stream_coverage import StreamCoverage
from data_plane.domain.watermarks import Watermarks
from data_plane.errors import UnreadableEntry
from data_plane.ports import RouteCache
from data_plane.service.cache.freshness import Freshness
from data_plane.service.cache.l1 import L1Cache
from data_plane.service.cache.staleness import StalenessBounds
from data_plane.service.loading.source_chain import LayerVerdict, Source, SourceChain
from shared.runtime.clock import Clock
from shared.runtime.resilience import DependencyUnavailable
from shared.schemas.identity import RouteKey

_EMPTY = "no entry"
_LAST_RESORT = "; read last, because it lags or does not respond"


@dataclass(frozen=True, slots=True)
class View:
    """The content of one layer; times in seconds, `bound` as in an answer. `note`: why there is no entry, or it is skipped.

    `is_usable`: whether a load would take the entry if it is fresh.
    """

    layer: Layer
    entry: Entry | None
    is_fresh: bool
    age: float
    remaining: float
    bound: float | None
    tenant_revision: int
    note: str
    is_usable: bool = True


@dataclass(frozen=True, slots=True)
class Explanation:
    """The layers in the order in which they are read. The first one with a fresh and usable entry answers.

    `applied`: the tenant's revisions that were applied from events without a gap. `covered_until`: every change that was
    acknowledged before this time of the primary is applied; UNPROVEN if that is unknown.
    """

    key: RouteKey
    views: tuple[View, ...]
    applied: range
    covered_until: PrimaryTime

    @property
    def answering(self) -> View | None:
        return next((each for each in self.views if each.is_fresh and each.is_usable), None)

    @property
    def why(self) -> str:
        """One or two sentences: the answer, and the reason for it."""
        if (view := self.answering) is not None and view.entry is not None:
            return _state_text(view.entry, view.tenant_revision)
        entries = [(each.entry, each.tenant_revision) for each in self.views if each.entry is not None]
        if not entries:
            return "No layer has an entry, so the route is unknown."
        last = max(entries, key=lambda each: each[0].revision)
        return f"No layer has a fresh entry. The newest one, served as stale if at all: {_state_text(*last)}"


class Explainer:
    """Reads every layer for a human reader. Stores nothing, counts no use, and waits for no layer longer than the deadline."""

    def __init__(
        self,
        chain: SourceChain,
        *,
        l1: L1Cache,
        cache: RouteCache,
        freshness: Freshness,
        staleness: StalenessBounds,
        watermarks: Watermarks,
        stream_coverage: StreamCoverage,
        ttl_policy: TtlPolicy,
        clock: Clock,
        deadline_seconds: float,
    ) -> None:
        """`deadline_seconds`: for each layer."""
        self._chain = chain
        self._l1 = l1
        self._cache = cache
        self._freshness = freshness
        self._staleness = staleness
        self._watermarks = watermarks
        self._stream_coverage = stream_coverage
        self._ttl_policy = ttl_policy
        self._clock = clock
        self._deadline_seconds = deadline_seconds

    async def explain(self, key: RouteKey) -> Explanation:
        """Never fails: the view of a layer that cannot be read says so."""
        entry = self._l1.peek(key)
        views = [self._view(Layer.L1, entry, LayerVerdict(True, "" if entry else _EMPTY)), await self._view_l2(key)]
        views += [await self._view_database(source, key) for source in self._chain.databases()]
        return Explanation(key, tuple(views), self._watermarks.applied(key.tenant), self._stream_coverage.until)

    async def _view_l2(self, key: RouteKey) -> View:
        try:
            async with asyncio.timeout(self._deadline_seconds):
                entry = await self._cache.get(key)
        except (DependencyUnavailable, UnreadableEntry, TimeoutError) as error:
            return self._view(Layer.REDIS, None, LayerVerdict(False, _failure_text(Layer.REDIS, error)))
        if entry is None:
            return self._view(Layer.REDIS, None, LayerVerdict(False, _EMPTY))
        return self._view(Layer.REDIS, self._ttl_policy.cap(entry), self._chain.l2_verdict(entry))

    async def _view_database(self, source: Source, key: RouteKey) -> View:
        name = source.database.name
        try:
            async with asyncio.timeout(self._deadline_seconds):
                reading = await source.database.read(key)
        except (DependencyUnavailable, TimeoutError) as error:
            return self._view(source.layer, None, LayerVerdict(False, _failure_text(name, error)))
        is_usable, why = self._chain.verdict(source.layer, reading)
        note = f"{name}{_LAST_RESORT if source.is_last_resort else ''}{f'; {why}' if why else ''}"
        entry = reading.entry(self._ttl_policy, self._clock.monotonic())
        return self._view(source.layer, entry, LayerVerdict(is_usable, note))

    def _view(self, layer: Layer, entry: Entry | None, verdict: LayerVerdict) -> View:
        now = self._clock.monotonic()
        if entry is None:
            return View(layer, None, False, 0.0, 0.0, None, 0, verdict.why, is_usable=False)
        known = self._l1.known(entry)
        return View(
            layer,
            entry,
            self._freshness.is_fresh(entry, now),
            max(0.0, now - entry.read_at),
            entry.expires_at - now,
            self._staleness.bound(known, now),
            self._staleness.revision(known),
            verdict.why,
            verdict.usable,
        )


def _state_text(entry: Entry, tenant_revision: int) -> str:
    if entry.state is State.ABSENT:
        return (
            f"Never created, up to revision {tenant_revision} of the tenant." if tenant_revision else "No such tenant."
        )
    return f"{entry.state.name.capitalize()} since revision {entry.revision} of the tenant."


def _failure_text(name: str, error: Exception) -> str:
    """Without the text of the error, which may contain server addresses."""
    match error:
        case UnreadableEntry():
            return f"{name} has content that is not an entry"
        case TimeoutError():
            return f"{name} did not respond in time"
        case _:
            return f"{name} cannot be reached, or is not called because it failed too often"
