"""What an instance knew at one moment, as it is kept on disk for the one that starts after it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from data_plane.domain.entry import State
from data_plane.domain.remote_clock import PrimaryTime, RoundTrip
from shared.runtime.clock import BootTime
from shared.schemas.identity import RouteKey


@dataclass(frozen=True, slots=True)
class KeptRoute:
    """One route, active or a tombstone. What was never created is not kept: it may have been since.

    It was right at `read_at`, and its life ends at `expires_at`, both on the clock of the head. `proven_at` is as in an
    entry, -inf where not known. `reflects` is the tenant's revision that it was known to be right at.
    """

    key: RouteKey
    state: State
    url: str | None
    revision: int
    read_at: BootTime
    expires_at: BootTime
    proven_at: PrimaryTime
    tenant_revision: int

    def __post_init__(self) -> None:
        if self.state is State.ABSENT or (self.url is not None) != (self.state is State.ACTIVE):
            raise ValueError(f"{self.key}: {self.state!r} with URL {self.url!r} is not kept in a snapshot")


@dataclass(frozen=True, slots=True)
class HostTime:
    """The clock that a snapshot is dated by: seconds since a host was booted.

    `boot`: which boot of which host; empty when nobody can tell. `up_for`: what the clock showed. `primary`: how the
    primary's clock, in POSIX seconds, stood to it; None when that was not known.
    """

    boot: str
    up_for: BootTime
    primary: RoundTrip[BootTime, PrimaryTime] | None


@dataclass(frozen=True, slots=True)
class SnapshotHead:
    """Where the instance was in the events: everything before these offsets is in the routes.

    `offsets`: by partition, what would have been applied next; empty when no event was ever heard. `revisions`: by
    tenant, the last one applied. `written_at`: this host's wall clock, for people and for guessing an age.
    """

    written_at: float
    offsets: Mapping[int, int]
    revisions: Mapping[str, int]
    host: HostTime


@dataclass(frozen=True, slots=True)
class Snapshot:
    """All of it."""

    head: SnapshotHead
    routes: Sequence[KeptRoute]
