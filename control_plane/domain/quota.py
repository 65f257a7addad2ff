"""How many routes a tenant may have."""

from collections.abc import Sequence

from control_plane.domain.changes import Outcome
from control_plane.errors import RouteQuotaReached
from shared.schemas.events import Action

DEFAULT_ROUTES = 100_000


def count_created(outcomes: Sequence[Outcome]) -> int:
    """How many routes a change set adds; routes are never removed."""
    return sum(each.change is not None and each.change.action is Action.CREATED for each in outcomes)


def keep_quota(tenant: str, routes: int, created: int, most: int) -> None:
    """Raises RouteQuotaReached when a tenant with so many routes cannot have so many more.

    A change set that creates none is never refused, also where the quota was lowered below what is there.
    """
    if created and routes + created > most:
        raise RouteQuotaReached(tenant, routes, created, most)
