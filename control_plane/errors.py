"""What can go wrong in the control plane, in its own words."""

from collections.abc import Mapping, Sequence
from typing import Literal

from shared.runtime.background import Interrupted
from shared.schemas.validation import FieldError


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


class NoSuchKey(Exception):
    """There is no such access key, or it was revoked, or a new secret is wanted of one that has expired."""

    def __init__(self, key_id: str) -> None:
        super().__init__(f"There is no access key {key_id} here that could still be used.")
        self.key_id = key_id


class RequestRepeated(Exception):
    """The request was carried out before, under the same idempotency key; `response` was recorded then."""

    def __init__(self, response: object) -> None:
        super().__init__("The request was carried out before; its recorded response is sent again.")
        self.response = response


class NoSuchRoutes(NoSuchRoute):
    """Routes of a change set were never created; each by its place in the list of changes."""

    def __init__(self, missing: Mapping[int, object]) -> None:
        super().__init__(", ".join(map(str, missing.values())) if len(missing) < 4 else f"for {len(missing)} changes")
        self.errors = tuple(
            FieldError(f"/changes/{place}", f"there is no route {key}; create it with op put and a url")
            for place, key in missing.items()
        )


class NoSuchRevision(Exception):
    """The tenant has not come to that revision."""

    def __init__(self, tenant: str, revision: int, last: int) -> None:
        super().__init__(f"Tenant {tenant} has no revision {revision}; its last one is {last}.")


class HistoryPurged(Exception):
    """That part of a tenant's history is no longer kept. `oldest` is the first revision that can be asked for."""

    def __init__(self, tenant: str, revision: int, oldest: int) -> None:
        super().__init__(
            f"Revision {revision} of tenant {tenant} is no longer kept; the oldest available is {oldest}. The audit "
            "trail goes back further."
        )
        self.oldest = oldest


class PreconditionFailed(Exception):
    """A single route is not as If-Match or If-None-Match demands. `revision` is the one it stands at, None: absent."""

    def __init__(self, key: object, revision: int | None) -> None:
        stands = "was never created" if revision is None else f"stands at revision {revision}"
        super().__init__(f"Route {key} {stands}, which the request's precondition excludes. Read it and decide anew.")
        self.revision = revision


class PlanRefused(Exception):
    """A change set that was not committed; `plan` says what it would do now."""

    def __init__(self, message: str, plan: object) -> None:
        super().__init__(f"{message} Nothing was changed.")
        self.plan = plan


class RevisionMismatch(PlanRefused):
    """The tenant is not at the revision that the caller expects."""

    def __init__(self, tenant: str, expected: int | None, actual: int, plan: object) -> None:
        super().__init__(
            f"Tenant {tenant} is at revision {actual}, not at {expected}: somebody else has changed it. "
            f"Look at the plan, and apply with expected_revision {actual} if it is still what you want.",
            plan,
        )


class MassDeactivation(PlanRefused):
    """A desired set that leaves out more routes than a slip may cost."""

    def __init__(self, tenant: str, gone: int, active: int, percent: int, plan: object) -> None:
        super().__init__(
            f"This would deactivate {gone} of the {active} active routes of tenant {tenant}, more than {percent} %. "
            "If that is meant, say allow_mass_deactivation.",
            plan,
        )


class RevertConflict(PlanRefused):
    """Routes of the change set to undo were changed after it. `conflicts`: their keys, and the revision that did."""

    def __init__(self, tenant: str, revision: int, conflicts: Sequence[tuple[object, int]], plan: object) -> None:
        super().__init__(
            f"Of the routes that revision {revision} of tenant {tenant} changed, {len(conflicts)} changed again "
            "since; `conflicts` names them. Say force to overwrite these too.",
            plan,
        )
        self.conflicts = conflicts


class RouteQuotaReached(PlanRefused):
    """The tenant cannot have so many routes."""

    def __init__(self, tenant: str, routes: int, created: int, most: int, plan: object) -> None:
        super().__init__(
            f"Tenant {tenant} has {routes} of at most {most} routes, active and inactive; {created} more do not fit. "
            "Put an inactive route to the new use, or have TM_TENANT_ROUTE_QUOTA raised.",
            plan,
        )


class KeyReused(Exception):
    """An Idempotency-Key that came with another request before."""

    def __init__(self, key: str) -> None:
        super().__init__(
            f"Idempotency-Key {key} was used for a request that differs from this one, less than 24 hours ago. "
            "Nothing was changed. Use a new key for each new request."
        )


class TenantBusy(Exception):
    """Other changes of the tenant held it locked for too long."""

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


class NotPublished(Exception):
    """Kafka did not acknowledge everything. `reason` is one of a closed set, for metrics."""

    def __init__(self, reason: Literal["timeout", "unavailable", "rejected"], why: str) -> None:
        super().__init__(why)
        self.reason = reason


class LeadershipLost(Interrupted):
    """The relay's session is gone, and with it the right to publish."""


class TooManyWrites(Exception):
    """A tenant or a credential writes more than its share. `retry_after` in seconds."""

    def __init__(self, why: str, retry_after: float) -> None:
        super().__init__(
            f"{why[:1].upper()}{why[1:]}. Nothing was changed. Wait {retry_after:.3g} s, or write several "
            "routes in one change set."
        )
        self.retry_after = retry_after


class ReportsInterrupted(Interrupted):
    """The resolver processes' status reports cannot be read now."""


class PropagationUnknown(Exception):
    """Nobody can tell now which resolvers have applied a change set."""

    def __init__(self, tenant: str, revision: int, *, published: bool) -> None:
        where = "It is in Kafka" if published else "It is committed, and not known to be in Kafka yet"
        super().__init__(
            f"Which resolvers have applied revision {revision} of tenant {tenant} is not known: their reports in Kafka "
            f"cannot be read at the moment. {where}; resolvers that do not hear it answer with it one life of an entry "
            "later at most. Ask again."
        )


class TooManyWaiting(Exception):
    """As many calls wait for change sets to become live as this process lets wait."""

    def __init__(self, waiting: int) -> None:
        super().__init__(f"{waiting} calls are waiting here already. Ask without wait, or again later.")
