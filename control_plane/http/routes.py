"""The handlers of /api/v1/tenants/{tenant}/routes."""

from contextlib import AbstractContextManager
from typing import Annotated

from litestar import Response, delete, get, post, put
from litestar.handlers import HTTPRouteHandler
from litestar.params import PathParameter, RawBody

from control_plane.domain.route_url import UrlRules
from control_plane.domain.routes import RoutePosition
from control_plane.http import cursors
from control_plane.http.answers import EXAMPLE_ROUTE, REVISION_TAG, route_answer, shown
from control_plane.http.kinds import INVALID, NOT_FOUND, UNAVAILABLE
from control_plane.http.operations import change_of, query_of
from control_plane.http.payloads import ChangeReason, PutRoute, RouteBody, RoutePage, RouteQuery
from control_plane.http.requests import AnyRequest, accept_key, accept_put, accept_route_page, accept_state_change
from control_plane.http.tenants import TenantName
from control_plane.service.routes import RouteService
from shared.runtime import tracing
from shared.runtime.http.problems import documented
from shared.schemas.events import Action

ServiceName = Annotated[str, PathParameter(description="Same characters as a tenant's name.")]
EnvName = Annotated[str, PathParameter(description="Same characters as a tenant's name.")]
VersionName = Annotated[str, PathParameter(description="Same characters, and A-Z and + as in SemVer; case-sensitive.")]

_LIST = "/api/v1/tenants/{tenant:str}/routes"
_ONE = _LIST + "/{service:str}/{env:str}/{version:str}"
_TAGS = ["Routes"]
_PROBLEMS = documented(INVALID, NOT_FOUND, UNAVAILABLE)
_STATE_CHANGE = change_of(ChangeReason, required=False, with_reason={"reason": "release 42"}, empty={})
_CHANGED = {200: shown("The route as it stands now", EXAMPLE_ROUTE), **_PROBLEMS}


def _traced(request: AnyRequest, name: str) -> AbstractContextManager[None]:
    return tracing.span(name, request.headers.get("traceparent"))


def route_handlers(routes: RouteService, rules: UrlRules) -> list[HTTPRouteHandler]:
    """Put, show, list, activate and deactivate routes."""

    @put(
        _ONE,
        tags=_TAGS,
        opt={"operation": "routes.put"},
        summary="Create or update a route",
        operation_class=change_of(
            PutRoute,
            required=True,
            switch={"url": EXAMPLE_ROUTE.url, "reason": "release 42"},
            prepare={"url": EXAMPLE_ROUTE.url, "is_active": False},
        ),
        response_headers=[REVISION_TAG],
        responses={201: shown("Created", EXAMPLE_ROUTE), **_CHANGED},
    )
    async def put_route(
        request: AnyRequest, tenant: TenantName, service: ServiceName, env: EnvName, version: VersionName, body: RawBody
    ) -> Response[RouteBody]:
        """Idempotent: what is so already takes no revision and emits no event.

        An inactive route becomes active unless `is_active` is false.
        """
        wanted, attribution = accept_put(request, (tenant, service, env, version), body, rules)
        with _traced(request, "put route"):
            outcome = await routes.put(wanted, attribution)
        created = outcome.change is not None and outcome.change.action is Action.CREATED
        return route_answer(outcome.route, created=created)

    @get(
        _ONE,
        tags=_TAGS,
        opt={"operation": "routes.show"},
        summary="Show a route, active or not",
        response_headers=[REVISION_TAG],
        responses={200: shown("The route", EXAMPLE_ROUTE), **_PROBLEMS},
    )
    async def show_route(
        tenant: TenantName, service: ServiceName, env: EnvName, version: VersionName
    ) -> Response[RouteBody]:
        return route_answer(await routes.get(accept_key(tenant, service, env, version)))

    @post(
        _ONE + "/activate",
        status_code=200,
        tags=_TAGS,
        opt={"operation": "routes.activate"},
        summary="Activate a route",
        operation_class=_STATE_CHANGE,
        response_headers=[REVISION_TAG],
        responses=_CHANGED,
    )
    async def activate_route(
        request: AnyRequest, tenant: TenantName, service: ServiceName, env: EnvName, version: VersionName, body: RawBody
    ) -> Response[RouteBody]:
        """With the URL that it has. Idempotent."""
        key, attribution = accept_state_change(request, (tenant, service, env, version), body)
        with _traced(request, "activate route"):
            return route_answer((await routes.activate(key, attribution)).route)

    async def deactivate(request: AnyRequest, path: tuple[str, str, str, str], body: RawBody) -> Response[RouteBody]:
        key, attribution = accept_state_change(request, path, body)
        with _traced(request, "deactivate route"):
            return route_answer((await routes.deactivate(key, attribution)).route)

    @post(
        _ONE + "/deactivate",
        status_code=200,
        tags=_TAGS,
        opt={"operation": "routes.deactivate"},
        summary="Deactivate a route",
        operation_class=_STATE_CHANGE,
        response_headers=[REVISION_TAG],
        responses=_CHANGED,
    )
    async def deactivate_route(
        request: AnyRequest, tenant: TenantName, service: ServiceName, env: EnvName, version: VersionName, body: RawBody
    ) -> Response[RouteBody]:
        """It is resolved no more, and stays to be shown and activated again. Idempotent."""
        return await deactivate(request, (tenant, service, env, version), body)

    @delete(
        _ONE,
        status_code=200,
        tags=_TAGS,
        opt={"operation": "routes.deactivate"},
        summary="Deactivate a route (the same operation)",
        operation_class=_STATE_CHANGE,
        response_headers=[REVISION_TAG],
        responses=_CHANGED,
    )
    async def delete_route(
        request: AnyRequest, tenant: TenantName, service: ServiceName, env: EnvName, version: VersionName, body: RawBody
    ) -> Response[RouteBody]:
        """Nothing is removed: a route that was once there keeps its revision."""
        return await deactivate(request, (tenant, service, env, version), body)

    @get(
        _LIST,
        tags=_TAGS,
        opt={"operation": "routes.list"},
        summary="List a tenant's routes by service, env and version",
        operation_class=query_of(RouteQuery),
        responses={
            200: shown("A page of routes", RoutePage(routes=[EXAMPLE_ROUTE], next_cursor="cGF5bWVudHM6cHJvZDp2Mg")),
            **_PROBLEMS,
        },
    )
    async def list_routes(request: AnyRequest, tenant: TenantName) -> RoutePage:
        matching, after, limit = accept_route_page(tenant, request)
        found = await routes.page(tenant, matching, after, limit + 1)
        last = found[limit - 1].key if len(found) > limit else None
        more = cursors.after_route(RoutePosition(last.service, last.env, last.version)) if last else None
        return RoutePage(routes=[RouteBody.of(each) for each in found[:limit]], next_cursor=more)

    return [put_route, show_route, activate_route, deactivate_route, delete_route, list_routes]
