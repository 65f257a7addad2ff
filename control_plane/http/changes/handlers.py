"""Changes of many routes together: change sets, desired sets and reverts."""

from collections.abc import Callable
from functools import partial
from typing import Any

from litestar import Response, post, put
from litestar.handlers import HTTPRouteHandler
from litestar.params import RawBody

from control_plane.domain.requests import ChangeRequest
from control_plane.domain.route_url import UrlRules
from control_plane.errors import HistoryPurged, RevisionMismatch
from control_plane.http.changes.parsing import (
    accept_change_set,
    accept_desired_set,
    accept_revert,
    accept_revert_to,
)
from control_plane.http.changes.payloads import (
    EXAMPLE_CHANGE_SET,
    EXAMPLE_DESIRED_SET,
    EXAMPLE_PLAN,
    ChangeSetBody,
    DesiredSetBody,
    MassChangeOptions,
    RevertOptions,
    ScopeQuery,
    plan_response,
)
from control_plane.http.common.idempotency import IDEMPOTENCY_PARAMETERS, REPLAYED
from control_plane.http.common.parsing import AnyRequest
from control_plane.http.common.problem_details import PLAN_PROBLEM_HANDLERS, PlanProblem, PurgedProblem
from control_plane.http.common.problem_types import KEY_REUSED, NOT_FOUND, PROBLEM_TYPES, TOO_LARGE
from control_plane.http.common.request_fields import RevisionNumber, TenantName
from control_plane.http.common.responses import TENANT_ETAG, TENANT_REVISION, example_response, respond_to_change
from control_plane.service.change_sets import ChangeSetService
from shared.runtime.http.openapi.operations import with_body
from shared.runtime.http.openapi.problems import problem_responses
from shared.runtime.http.problems import DEPENDENCY_UNAVAILABLE, INVALID_INPUT
from shared.runtime.off_loop import LONG_BODY_BYTES, off_loop

_TENANT = "/api/v1/tenants/{tenant:str}"
_PLANNED = {
    200: example_response("The committed plan, or the plan of a dry run", EXAMPLE_PLAN),
    **problem_responses(INVALID_INPUT, NOT_FOUND, TOO_LARGE, DEPENDENCY_UNAVAILABLE),
    **problem_responses(PROBLEM_TYPES[RevisionMismatch], body=PlanProblem, plan=EXAMPLE_PLAN),
}
_APPLIED = {**_PLANNED, **problem_responses(KEY_REUSED)}
_REVERTED = {**_APPLIED, **problem_responses(PROBLEM_TYPES[HistoryPurged], body=PurgedProblem, oldest_revision=41)}


def _options(operation: str, *, repeatable: bool = True) -> dict[str, Any]:
    """The decorator arguments that the handlers have in common. `repeatable`: accepts an idempotency key."""
    return {
        "status_code": 200,
        "tags": ["Changes"],
        "opt": {"operation": operation},
        "response_headers": [TENANT_ETAG, TENANT_REVISION, *([REPLAYED] if repeatable else [])],
        "exception_handlers": PLAN_PROBLEM_HANDLERS,
    }


def change_handlers(changes: ChangeSetService, rules: UrlRules, max_desired_routes: int) -> list[HTTPRouteHandler]:
    """The handlers that apply change sets and desired sets, and revert change sets."""

    async def carry_out(change: ChangeRequest) -> Response[bytes]:
        return respond_to_change(await changes.carry_out(change), plan_response)

    @post(
        f"{_TENANT}/changes",
        summary="Apply up to 500 changes atomically",
        operation_class=with_body(
            ChangeSetBody,
            required=True,
            headers=IDEMPOTENCY_PARAMETERS,
            move=EXAMPLE_CHANGE_SET,
            plan={**EXAMPLE_CHANGE_SET, "dry_run": True},
        ),
        responses=_APPLIED,
        **_options("changes.apply"),
    )
    async def apply_changes(request: AnyRequest, tenant: TenantName, body: RawBody) -> Response[bytes]:
        """One transaction, one revision and one event: each resolver applies all of the changes or none.

        `dry_run` returns the plan without committing it. Send the plan's `base_revision` as `expected_revision` to commit
        exactly that plan: after a change in between the response is a 409 with the new plan.
        """
        change = await _parsed(tenant, body, partial(accept_change_set, request, tenant, body, rules))
        return await carry_out(change)

    @put(
        f"{_TENANT}/routes",
        summary="Replace the tenant's routes by a desired set",
        operation_class=with_body(
            DesiredSetBody,
            required=True,
            query=ScopeQuery,
            whole=EXAMPLE_DESIRED_SET,
            plan={**EXAMPLE_DESIRED_SET, "dry_run": True},
        ),
        responses=_PLANNED,
        **_options("routes.replace", repeatable=False),
    )
    async def replace_routes(request: AnyRequest, tenant: TenantName, body: RawBody) -> Response[bytes]:
        """Creates and updates the listed routes and deactivates all others, within `service` and `env` where given.

        A desired set has at most 20,000 routes (a setting), of which at most 500 may change. Deactivating more than 20 % of the tenant's active routes requires
        `allow_mass_deactivation`.
        """
        accept = partial(accept_desired_set, request, tenant, body, rules, max_desired_routes)
        return await carry_out(await _parsed(tenant, body, accept))

    @post(
        f"{_TENANT}/changes/{{revision:str}}/revert",
        summary="Revert one change set",
        operation_class=with_body(
            RevertOptions, required=False, headers=IDEMPOTENCY_PARAMETERS, with_reason={"reason": "v2 fails"}, empty={}
        ),
        responses=_REVERTED,
        **_options("changes.revert"),
    )
    async def revert_changes(
        request: AnyRequest, tenant: TenantName, revision: RevisionNumber, body: RawBody
    ) -> Response[bytes]:
        """Commits a change set that restores its routes' previous values and deactivates the routes that it created.

        A 409 lists the routes that changed again after it; `force` overwrites them.
        """
        return await carry_out(accept_revert(request, tenant, revision, body))

    @post(
        f"{_TENANT}/revert-to/{{revision:str}}",
        summary="Revert to a revision",
        operation_class=with_body(
            MassChangeOptions,
            required=False,
            headers=IDEMPOTENCY_PARAMETERS,
            plan={"reason": "as on Friday", "dry_run": True},
            empty={},
        ),
        responses=_REVERTED,
        **_options("changes.revert"),
    )
    async def revert_to(
        request: AnyRequest, tenant: TenantName, revision: RevisionNumber, body: RawBody
    ) -> Response[bytes]:
        """Commits one change set that restores every route as of the revision and deactivates routes created after it.

        Deactivating more than 20 % of the tenant's active routes requires `allow_mass_deactivation`.
        """
        return await carry_out(accept_revert_to(request, tenant, revision, body))

    return [apply_changes, replace_routes, revert_changes, revert_to]


async def _parsed(tenant: str, body: bytes, accept: Callable[[], ChangeRequest]) -> ChangeRequest:
    """The change in a body. A long one is parsed off the loop."""
    return accept() if len(body) < LONG_BODY_BYTES else await off_loop(tenant, accept)
