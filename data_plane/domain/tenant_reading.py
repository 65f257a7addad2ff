"""What a database said about all of a tenant."""

from dataclasses import dataclass
from typing import NamedTuple

from data_plane.domain.remote_clock import UNPROVEN, PrimaryTime
from shared.runtime.clock import NEVER, LocalTime


class ActiveRoute(NamedTuple):
    """A route that is answered, and the revision that last changed it."""

    service: str
    env: str
    version: str
    url: str
    revision: int


@dataclass(frozen=True, slots=True)
class TenantReading:
    """Every active route of a tenant at exactly `revision`, from one snapshot of the database.

    `proven_at` is a time of the primary's clock: whatever was acknowledged before it is in the snapshot (-inf: not
    known). `newest_at` is a moment of the local monotonic clock at which nothing newer was committed; only the primary
    can tell one (-inf: it was not asked).
    """

    tenant: str
    revision: int
    routes: tuple[ActiveRoute, ...]
    proven_at: PrimaryTime = UNPROVEN
    newest_at: LocalTime = NEVER
