"""How many routes a tenant may have."""

from control_plane.domain.plans import Plan
from control_plane.errors import RouteQuotaReached

DEFAULT_ROUTES = 100_000


def keep_quota(plan: Plan, routes: int, most: int) -> Plan:
    """The plan, for a tenant that has so many routes. Raises RouteQuotaReached when those it adds are too many.

    A plan that adds none is never refused, also where the quota was lowered below what is there.
    """
    if plan.created and routes + plan.created > most:
        raise RouteQuotaReached(plan.tenant, routes, plan.created, most, plan)
    return plan
