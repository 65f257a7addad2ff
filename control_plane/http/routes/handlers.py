"""The handlers of /api/v1/tenants/{tenant}/routes that are about single routes, and their list."""

from typing import Annotated

from litestar import Response, delete, get, post, put
from litestar.handlers import HTTPRouteHandler
from litestar.params import PathParameter, RawBody

from control_plane.domain.route_url import UrlRules
from control_plane.errors import HistoryPurged
from control_plane.http.common.cursors import cursor_after
from control_plane.http.common.examples import EXAMPLE_ROUTES, EXAMPLE_ROUTES_THEN
from control_plane.http.common.preconditions import CONDITIONAL, REPEATABLE
from control_plane.http.common.problem_details import HISTORY_REFUSALS, PurgedProblem
from control_plane.http.common.problem_types import (
    INVALID,
    KEY_REUSED,
    NOT_FOUND,
    PRECONDITION,
    PROBLEM_TYPES,
    QUOTA_REACHED,
    UNAVAILABLE,
)
from control_plane.http.common.responses import (
    EXAMPLE_ROUTE,
    REPLAYED,
    REVISION_TAG,
    TENANT_REVISION,
    example_response,
    example_response_of_any,
    respond_to_change,
    route_answer,
    route_responses,
)
from control_plane.http.history.payloads import RoutesThen, RouteThenBody
from control_plane.http.routes.parsing import (
    AnyRequest,
    accept_key,
    accept_put,
    accept_route_page,
    accept_state_change,
    traced,
)
from control_plane.http.routes.payloads import ChangeReason, PutRoute, RouteBody, RoutePage, RouteQuery
from control_plane.http.tenants.handlers import TenantName
from control_plane.service.change_sets import ChangeSetService
from control_plane.service.history import HistoryService
from control_plane.service.routes import RouteService
from shared.runtime.http.openapi.operations import with_body, with_query
from shared.runtime.http.openapi.problems import problem_responses
from shared.schemas.identity import NAME_SCHEMA, VERSION_SCHEMA

_Name = PathParameter(description="Same characters as a tenant's name.", schema_extra=dict(NAME_SCHEMA))
ServiceName = Annotated[str, _Name]
EnvName = Annotated[str, _Name]
VersionName = Annotated[
    str,
    PathParameter(
        description="Same characters, and A-Z and + as in SemVer; case-sensitive.", schema_extra=dict(VERSION_SCHEMA)
    ),
]

_LIST = "/api/v1/tenants/{tenant:str}/routes"
_ONE = _LIST + "/{service:str}/{env:str}/{version:str}"
_TAGS = ["Routes"]
_PROBLEMS = problem_responses(INVALID, NOT_FOUND, UNAVAILABLE)
_STATE_CHANGE, _REPEATABLE_STATE_CHANGE = (
    with_body(ChangeReason, required=False, headers=headers, with_reason={"reason": "release 42"}, empty={})
    for headers in (CONDITIONAL, CONDITIONAL + REPEATABLE)
)
_CHANGED = {
    200: example_response("The route as it stands now", EXAMPLE_ROUTE),
    **_PROBLEMS,
    **problem_responses(PRECONDITION),
}
_CHANGED_ONCE = {**_CHANGED, **problem_responses(KEY_REUSED)}


