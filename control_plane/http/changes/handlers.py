"""The handlers that change many routes as one, and that undo."""

from typing import Annotated

from litestar import Response, post, put
from litestar.handlers import HTTPRouteHandler
from litestar.params import PathParameter, RawBody

from control_plane.domain.requests import ChangeRequest
from control_plane.domain.route_url import UrlRules
from control_plane.errors import HistoryPurged, RevisionMismatch
from control_plane.http.changes.parsing import (
    accept_change_set,
    accept_desired_set,
    accept_revert,
    accept_revert_to,
)
from control_plane.http.changes.payloads import ChangeSetBody, DesiredSetBody, RevertTerms, SweepingTerms
from control_plane.http.common.examples import EXAMPLE_CHANGE_SET, EXAMPLE_DESIRED_SET, EXAMPLE_PLAN
from control_plane.http.common.preconditions import REPEATABLE
from control_plane.http.common.problem_details import PLAN_REFUSALS, PlanProblem, PurgedProblem
from control_plane.http.common.problem_types import (
    INVALID,
    KEY_REUSED,
    NOT_FOUND,
    PROBLEM_TYPES,
    TOO_LARGE,
    UNAVAILABLE,
)
from control_plane.http.common.responses import (
    PLAN_TAG,
    REPLAYED,
    TENANT_REVISION,
    example_response,
    plan_responses,
    respond_to_change,
)
from control_plane.http.routes.parsing import AnyRequest, traced
from control_plane.http.routes.payloads import ScopeQuery
from control_plane.http.tenants.handlers import TenantName
from control_plane.service.change_sets import ChangeSetService
from shared.runtime.http.openapi.operations import with_body
from shared.runtime.http.openapi.problems import problem_responses

RevisionNumber = Annotated[
    str, PathParameter(description="A revision of the tenant, such as 42.", schema_extra={"pattern": "^[0-9]{1,18}$"})
]

_TENANT = "/api/v1/tenants/{tenant:str}"
_TAGS = ["Changes"]
_SET = {
    200: example_response("What was changed; or what would be, when it is a dry run", EXAMPLE_PLAN),
    **problem_responses(INVALID, NOT_FOUND, TOO_LARGE, UNAVAILABLE),
    **problem_responses(PROBLEM_TYPES[RevisionMismatch], body=PlanProblem),
}
_ONCE = {**_SET, **problem_responses(KEY_REUSED)}
_UNDONE = {**_ONCE, **problem_responses(PROBLEM_TYPES[HistoryPurged], body=PurgedProblem)}
_HEADERS = [PLAN_TAG, TENANT_REVISION]


def change_handlers(changes: ChangeSetService, rules: UrlRules) -> list[HTTPRouteHandler]:
    """Apply a change set or a desired set, undo one change set or many."""

    async def carry_out(request: AnyRequest, what: str, wanted: ChangeRequest) -> Response[bytes]:
        with traced(request, what):
            return respond_to_change(await changes.carry_out(wanted), plan_responses)

    @post(
        f"{_TENANT}/changes",
        status_code=200,
        tags=_TAGS,
        summary="Change up to 500 routes together, or none of them",
        operation_class=with_body(
            ChangeSetBody,
            required=True,
            headers=REPEATABLE,
            move=EXAMPLE_CHANGE_SET,
            plan={**EXAMPLE_CHANGE_SET, "dry_run": True},
        ),
        response_headers=[*_HEADERS, REPLAYED],
        responses=_ONCE,
        exception_handlers=PLAN_REFUSALS,
        opt={"operation": "changes.apply"},
    )
    async def apply_changes(request: AnyRequest, tenant: TenantName, body: RawBody) -> Response[bytes]:
        """One transaction, one revision, one event; each resolver shows all of it or nothing.

        With `dry_run` it says what would change. Apply with the `base_revision` of that plan as `expected_revision`,
        and a change by somebody else in between is a 409 that holds the new plan.
        """
        return await carry_out(request, "apply changes", accept_change_set(request, tenant, body, rules))

    @put(
        f"{_TENANT}/routes",
        tags=_TAGS,
        summary="Make these the tenant's active routes",
        operation_class=with_body(
            DesiredSetBody,
            required=True,
            query=ScopeQuery,
            whole=EXAMPLE_DESIRED_SET,
            plan={**EXAMPLE_DESIRED_SET, "dry_run": True},
        ),
        response_headers=_HEADERS,
        responses=_SET,
        exception_handlers=PLAN_REFUSALS,
        opt={"operation": "routes.replace"},
    )
    async def replace_routes(request: AnyRequest, tenant: TenantName, body: RawBody) -> Response[bytes]:
        """Creates and updates what is named, deactivates what is not; within `service` and `env` where they are given.

        Up to 500 routes may change. To deactivate more than 20 % of the tenant's active routes takes
        `allow_mass_deactivation`.
        """
        return await carry_out(request, "replace routes", accept_desired_set(request, tenant, body, rules))

    @post(
        f"{_TENANT}/changes/{{revision:str}}/revert",
        status_code=200,
        tags=_TAGS,
        summary="Undo one change set",
        operation_class=with_body(
            RevertTerms, required=False, headers=REPEATABLE, with_reason={"reason": "v2 fails"}, empty={}
        ),
        response_headers=[*_HEADERS, REPLAYED],
        responses=_UNDONE,
        exception_handlers=PLAN_REFUSALS,
        opt={"operation": "changes.revert"},
    )
    async def revert_changes(
        request: AnyRequest, tenant: TenantName, revision: RevisionNumber, body: RawBody
    ) -> Response[bytes]:
        """By a change set that makes its routes what they were before it; routes it created are deactivated.

        A 409 names the routes that were changed again since; `force` overwrites them.
        """
        return await carry_out(request, "revert changes", accept_revert(request, tenant, revision, body))

    @post(
        f"{_TENANT}/revert-to/{{revision:str}}",
        status_code=200,
        tags=_TAGS,
        summary="Go back to a revision",
        operation_class=with_body(
            SweepingTerms,
            required=False,
            headers=REPEATABLE,
            plan={"reason": "as on Friday", "dry_run": True},
            empty={},
        ),
        response_headers=[*_HEADERS, REPLAYED],
        responses=_UNDONE,
        exception_handlers=PLAN_REFUSALS,
        opt={"operation": "changes.revert"},
    )
    async def revert_to(
        request: AnyRequest, tenant: TenantName, revision: RevisionNumber, body: RawBody
    ) -> Response[bytes]:
        """By one change set that makes every route what it was then; routes created since are deactivated.

        To deactivate more than 20 % of the tenant's active routes takes `allow_mass_deactivation`.
        """
        return await carry_out(request, "revert to a revision", accept_revert_to(request, tenant, revision, body))

    return [apply_changes, replace_routes, revert_changes, revert_to]
