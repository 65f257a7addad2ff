"""The layers behind L1 in the order in which they are read, and the rules that decide whether an entry is usable.

Loads, the explainer and the cache verifier use this one chain, so that an explanation says what a load does.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

from data_plane.domain.answer import Layer
from data_plane.domain.entry import Entry
from data_plane.domain.reading import Reading
from data_plane.ports import RouteSource
from data_plane.service.cache.l1 import L1Cache
from data_plane.service.cache.l2 import L2Cache
from data_plane.service.loading.replica_pool import ReplicaPool


class LayerVerdict(NamedTuple):
    """Whether the content of a layer is usable for an answer, and if not, why."""

    usable: bool
    why: str = ""


class Source(NamedTuple):
    """A database. `is_last_resort`: a replica that lags or does not respond, read only if all others fail."""

    layer: Layer
    database: RouteSource
    is_last_resort: bool = False


_USABLE = LayerVerdict(True)
_L2_LACKS_CHANGES = LayerVerdict(False, "not read now: some changes that were applied here are not written to it yet")
_L2_IS_OLDER = LayerVerdict(False, "skipped: older than an entry that this process held")
_REPLICA_IS_BEHIND = LayerVerdict(False, "skipped: behind the changes that were applied here")


class SourceChain:
    """L2, the usable replicas (those of the resolver's own zone first), the primary, and then the other replicas."""

    def __init__(self, *, l1: L1Cache, l2: L2Cache, replicas: ReplicaPool, primary: RouteSource | None) -> None:
        self._l1 = l1
        self._l2 = l2
        self._replicas = replicas
        self._primary = [] if primary is None else [Source(Layer.PRIMARY, primary)]
        self._orders: Sequence[Sequence[Source]] = ()
        self._changes = -1
        self._reads = 0

    def databases(self) -> Sequence[Source]:
        """The databases in the order in which to read them now; each call starts with another usable replica.

        While a replica of the resolver's own zone is usable, each call starts with one of those.

        A replica that is not usable comes last: an answer that is behind, and says how old it is, is better than none.
        """
        # The orders are kept: to build one for every load would cost more than the rest of `RouteLoader.read`.
        if self._changes != self._replicas.changes:
            self._orders, self._changes = self._read_orders(), self._replicas.changes
        self._reads += 1
        return self._orders[self._reads % len(self._orders)]

    def _read_orders(self) -> Sequence[Sequence[Source]]:
        local: list[Source] = []
        remote: list[Source] = []
        for each in self._replicas.usable():
            (local if self._replicas.is_local(each.name) else remote).append(Source(Layer.REPLICA, each))
        others = [Source(Layer.REPLICA, each, is_last_resort=True) for each in self._replicas.unusable()]
        # Enough orders that every replica is first among those of its group equally often.
        turns = range(math.lcm(len(local) or 1, len(remote) or 1))
        return [[*_rotated(local, turn), *_rotated(remote, turn), *self._primary, *others] for turn in turns]

    def l2_verdict(self, entry: Entry) -> LayerVerdict:
        """Whether an entry of L2 is usable. A load does not call this: L2 and L1 refuse such entries themselves."""
        if not self._l2.is_read():
            return _L2_LACKS_CHANGES
        return _L2_IS_OLDER if entry.tenant_revision < self._l1.min_revision(entry.key) else _USABLE

    def verdict(self, layer: Layer, reading: Reading) -> LayerVerdict:
        """Whether a reading is usable: a replica must have every change that this process knows of."""
        if layer is Layer.PRIMARY or reading.tenant_revision >= self._l1.newest_revision(reading.key.tenant):
            return _USABLE
        return _REPLICA_IS_BEHIND


def _rotated(sources: Sequence[Source], turn: int) -> Sequence[Source]:
    first = turn % len(sources) if sources else 0
    return [*sources[first:], *sources[:first]]
