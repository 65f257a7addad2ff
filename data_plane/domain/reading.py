"""What a database said about a key."""

import math

import msgspec

from data_plane.domain.entry import Entry, State, TtlPolicy
from shared.schemas.identity import RouteKey


class Reading(msgspec.Struct, frozen=True, gc=False):
    """One key in one snapshot of the database.

    `tenant_revision` is the tenant's in the same snapshot (0: no such tenant); `as_of` is when the snapshot was right,
    in seconds of the local monotonic clock (-inf: it is not known how far the replica lags). `proven_as_of` is a time of
    the primary's clock: whatever was acknowledged before it is in the snapshot.
    """

    key: RouteKey
    state: State
    url: str | None
    revision: int
    tenant_revision: int
    as_of: float
    proven_as_of: float = -math.inf

    def entry(self, lives: TtlPolicy, now: float) -> Entry:
        """What is known by this reading, `now` that it came."""
        return lives.entry(
            self.key,
            self.state,
            self.url,
            self.revision,
            as_of=self.as_of,
            now=now,
            proven_as_of=self.proven_as_of,
            tenant_revision=self.tenant_revision,
        )
