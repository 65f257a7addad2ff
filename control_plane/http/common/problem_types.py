"""The problem type of each of the control plane's errors."""

from control_plane.errors import (
    EventTooLarge,
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
    RecordedResponsesFull,
    RevertConflict,
    RevisionMismatch,
    RouteQuotaReached,
    TenantBusy,
    TooManyChanges,
    TooManyRoutes,
    TooManyWaiting,
    TooManyWaitingOfTenant,
    TooManyWrites,
)
from shared.runtime.http.authentication import Connection
from shared.runtime.http.problems import ProblemType

PROBLEM_TYPES: dict[type[Exception], ProblemType] = {
    NoSuchTenant: ProblemType(404, "no-such-tenant", "Tenant not found"),
    NoSuchRoute: ProblemType(404, "no-such-route", "Route not found"),
    NoSuchRoutes: ProblemType(404, "no-such-route", "Route not found"),
    NoSuchKey: ProblemType(404, "no-such-key", "Access key not found"),
    NoSuchRevision: ProblemType(404, "no-such-revision", "Revision not found"),
    RevisionMismatch: ProblemType(409, "revision-mismatch", "Revision mismatch"),
    MassDeactivation: ProblemType(409, "mass-deactivation", "Mass deactivation not allowed"),
    RevertConflict: ProblemType(409, "revert-conflict", "Revert conflict"),
    RouteQuotaReached: ProblemType(409, "route-quota-reached", "Route quota reached"),
    HistoryPurged: ProblemType(410, "history-purged", "History purged"),
    PreconditionFailed: ProblemType(412, "precondition-failed", "Precondition failed"),
    TooManyChanges: ProblemType(413, "too-many-changes", "Too many changes"),
    EventTooLarge: ProblemType(413, "event-too-large", "Change set too large"),
    TooManyRoutes: ProblemType(413, "too-many-routes", "Too many routes"),
    KeyReused: ProblemType(422, "idempotency-key-reused", "Idempotency key reused"),
    TooManyWrites: ProblemType(429, "too-many-writes", "Write rate limit exceeded", 1),
    RecordedResponsesFull: ProblemType(429, "recorded-responses-full", "Too many recorded responses", 3600),
    TenantBusy: ProblemType(503, "tenant-busy", "Tenant busy", 1),
    PropagationUnknown: ProblemType(503, "propagation-unknown", "Propagation unknown", 1),
    TooManyWaitingOfTenant: ProblemType(429, "too-many-waiting", "Too many waiting requests", 1),
    TooManyWaiting: ProblemType(503, "too-many-waiting", "Too many waiting requests", 1),
}

NOT_FOUND = ProblemType(404, "not-found", "Tenant, route or revision not found")
QUOTA_REACHED = PROBLEM_TYPES[RouteQuotaReached]
PRECONDITION = PROBLEM_TYPES[PreconditionFailed]
TOO_LARGE = PROBLEM_TYPES[TooManyChanges]
KEY_REUSED = PROBLEM_TYPES[KeyReused]


def tenant_not_found(connection: Connection) -> NoSuchTenant:
    """The error for a path of another tenant: the same as for a tenant that was never created."""
    return NoSuchTenant(connection.path_params["tenant"])
