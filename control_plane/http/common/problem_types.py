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
from shared.runtime.http.authentication import Connection
from shared.runtime.http.problems import SHARED_PROBLEM_TYPES, ProblemType
from shared.runtime.resilience import DependencyUnavailable
from shared.schemas.validation import InvalidInput

PROBLEM_TYPES: dict[type[Exception], ProblemType] = {
    NoSuchTenant: ProblemType(404, "no-such-tenant", "There is no such tenant"),
    NoSuchRoute: ProblemType(404, "no-such-route", "There is no such route"),
    NoSuchRoutes: ProblemType(404, "no-such-route", "There is no such route"),
    NoSuchKey: ProblemType(404, "no-such-key", "There is no such access key"),
    NoSuchRevision: ProblemType(404, "no-such-revision", "There is no such revision"),
    RevisionMismatch: ProblemType(409, "revision-mismatch", "The tenant was changed by others"),
    MassDeactivation: ProblemType(409, "mass-deactivation", "Too many routes would be deactivated"),
    RevertConflict: ProblemType(409, "revert-conflict", "Some of the routes were changed again since"),
    RouteQuotaReached: ProblemType(409, "route-quota-reached", "The tenant has as many routes as it may have"),
    HistoryPurged: ProblemType(410, "history-purged", "That history is no longer kept"),
    PreconditionFailed: ProblemType(412, "precondition-failed", "The route is not as the request demands"),
    TooManyChanges: ProblemType(413, "too-many-changes", "The change set is too large"),
    KeyReused: ProblemType(422, "idempotency-key-reused", "The idempotency key belongs to another request"),
    TooManyWrites: ProblemType(429, "too-many-writes", "The caller writes more often than it may", 1),
    TenantBusy: ProblemType(503, "tenant-busy", "The tenant is being changed by others", 1),
    PropagationUnknown: ProblemType(503, "propagation-unknown", "Where the change set is live is not known", 1),
    TooManyWaiting: ProblemType(503, "too-many-waiting", "Too many calls wait here", 1),
}

NOT_FOUND = ProblemType(404, "not-found", "There is no such tenant, or no such route or revision of it")
QUOTA_REACHED = PROBLEM_TYPES[RouteQuotaReached]
INVALID = SHARED_PROBLEM_TYPES[InvalidInput]
UNAVAILABLE = SHARED_PROBLEM_TYPES[DependencyUnavailable]
PRECONDITION = PROBLEM_TYPES[PreconditionFailed]
TOO_LARGE = PROBLEM_TYPES[TooManyChanges]
KEY_REUSED = PROBLEM_TYPES[KeyReused]


def tenant_not_found(connection: Connection) -> NoSuchTenant:
    """What the caller of another tenant's path is told: what is said of one that was never created."""
    return NoSuchTenant(connection.path_params["tenant"])
