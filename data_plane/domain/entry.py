"""Cached knowledge of a route: its value, its revision, and how long it may be used."""

import math
from dataclasses import dataclass
from enum import IntEnum

import msgspec
from msgspec.structs import replace

from data_plane.domain.remote_clock import UNPROVEN, PrimaryTime
from shared.runtime.clock import LocalTime
from shared.schemas.identity import RouteKey


class State(IntEnum):
    """What a route is. The numbers are stored in Redis."""

    __hash__ = int.__hash__  # An enum's own is a call of Python code for every entry stored.

    ABSENT = 0
    """Never created."""
    INACTIVE = 1
    """Soft-deleted: a tombstone."""
    ACTIVE = 2


# No cycle can lead through it, and most live shortly: the garbage collector need not know of them.
class Entry(msgspec.Struct, frozen=True, gc=False):
    """Knowledge of one key.

    `revision`: of an active or inactive route, the one that last changed it; of an absent one, the tenant's revision up
    to which it was never created (0: the tenant is unknown). Rows are never deleted, so of two entries for a key the
    one with the higher revision is always the newer one.

    `read_at` (local): the entry was right then. `expires_at` (local): until then it is served without a load. It is kept
    for longer, so that nothing older is accepted, and to be served while every source fails.

    `proven_at` is the primary's time up to which its source has shown the entry to be right (UNPROVEN: it could not),
    `tenant_revision` the tenant's revision it was right at. Neither depends on the local clock.
    """

    key: RouteKey
    state: State
    url: str | None
    revision: int
    read_at: LocalTime
    expires_at: LocalTime
    proven_at: PrimaryTime = UNPROVEN
    tenant_revision: int = 0

    def __post_init__(self) -> None:
        if (self.url is not None) != (self.state is State.ACTIVE):
            raise ValueError(
                f"{self.key}: an active route has a URL and no other has; got {self.state!r}, {self.url!r}"
            )

    @property
    def is_active(self) -> bool:
        return self.state is State.ACTIVE

    def has_same_value(self, other: "Entry") -> bool:
        """Whether both hold the same value of the same revision."""
        return (self.revision, self.state, self.url) == (other.revision, other.state, other.url)


def newest(held: Entry, offered: Entry) -> Entry:
    """What is known of a key after both were heard of, in whatever order.

    The higher revision wins. Two readings of one revision add up: right as of the later one, for as long as either
    allows. (One revision with two values can only follow a restore of the database; the later expiry wins then.)
    """
    if held.revision != offered.revision:
        return held if held.revision > offered.revision else offered
    if held == offered:  # mostly the same reading, looked at again
        return held
    if not held.has_same_value(offered):
        return held if held.expires_at >= offered.expires_at else offered
    merged = replace(
        held,
        read_at=max(held.read_at, offered.read_at),
        expires_at=max(held.expires_at, offered.expires_at),
        proven_at=max(held.proven_at, offered.proven_at),
        tenant_revision=max(held.tenant_revision, offered.tenant_revision),
    )
    return held if merged == held else merged


@dataclass(frozen=True, slots=True)
class TtlPolicy:
    """How long knowledge lives, in seconds since it was right, and how long past that it is kept."""

    positive: float = 60.0
    negative: float = 10.0
    max_stale: float = 3600.0

    def of(self, state: State) -> float:
        return self.positive if state is State.ACTIVE else self.negative

    def cap(self, entry: Entry) -> Entry:
        """The entry of another instance, which may have been told to let entries live longer than this one."""
        latest = LocalTime(entry.read_at + self.of(entry.state))
        return entry if entry.expires_at <= latest else replace(entry, expires_at=latest)

    def entry(
        self,
        key: RouteKey,
        state: State,
        url: str | None,
        revision: int,
        *,
        read_at: LocalTime,
        now: LocalTime,
        proven_at: PrimaryTime = UNPROVEN,
        tenant_revision: int = 0,
    ) -> Entry:
        """The entry for a value that was right at `read_at` (-inf: nobody knows when) and is heard of `now`.

        It expires at once when its life is over already, and so can still be kept for `max_stale` from now.
        """
        life = self.of(state)
        known_since = read_at if math.isfinite(read_at) else LocalTime(now - life)
        expires_at = max(now, LocalTime(known_since + life))
        return Entry(
            key,
            state,
            url,
            revision,
            known_since,
            expires_at,
            proven_at,
            tenant_revision=max(revision, tenant_revision),
        )
