"""A cached route value: its state, its revision, and how long it may be used."""

import math
from dataclasses import dataclass
from enum import IntEnum

import msgspec
from msgspec.structs import replace

from data_plane.domain.active_value import ActiveValue
from data_plane.domain.remote_clock import UNPROVEN, PrimaryTime
from shared.runtime.clock import LocalTime
from shared.schemas.identity import RouteKey


class State(IntEnum):
    """The state of a route. The numbers are stored in Redis."""

    __hash__ = int.__hash__  # The enum's own __hash__ is a Python call for every entry stored.

    ABSENT = 0
    """Never created."""
    INACTIVE = 1
    """Soft-deleted: a tombstone."""
    ACTIVE = 2


_ACTIVE = State.ACTIVE  # An attribute of an enum costs more to look up than a global name.


# gc=False: an entry cannot be part of a reference cycle, and most live for a short time.
class Entry(msgspec.Struct, frozen=True, gc=False):
    """The cached value of one key.

    `revision`: of an active or inactive route, the tenant's revision that last changed it; of an absent one, the tenant's
    revision up to which it was never created (0: the tenant does not exist). Rows are never deleted, so of two entries
    for a key the one with the higher revision is always the newer one.

    `read_at` (local): the entry was right then. `expires_at` (local): until then it is served without a load. It is kept
    for longer, so that nothing older is accepted, and so that it can be served while no source can be read.

    `proven_at` is the primary's time up to which its source has shown the entry to be right, `tenant_revision` the
    tenant's revision at which it was right. Neither depends on the local clock.
    """

    key: RouteKey
    state: State
    value: ActiveValue | None
    revision: int
    read_at: LocalTime
    expires_at: LocalTime
    proven_at: PrimaryTime = UNPROVEN
    tenant_revision: int = 0

    def __post_init__(self) -> None:
        if (self.value is not None) != (self.state is _ACTIVE):
            raise ValueError(
                f"{self.key}: an active route has a value and no other has; got {self.state!r}, {self.value!r}"
            )

    @property
    def is_active(self) -> bool:
        return self.state is _ACTIVE

    def has_same_value(self, other: "Entry") -> bool:
        """Whether both hold the same value of the same revision."""
        return (self.revision, self.state, self.value) == (other.revision, other.state, other.value)


class KnownEntry(msgspec.Struct, frozen=True, gc=False):
    """An entry with the `min_revision` of its key: the tenant's revision that L1 has already served or held for it.

    An entry with a lower `tenant_revision` may lack a change that this process knows of.
    """

    entry: Entry
    min_revision: int


def newest(stored: Entry, offered: Entry) -> Entry:
    """Merge two entries of one key; the order of arrival does not matter.

    The higher revision wins. Two readings of one revision are combined: the later `read_at`, the later `expires_at`. (One
    revision with two values can only follow a restore of the database; then the later expiry wins.)
    """
    if stored.revision != offered.revision:
        return stored if stored.revision > offered.revision else offered
    if stored == offered:  # The usual case: the same reading again.
        return stored
    if not stored.has_same_value(offered):
        return stored if stored.expires_at >= offered.expires_at else offered
    merged = replace(
        stored,
        read_at=max(stored.read_at, offered.read_at),
        expires_at=max(stored.expires_at, offered.expires_at),
        proven_at=max(stored.proven_at, offered.proven_at),
        tenant_revision=max(stored.tenant_revision, offered.tenant_revision),
    )
    return stored if merged == stored else merged


@dataclass(frozen=True, slots=True)
class TtlPolicy:
    """The TTL of entries in seconds since they were right, and for how long after it they may be served if sources fail."""

    positive_seconds: float = 60.0
    negative_seconds: float = 10.0
    stale_if_error_seconds: float = 3600.0

    def ttl(self, state: State) -> float:
        """The TTL in seconds."""
        return self.positive_seconds if state is _ACTIVE else self.negative_seconds

    def cap(self, entry: Entry) -> Entry:
        """Apply this instance's TTL to an entry of another instance, which may be configured with a longer one."""
        latest = LocalTime(entry.read_at + self.ttl(entry.state))
        return entry if entry.expires_at <= latest else replace(entry, expires_at=latest)

    def entry(
        self,
        key: RouteKey,
        state: State,
        value: ActiveValue | None,
        revision: int,
        *,
        read_at: LocalTime,
        now: LocalTime,
        proven_at: PrimaryTime = UNPROVEN,
        tenant_revision: int = 0,
    ) -> Entry:
        """The entry for a value that was right at `read_at` (-inf: unknown) and arrived `now`.

        If its TTL is over already it expires `now`, and so can be served stale-if-error for the full time.
        """
        ttl = self.ttl(state)
        right_at = read_at if math.isfinite(read_at) else LocalTime(now - ttl)
        expires_at = max(now, LocalTime(right_at + ttl))
        return Entry(
            key,
            state,
            value,
            revision,
            right_at,
            expires_at,
            proven_at,
            tenant_revision=max(revision, tenant_revision),
        )
