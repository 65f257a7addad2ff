"""The result of reading all routes of a tenant from a database."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from data_plane.domain.active_value import ActiveValue
from data_plane.domain.remote_clock import UNPROVEN, PrimaryTime
from shared.runtime.clock import NEVER, LocalTime


class ActiveRoute(NamedTuple):
    """An active route, its value, and the revision that last changed it."""

    service: str
    env: str
    version: str
    value: ActiveValue
    revision: int


@dataclass(frozen=True, slots=True)
class TenantReading:
    """Every active route of a tenant at exactly `revision`, from one snapshot of the database.

    `slices`: the routes by service, environment and version, some at a time; read once, while the reading is open.
    `proven_at`: the snapshot has every change that was acknowledged before this time of the primary. `newest_at` (local):
    no newer change was committed at this time; only a reading of the primary has it (NEVER: unknown).
    """

    tenant: str
    revision: int
    slices: AsyncIterator[Sequence[ActiveRoute]]
    proven_at: PrimaryTime = UNPROVEN
    newest_at: LocalTime = NEVER
