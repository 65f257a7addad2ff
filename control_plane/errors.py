"""Errors of the control plane's use cases. Each message says what failed, for which key, and what to do next."""

from collections.abc import Mapping, Sequence
from typing import Literal

from shared.runtime.background import Interrupted
from shared.schemas.validation import FieldError


class MigrationFailed(Exception):
    """The schema could not be migrated."""


class SchemaChanged(Exception):
    """A migration changed the schema under a prepared statement. Nothing was written; the next attempt prepares it anew."""


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


class NoSuchKey(Exception):
    """The access key does not exist, is revoked, or has expired and is to be rotated."""

    def __init__(self, key_id: str) -> None:
        super().__init__(
            f"There is no usable access key {key_id} here: it does not exist, is revoked or has expired. Create a new key."
        )
        self.key_id = key_id


class RequestRepeated(Exception):
    """The request was carried out before, under the same idempotency key; `response` was recorded then."""

    def __init__(self, response: object) -> None:
        super().__init__("The request was carried out before; its recorded response is sent again.")
        self.response = response


class NoSuchRoutes(NoSuchRoute):
    """Routes of a change set that were never created, by their index in the list of changes."""

    def __init__(self, missing: Mapping[int, object]) -> None:
        super().__init__(", ".join(map(str, missing.values())) if len(missing) < 4 else f"for {len(missing)} changes")
        self.errors = tuple(
            FieldError(f"/changes/{index}", f"there is no route {key}; create it with op put and a url")
            for index, key in missing.items()
        )


class NoSuchRevision(Exception):
    """The tenant has not reached that revision."""

    def __init__(self, tenant: str, revision: int, last: int) -> None:
        super().__init__(f"Tenant {tenant} has no revision {revision}; its last one is {last}. Request one up to that.")


class HistoryPurged(Exception):
    """That part of a tenant's history is no longer kept. `oldest` is the first revision that is."""

    def __init__(self, tenant: str, revision: int, oldest: int) -> None:
        super().__init__(
            f"Revision {revision} of tenant {tenant} is no longer kept; the oldest available is {oldest}. The audit "
            "trail goes back further."
        )
        self.oldest = oldest


class PreconditionFailed(Exception):
    """A single route does not meet If-Match or If-None-Match. `revision` is its current one; None: never created."""

    def __init__(self, key: object, revision: int | None) -> None:
        current = "was never created" if revision is None else f"is at revision {revision}"
        super().__init__(
            f"Route {key} {current}, which does not meet the request's precondition. Read the route, and send the request "
            "again with its current ETag if the change is still wanted."
        )
        self.revision = revision


class PlanRefused(Exception):
    """A change set that was refused and not committed; `plan` is its effect on the current state."""

    def __init__(self, message: str, plan: object) -> None:
        super().__init__(f"{message} Nothing was changed.")
        self.plan = plan


class RevisionMismatch(PlanRefused):
    """The tenant is not at the expected revision."""

    def __init__(self, tenant: str, expected: int | None, actual: int, plan: object) -> None:
        super().__init__(
            f"Tenant {tenant} is at revision {actual}, not at {expected}: other change sets were committed since. "
            f"Check the plan, and apply with expected_revision {actual} if it is still what you want.",
            plan,
        )


class MassDeactivation(PlanRefused):
    """A change set that would deactivate a large share of the tenant's active routes."""

    def __init__(self, tenant: str, deactivated: int, active: int, percent: int, plan: object) -> None:
        super().__init__(
            f"This would deactivate {deactivated} of the {active} active routes of tenant {tenant}, more than {percent} %. "
            "If that is intended, set allow_mass_deactivation.",
            plan,
        )


class RevertConflict(PlanRefused):
    """Routes of the reverted change set were changed after it. `conflicts`: their keys and current revisions."""

    def __init__(self, tenant: str, revision: int, conflicts: Sequence[tuple[object, int]], plan: object) -> None:
        super().__init__(
            f"Of the routes that revision {revision} of tenant {tenant} changed, {len(conflicts)} changed again "
            "since; `conflicts` lists them. Set force to overwrite these, too.",
            plan,
        )
        self.conflicts = conflicts


class RouteQuotaReached(PlanRefused):
    """The change set would exceed the tenant's quota of routes."""

    def __init__(self, tenant: str, routes: int, created: int, quota: int, plan: object) -> None:
        super().__init__(
            f"Tenant {tenant} has {routes} of at most {quota} routes, active and inactive; {created} more do not fit. "
            "Reuse an inactive route, or raise TM_TENANT_ROUTE_QUOTA.",
            plan,
        )