def route_handlers(
    routes: RouteService, changes: ChangeSetService, history: HistoryService, rules: UrlRules
) -> list[HTTPRouteHandler]:
    """Put, show, list, activate and deactivate routes."""

    @put(
        _ONE,
        tags=_TAGS,
        summary="Create or update a route",
        operation_class=with_body(
            PutRoute,
            required=True,
            headers=CONDITIONAL,
            switch={"url": EXAMPLE_ROUTE.url, "reason": "release 42"},
            prepare={"url": EXAMPLE_ROUTE.url, "is_active": False},
        ),
        response_headers=[REVISION_TAG, TENANT_REVISION],
        responses={201: example_response("Created", EXAMPLE_ROUTE), **_CHANGED, **problem_responses(QUOTA_REACHED)},
        opt={"operation": "routes.put"},
    )
    async def put_route(
        request: AnyRequest, tenant: TenantName, service: ServiceName, env: EnvName, version: VersionName, body: RawBody
    ) -> Response[bytes]:
        """Idempotent: what is so already takes no revision and emits no event.

        An inactive route becomes active unless `is_active` is false.
        """
        wanted = accept_put(request, (tenant, service, env, version), body, rules)
        with traced(request, "put route"):
            return respond_to_change(await changes.carry_out(wanted), route_responses)

    @get(
        _ONE,
        tags=_TAGS,
        summary="Show a route, active or not",
        response_headers=[REVISION_TAG],
        responses={200: example_response("The route", EXAMPLE_ROUTE), **_PROBLEMS},
        opt={"operation": "routes.show"},
    )
    async def show_route(
        tenant: TenantName, service: ServiceName, env: EnvName, version: VersionName
    ) -> Response[RouteBody]:
        return route_answer(await routes.get(accept_key(tenant, service, env, version)))

    @post(
        _ONE + "/activate",
        status_code=200,
        tags=_TAGS,
        summary="Activate a route",
        operation_class=_REPEATABLE_STATE_CHANGE,
        response_headers=[REVISION_TAG, TENANT_REVISION, REPLAYED],
        responses=_CHANGED_ONCE,
        opt={"operation": "routes.activate"},
    )
    async def activate_route(
        request: AnyRequest, tenant: TenantName, service: ServiceName, env: EnvName, version: VersionName, body: RawBody
    ) -> Response[bytes]:
        """With the URL that it has. Idempotent."""
        path = (tenant, service, env, version)
        wanted = accept_state_change(request, path, body, is_active=True, answer=route_responses)
        with traced(request, "activate route"):
            return respond_to_change(await changes.carry_out(wanted), route_responses)

    @post(
        _ONE + "/deactivate",
        status_code=200,
        tags=_TAGS,
        summary="Deactivate a route",
        operation_class=_REPEATABLE_STATE_CHANGE,
        response_headers=[REVISION_TAG, TENANT_REVISION, REPLAYED],
        responses=_CHANGED_ONCE,
        opt={"operation": "routes.deactivate"},
    )
    async def deactivate_route(
        request: AnyRequest, tenant: TenantName, service: ServiceName, env: EnvName, version: VersionName, body: RawBody
    ) -> Response[bytes]:
        """It is resolved no more, and stays to be shown and activated again. Idempotent."""
        path = (tenant, service, env, version)
        wanted = accept_state_change(request, path, body, is_active=False, answer=route_responses)
        with traced(request, "deactivate route"):
            return respond_to_change(await changes.carry_out(wanted), route_responses)

    @delete(
        _ONE,
        status_code=200,
        tags=_TAGS,
        summary="Deactivate a route (the same operation)",
        operation_class=_STATE_CHANGE,
        response_headers=[REVISION_TAG, TENANT_REVISION],
        responses=_CHANGED,
        opt={"operation": "routes.deactivate"},
    )
    async def delete_route(
        request: AnyRequest, tenant: TenantName, service: ServiceName, env: EnvName, version: VersionName, body: RawBody
    ) -> Response[bytes]:
        """Nothing is removed: a route that was once there keeps its revision."""
        wanted = accept_state_change(request, (tenant, service, env, version), body, is_active=False)
        with traced(request, "deactivate route"):
            return respond_to_change(await changes.carry_out(wanted), route_responses)

    @get(
        _LIST,
        tags=_TAGS,
        summary="List a tenant's routes by service, env and version, now or at a revision",
        operation_class=with_query(RouteQuery),
        responses={
            200: example_response_of_any("A page of routes", EXAMPLE_ROUTES, EXAMPLE_ROUTES_THEN),
            **_PROBLEMS,
            **problem_responses(PROBLEM_TYPES[HistoryPurged], body=PurgedProblem),
        },
        exception_handlers=HISTORY_REFUSALS,
        opt={"operation": "routes.list"},
    )
    async def list_routes(request: AnyRequest, tenant: TenantName) -> Response[RoutePage | RoutesThen]:
        asked = accept_route_page(tenant, request)
        at, limit = asked.at_revision, asked.limit
        if at is None:
            found = await routes.page(tenant, asked.matching, asked.after, limit + 1)
            more = cursor_after([each.key for each in found], limit)
            return Response(RoutePage(routes=[RouteBody.of(each) for each in found[:limit]], next_cursor=more))
        then = await history.routes_at(tenant, at, asked.matching, asked.after, limit + 1)
        more = cursor_after([each.key for each in then], limit)
        return Response(
            RoutesThen(at_revision=at, routes=[RouteThenBody.of(each) for each in then[:limit]], next_cursor=more)
        )

    return [put_route, show_route, activate_route, deactivate_route, delete_route, list_routes]
