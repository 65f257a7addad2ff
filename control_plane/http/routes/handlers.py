"""/api/v1/tenants/{tenant}/routes: single routes, and their list."""

from typing import Annotated, Any

from litestar import Response, delete, get, post, put
from litestar.handlers import HTTPRouteHandler
from litestar.openapi.spec import Example
from litestar.params import PathParameter, RawBody

from control_plane.domain.requests import ChangeRequest
from control_plane.domain.route_url import UrlRules
from control_plane.errors import HistoryPurged
from control_plane.http.common.cursors import encode_route, next_cursor
from control_plane.http.common.idempotency import IDEMPOTENCY_PARAMETERS, REPLAYED
from control_plane.http.common.parsing import AnyRequest
from control_plane.http.common.preconditions import PRECONDITION_PARAMETERS
from control_plane.http.common.problem_details import HISTORY_PROBLEM_HANDLERS, PurgedProblem
from control_plane.http.common.problem_types import KEY_REUSED, NOT_FOUND, PRECONDITION, PROBLEM_TYPES, QUOTA_REACHED
from control_plane.http.common.request_fields import TenantName
from control_plane.http.common.responses import ROUTE_ETAG, TENANT_REVISION, example_response, respond_to_change
from control_plane.http.routes.parsing import Path, accept_put, accept_route_listing, accept_state_change
from control_plane.http.routes.payloads import (
    EXAMPLE_PAST_ROUTE_PAGE,
    EXAMPLE_ROUTE,
    EXAMPLE_ROUTE_PAGE,
    ChangeReason,
    PastRouteBody,
    PastRoutePage,
    PutRoute,
    RouteBody,
    RoutePage,
    RouteQuery,
    route_change_response,
    route_response,
)
from control_plane.service.change_sets import ChangeSetService
from control_plane.service.history import HistoryService
from control_plane.service.routes import RouteService
from shared.runtime.http.openapi.operations import with_body, with_query
from shared.runtime.http.openapi.problems import problem_responses
from shared.runtime.http.problems import DEPENDENCY_UNAVAILABLE, INVALID_INPUT
from shared.schemas.identity import NAME_SCHEMA, VERSION_SCHEMA, RouteKey


def _name(example: str) -> Any:
    return PathParameter(
        description="Same rules as for a tenant's name.",
        examples=[Example(value=example)],
        schema_extra=dict(NAME_SCHEMA),
    )


ServiceName = Annotated[str, _name("payments")]
EnvName = Annotated[str, _name("prod")]
VersionName = Annotated[
    str,
    PathParameter(
        description="As a tenant's name, with A-Z and + as in SemVer; case-sensitive.",
        examples=[Example(value="v2")],
        schema_extra=dict(VERSION_SCHEMA),
    ),
]

_LIST = "/api/v1/tenants/{tenant:str}/routes"
_ONE = _LIST + "/{service:str}/{env:str}/{version:str}"
_PROBLEMS = problem_responses(INVALID_INPUT, NOT_FOUND, DEPENDENCY_UNAVAILABLE)
_CHANGED = {
    200: example_response("The route after the change", EXAMPLE_ROUTE),
    **_PROBLEMS,
    **problem_responses(PRECONDITION),
}


def _options(operation: str) -> dict[str, Any]:
    return {"tags": ["Routes"], "opt": {"operation": operation}}


def _state_change(operation: str, *, repeatable: bool) -> dict[str, Any]:
    """The decorator arguments of an activation or deactivation."""
    headers = PRECONDITION_PARAMETERS + IDEMPOTENCY_PARAMETERS if repeatable else PRECONDITION_PARAMETERS
    body = with_body(ChangeReason, required=False, headers=headers, with_reason={"reason": "release 42"}, empty={})
    return {
        "status_code": 200,
        "operation_class": body,
        "response_headers": [ROUTE_ETAG, TENANT_REVISION, *([REPLAYED] if repeatable else [])],
        "responses": {**_CHANGED, **(problem_responses(KEY_REUSED) if repeatable else {})},
        **_options(operation),
    }


def route_handlers(
    routes: RouteService, changes: ChangeSetService, history: HistoryService, rules: UrlRules
) -> list[HTTPRouteHandler]:
    """The handlers that create, update, show, list, activate and deactivate routes."""
    return [*_single_route_handlers(routes, changes, rules), _list_handler(routes, history)]


