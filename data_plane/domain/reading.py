"""The result of reading one key from a database."""

import msgspec

from data_plane.domain.active_value import ActiveValue
from data_plane.domain.entry import Entry, State, TtlPolicy
from data_plane.domain.remote_clock import UNPROVEN, PrimaryTime
from shared.runtime.clock import LocalTime
from shared.schemas.identity import RouteKey


class Reading(msgspec.Struct, frozen=True, gc=False):
    """One key in one snapshot of the database.

    `tenant_revision` is the tenant's in the same snapshot (0: no such tenant). `read_at` (local): the snapshot was right
    at this time (-inf: the replica's lag is unknown). `proven_at`: the snapshot has every change that was acknowledged
    before this time of the primary.
    """

    key: RouteKey
    state: State
    value: ActiveValue | None
    revision: int
    tenant_revision: int
    read_at: LocalTime
    proven_at: PrimaryTime = UNPROVEN

    def entry(self, ttl_policy: TtlPolicy, now: LocalTime) -> Entry:
        """The entry to cache for this reading, which arrived `now`."""
        return ttl_policy.entry(
            self.key,
            self.state,
            self.value,
            self.revision,
            read_at=self.read_at,
            now=now,
            proven_at=self.proven_at,
            tenant_revision=self.tenant_revision,
        )
