"""What callers see of the control plane's errors."""

from control_plane.errors import (
    NoSuchRoute,
    NoSuchTenant,
    RouteQuotaReached,
    TenantBusy,
    TooManyChanges,
    TooManyWrites,
)
from shared.runtime.http.problems import SHARED_KINDS, Kind
from shared.runtime.resilience import DependencyUnavailable
from shared.schemas.validation import InvalidInput

KINDS: dict[type[Exception], Kind] = {
    NoSuchTenant: Kind(404, "no-such-tenant", "There is no such tenant"),
    NoSuchRoute: Kind(404, "no-such-route", "There is no such route"),
    TooManyChanges: Kind(413, "too-many-changes", "The change set is too large"),
    RouteQuotaReached: Kind(409, "route-quota-reached", "The tenant has as many routes as it may have"),
    TooManyWrites: Kind(429, "too-many-writes", "The caller writes more often than it may", 1),
    TenantBusy: Kind(503, "tenant-busy", "The tenant is being changed by others", 1),
}

NOT_FOUND = Kind(404, "not-found", "There is no such tenant, or no such route of it")
QUOTA_REACHED = KINDS[RouteQuotaReached]
INVALID = SHARED_KINDS[InvalidInput]
UNAVAILABLE = SHARED_KINDS[DependencyUnavailable]
