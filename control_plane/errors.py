"""What can go wrong in the control plane, in its own words."""

from typing import Literal


class MigrationFailed(Exception):
    """The schema could not be brought up to date."""


class NoSuchTenant(Exception):
    """The tenant was never created."""

    def __init__(self, tenant: str) -> None:
        super().__init__(f"There is no tenant {tenant}. Create it with PUT /api/v1/tenants/{tenant}.")
        self.tenant = tenant


class NoSuchRoute(Exception):
    """The tenant exists, the route was never created."""

    def __init__(self, key: object) -> None:
        super().__init__(f"There is no route {key}. Create it with PUT and a url.")
        self.key = key


class TenantBusy(Exception):
    """Other changes of the tenant held it locked for too long."""

    def __init__(self, tenant: str) -> None:
        super().__init__(f"Other changes of tenant {tenant} are being committed; nothing was changed. Try again.")
        self.tenant = tenant


class TooManyChanges(Exception):
    """A change set beyond the limit. Nothing was written."""

    def __init__(self, changes: int, limit: int) -> None:
        super().__init__(f"A change set has at most {limit} changes, this one has {changes}. Split it.")


class NotPublished(Exception):
    """Kafka did not acknowledge everything. `reason` is one of a closed set, for metrics."""

    def __init__(self, reason: Literal["timeout", "unavailable", "rejected"], why: str) -> None:
        super().__init__(why)
        self.reason = reason


class LeadershipLost(Exception):
    """The relay's session is gone, and with it the right to publish."""


class TooManyWrites(Exception):
    """A tenant or a credential writes more than its share. `retry_after` in seconds."""

    def __init__(self, why: str, retry_after: float) -> None:
        super().__init__(
            f"{why[:1].upper()}{why[1:]}. Nothing was changed. Wait {retry_after:.3g} s, or write several "
            "routes in one change set."
        )
        self.retry_after = retry_after


class RouteQuotaReached(Exception):
    """The tenant cannot have so many routes. Nothing was written."""

    def __init__(self, tenant: str, routes: int, created: int, most: int) -> None:
        super().__init__(
            f"Tenant {tenant} has {routes} of at most {most} routes, active and inactive; {created} more do not fit. "
            "Nothing was changed. Put an inactive route to the new use, or have TM_TENANT_ROUTES raised."
        )
        self.tenant = tenant
