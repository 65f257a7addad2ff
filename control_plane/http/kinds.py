"""What callers see of the control plane's errors."""

from control_plane.errors import NoSuchKey, NoSuchRoute, NoSuchTenant, TenantBusy, TooManyChanges
from shared.runtime.http.access import Connection
from shared.runtime.http.problems import SHARED_KINDS, Kind
from shared.runtime.resilience import DependencyUnavailable
from shared.schemas.validation import InvalidInput

KINDS: dict[type[Exception], Kind] = {
    NoSuchTenant: Kind(404, "no-such-tenant", "There is no such tenant"),
    NoSuchRoute: Kind(404, "no-such-route", "There is no such route"),
    NoSuchKey: Kind(404, "no-such-key", "There is no such access key"),
    TooManyChanges: Kind(413, "too-many-changes", "The change set is too large"),
    TenantBusy: Kind(503, "tenant-busy", "The tenant is being changed by others", 1),
}

NOT_FOUND = Kind(404, "not-found", "There is no such tenant, or no such route of it")
INVALID = SHARED_KINDS[InvalidInput]
UNAVAILABLE = SHARED_KINDS[DependencyUnavailable]


def absent_tenant(connection: Connection) -> NoSuchTenant:
    """What the caller of another tenant's path is told: what is said of one that was never created."""
    return NoSuchTenant(connection.path_params["tenant"])