def _single_route_handlers(routes: RouteService, changes: ChangeSetService, rules: UrlRules) -> list[HTTPRouteHandler]:
    async def carry_out(change: ChangeRequest) -> Response[bytes]:
        return respond_to_change(await changes.carry_out(change), route_change_response)

    @put(
        _ONE,
        summary="Create or update a route",
        operation_class=with_body(
            PutRoute,
            required=True,
            headers=PRECONDITION_PARAMETERS,
            switch={"url": EXAMPLE_ROUTE.url, "reason": "release 42"},
            prepare={"url": EXAMPLE_ROUTE.url, "is_active": False},
        ),
        response_headers=[ROUTE_ETAG, TENANT_REVISION],
        responses={201: example_response("Created", EXAMPLE_ROUTE), **_CHANGED, **problem_responses(QUOTA_REACHED)},
        **_options("routes.put"),
    )
    async def put_route(
        request: AnyRequest, tenant: TenantName, service: ServiceName, env: EnvName, version: VersionName, body: RawBody
    ) -> Response[bytes]:
        """Idempotent: a request that changes nothing takes no revision and publishes no event.

        An inactive route becomes active unless `is_active` is false.
        """
        return await carry_out(accept_put(request, (tenant, service, env, version), body, rules))

    @get(
        _ONE,
        summary="Show a route, active or inactive",
        response_headers=[ROUTE_ETAG],
        responses={200: example_response("The route", EXAMPLE_ROUTE), **_PROBLEMS},
        **_options("routes.show"),
    )
    async def show_route(
        tenant: TenantName, service: ServiceName, env: EnvName, version: VersionName
    ) -> Response[RouteBody]:
        """The route as the primary has it. `ETag` is for `If-Match` of the next change."""
        return route_response(await routes.get(RouteKey(tenant, service, env, version)))

    @post(_ONE + "/activate", summary="Activate a route", **_state_change("routes.activate", repeatable=True))
    async def activate_route(
        request: AnyRequest, tenant: TenantName, service: ServiceName, env: EnvName, version: VersionName, body: RawBody
    ) -> Response[bytes]:
        """Resolvers return the route again, with the URL that it has. Idempotent."""
        path = (tenant, service, env, version)
        change = accept_state_change(request, path, body, is_active=True, make_response=route_change_response)
        return await carry_out(change)

    @post(_ONE + "/deactivate", summary="Deactivate a route", **_state_change("routes.deactivate", repeatable=True))
    async def deactivate_route(
        request: AnyRequest, tenant: TenantName, service: ServiceName, env: EnvName, version: VersionName, body: RawBody
    ) -> Response[bytes]:
        """Resolvers no longer return the route. It is kept, and can be activated again. Idempotent."""
        path = (tenant, service, env, version)
        change = accept_state_change(request, path, body, is_active=False, make_response=route_change_response)
        return await carry_out(change)

    @delete(
        _ONE, summary="Deactivate a route (the same operation)", **_state_change("routes.deactivate", repeatable=False)
    )
    async def delete_route(
        request: AnyRequest, tenant: TenantName, service: ServiceName, env: EnvName, version: VersionName, body: RawBody
    ) -> Response[bytes]:
        """Deactivates the route and deletes nothing."""
        path: Path = (tenant, service, env, version)
        return await carry_out(accept_state_change(request, path, body, is_active=False))

    return [put_route, show_route, activate_route, deactivate_route, delete_route]


def _list_handler(routes: RouteService, history: HistoryService) -> HTTPRouteHandler:
    @get(
        _LIST,
        summary="List a tenant's routes by service, env and version, now or as of a revision",
        operation_class=with_query(RouteQuery),
        responses={
            200: example_response("A page of routes", EXAMPLE_ROUTE_PAGE, EXAMPLE_PAST_ROUTE_PAGE),
            **_PROBLEMS,
            **problem_responses(PROBLEM_TYPES[HistoryPurged], body=PurgedProblem, oldest_revision=41),
        },
        exception_handlers=HISTORY_PROBLEM_HANDLERS,
        **_options("routes.list"),
    )
    async def list_routes(request: AnyRequest, tenant: TenantName) -> Response[RoutePage | PastRoutePage]:
        """Active and inactive routes. With `at_revision`, each has the value that it had after that revision."""
        listing = accept_route_listing(request, tenant)
        at, limit = listing.at_revision, listing.limit
        if at is None:
            found = await routes.page(tenant, listing.matching, listing.after, limit + 1)
            cursor = next_cursor([each.key for each in found], limit, encode_route)
            return Response(RoutePage(routes=[RouteBody.of(each) for each in found[:limit]], next_cursor=cursor))
        past = await history.routes_at(tenant, at, listing.matching, listing.after, limit + 1)
        cursor = next_cursor([each.key for each in past], limit, encode_route)
        bodies = [PastRouteBody.of(each) for each in past[:limit]]
        return Response(PastRoutePage(at_revision=at, routes=bodies, next_cursor=cursor))

    return list_routes
