"""What callers see of the control plane's errors."""

from control_plane.errors import (
    HistoryPurged,
    KeyReused,
    MassDeactivation,
    NoSuchKey,
    NoSuchRevision,
    NoSuchRoute,
    NoSuchRoutes,
    NoSuchTenant,
    PreconditionFailed,
    PropagationUnknown,
    RevertConflict,
    RevisionMismatch,
    RouteQuotaReached,
    TenantBusy,
    TooManyChanges,
    TooManyWaiting,
    TooManyWrites,
)
from shared.runtime.http.access import Connection
from shared.runtime.http.problems import SHARED_KINDS, Kind
from shared.runtime.resilience import DependencyUnavailable
from shared.schemas.validation import InvalidInput

KINDS: dict[type[Exception], Kind] = {
    NoSuchTenant: Kind(404, "no-such-tenant", "There is no such tenant"),
    NoSuchRoute: Kind(404, "no-such-route", "There is no such route"),
    NoSuchRoutes: Kind(404, "no-such-route", "There is no such route"),
    NoSuchKey: Kind(404, "no-such-key", "There is no such access key"),
    NoSuchRevision: Kind(404, "no-such-revision", "There is no such revision"),
    RevisionMismatch: Kind(409, "revision-mismatch", "The tenant was changed by others"),
    MassDeactivation: Kind(409, "mass-deactivation", "Too many routes would be deactivated"),
    RevertConflict: Kind(409, "revert-conflict", "Some of the routes were changed again since"),
    RouteQuotaReached: Kind(409, "route-quota-reached", "The tenant has as many routes as it may have"),
    HistoryPurged: Kind(410, "history-purged", "That history is no longer kept"),
    PreconditionFailed: Kind(412, "precondition-failed", "The route is not as the request demands"),
    TooManyChanges: Kind(413, "too-many-changes", "The change set is too large"),
    KeyReused: Kind(422, "idempotency-key-reused", "The idempotency key belongs to another request"),
    TooManyWrites: Kind(429, "too-many-writes", "The caller writes more often than it may", 1),
    TenantBusy: Kind(503, "tenant-busy", "The tenant is being changed by others", 1),
    PropagationUnknown: Kind(503, "propagation-unknown", "Where the change set is live is not known", 1),
    TooManyWaiting: Kind(503, "too-many-waiting", "Too many calls wait here", 1),
}

NOT_FOUND = Kind(404, "not-found", "There is no such tenant, or no such route or revision of it")
QUOTA_REACHED = KINDS[RouteQuotaReached]
INVALID = SHARED_KINDS[InvalidInput]
UNAVAILABLE = SHARED_KINDS[DependencyUnavailable]
PRECONDITION = KINDS[PreconditionFailed]
TOO_LARGE = KINDS[TooManyChanges]
KEY_REUSED = KINDS[KeyReused]


def absent_tenant(connection: Connection) -> NoSuchTenant:
    """What the caller of another tenant's path is told: what is said of one that was never created."""
    return NoSuchTenant(connection.path_params["tenant"])