class KeyReused(Exception):
    """An Idempotency-Key that was used for a different request before."""

    def __init__(self, key: str) -> None:
        super().__init__(
            f"Idempotency-Key {key} was used for a request that differs from this one, less than 24 hours ago. "
            "Nothing was changed. Use a new key for each new request."
        )


class RecordedResponsesFull(Exception):
    """The recorded responses of a tenant, or of the platform, hold as many bytes as they may."""

    def __init__(self, recorded: int, limit: int) -> None:
        super().__init__(
            f"The responses recorded here under idempotency keys hold {recorded} of at most {limit} bytes "
            "(TM_TENANT_RECORDED_BYTES), and this one does not fit. Nothing was changed. Responses are removed after 24 hours. "
            "Send the request again later, or without Idempotency-Key."
        )


class TenantBusy(Exception):
    """Other change sets held the tenant's lock for too long."""

    def __init__(self, tenant: str) -> None:
        super().__init__(f"Other changes of tenant {tenant} are being committed; nothing was changed. Try again.")
        self.tenant = tenant


class TooManyChanges(Exception):
    """A change set beyond the limit. Nothing was written."""

    def __init__(self, changes: int, limit: int) -> None:
        super().__init__(
            f"A change set has at most {limit} changes, this one has {changes}. Nothing was changed. Split it: send the "
            f"changes in several requests, a desired set one service or env at a time (?service=, ?env=), and undo by "
            "reverting to revisions in between."
        )


class EventTooLarge(Exception):
    """A change set whose event Kafka would refuse. Nothing was written. `size` and `limit` are bytes."""

    def __init__(self, tenant: str, changes: int, size: int, limit: int) -> None:
        super().__init__(
            f"The {changes} changes of tenant {tenant} make an event of {size} bytes, with their names, their URLs before "
            f"and after, and the reason; the limit is {limit} bytes. Nothing was changed. Send the changes in several "
            "requests, or shorten the URLs."
        )
        self.size = size
        self.limit = limit


class TooManyRoutes(Exception):
    """A desired set beyond the limit. Nothing was read."""

    def __init__(self, routes: int, limit: int) -> None:
        super().__init__(
            f"A desired set has at most {limit} routes, this one has {routes}. Nothing was changed. Send one service or env "
            "at a time (?service=, ?env=), or raise TM_MAX_DESIRED_ROUTES."
        )


class NotPublished(Exception):
    """Kafka as a whole did not respond. `reason` is one of a closed set, for metrics."""

    def __init__(self, reason: Literal["timeout", "unavailable"], why: str) -> None:
        super().__init__(why)
        self.reason = reason


class LeadershipLost(Interrupted):
    """The relay's session has ended, and with it the right to publish."""


class TooManyWrites(Exception):
    """A tenant or a credential exceeds its write limit. `retry_after`: seconds until its next write is admitted."""

    def __init__(self, why: str, retry_after: float) -> None:
        super().__init__(
            f"{why[:1].upper()}{why[1:]}. Nothing was changed. Wait {retry_after:.3g} s, or write several "
            "routes in one change set."
        )
        self.retry_after = retry_after


class ReportsInterrupted(Interrupted):
    """The resolver processes' status reports cannot be read now."""


class PropagationUnknown(Exception):
    """It is unknown now which resolvers have applied a change set."""

    def __init__(self, tenant: str, revision: int, *, published: bool) -> None:
        where = "It is in Kafka" if published else "It is committed, and not yet known to be in Kafka"
        super().__init__(
            f"Which resolvers have applied revision {revision} of tenant {tenant} is not known: their reports in Kafka "
            f"cannot be read at the moment. {where}; a resolver that does not receive the event serves the change after one "
            "TTL at most. Retry."
        )


class TooManyWaiting(Exception):
    """This process has as many waiting propagation calls as it accepts."""

    def __init__(self, waiting: int) -> None:
        super().__init__(
            f"{waiting} propagation calls are already waiting in this process. Retry without `wait`, or later."
        )


class TooManyWaitingOfTenant(Exception):
    """The tenant's propagation calls hold their share of the places for waiting calls; the rest is for other tenants."""

    def __init__(self, tenant: str, waiting: int) -> None:
        super().__init__(
            f"{waiting} propagation calls for tenant {tenant} are already waiting in this process, as many as one tenant may "
            "have now. Retry without `wait`, or later."
        )
