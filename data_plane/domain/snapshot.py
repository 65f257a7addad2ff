"""A resolver's cache as it is written to disk for the next process."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from data_plane.domain.active_value import ActiveValue
from data_plane.domain.entry import State
from data_plane.domain.remote_clock import PrimaryTime, RoundTrip
from shared.runtime.clock import BootTime
from shared.schemas.identity import RouteKey


@dataclass(frozen=True, slots=True)
class KeptRoute:
    """One entry, active or a tombstone. Keys that were never created are left out: they may have been created since.

    The fields are those of an `Entry`, with `read_at` and `expires_at` on the host's boot clock.
    """

    key: RouteKey
    state: State
    value: ActiveValue | None
    revision: int
    read_at: BootTime
    expires_at: BootTime
    proven_at: PrimaryTime
    tenant_revision: int

    def __post_init__(self) -> None:
        if self.state is State.ABSENT or (self.value is not None) != (self.state is State.ACTIVE):
            raise ValueError(f"{self.key}: {self.state!r} with value {self.value!r} is not kept in a snapshot")


@dataclass(frozen=True, slots=True)
class HostTime:
    """The boot clock of the host that wrote the snapshot.

    `boot` identifies the boot (empty: unknown). `up_for`: the clock's time at the writing. `primary`: a round trip from
    this clock to the primary's (None: unknown).
    """

    boot: str
    up_for: BootTime
    primary: RoundTrip[BootTime, PrimaryTime] | None


@dataclass(frozen=True, slots=True)
class SnapshotHead:
    """The position in the event stream: every event before these offsets is applied in the entries.

    `offsets`: the next offset of each partition (empty: no event was applied). `revisions`: the last one applied of each
    tenant. `written_at`: wall clock of the host in POSIX seconds, for display and for estimating an age.
    """

    written_at: float
    offsets: Mapping[int, int]
    revisions: Mapping[str, int]
    host: HostTime


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Head and entries."""

    head: SnapshotHead
    routes: Sequence[KeptRoute]
