"""What a caller is told."""

from enum import StrEnum

import msgspec

from data_plane.domain.entry import Entry


class Layer(StrEnum):
    """Where an answer was found; as in `X-Cache` and in metrics."""

    __hash__ = str.__hash__  # An enum's own is a call of Python code for every answer.

    L1 = "l1"
    REDIS = "redis"
    REPLICA = "replica"
    PRIMARY = "primary"


class Answer(msgspec.Struct, frozen=True, gc=False):
    """An entry as it is given to a caller: found where, how old (seconds), good for how much longer (seconds).

    `stale`: past its life, because no source could tell better. `bound`: for how many seconds it may have been wrong at
    most (None: not known). `reflects`: the tenant's revision it is known to be right at.
    """

    entry: Entry
    layer: Layer
    stale: bool
    age: float
    remaining: float
    bound: float | None = None
    tenant_revision: int = 0
