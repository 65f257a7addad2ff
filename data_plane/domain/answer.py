"""The answer to one resolve request."""

from enum import StrEnum

import msgspec

from data_plane.domain.entry import Entry


class Layer(StrEnum):
    """The layer that an answer comes from; the values appear in `X-Cache` and in metrics."""

    __hash__ = str.__hash__  # The enum's own __hash__ is a Python call for every answer.

    L1 = "l1"
    REDIS = "redis"
    REPLICA = "replica"
    PRIMARY = "primary"


class Answer(msgspec.Struct, frozen=True, gc=False):
    """An entry as it is served: its layer, `age` and `remaining` TTL in seconds.

    `stale`: past its TTL, served because no source could be read. `bound`: upper bound on the staleness in seconds
    (None: unknown). `tenant_revision`: the tenant's revision up to which the entry is known to be right.
    """

    entry: Entry
    layer: Layer
    stale: bool
    age: float
    remaining: float
    bound: float | None = None
    tenant_revision: int = 0
